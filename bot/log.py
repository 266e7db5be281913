"""Logs on stderr: one line an event, with the id that follows a message through the house.

Secrets and customers' words are never put into a record by our code; what libraries would write about URLs (a Telegram
token stands in the path, a WeCom token in the query) is scrubbed here.
"""

from __future__ import annotations

import contextvars
import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

_SECRETS = (
    (re.compile(r"(/(?:file/)?bot)\d+:[\w-]+"), r"\1***"),
    (re.compile(r"((?:access_token|corpsecret|token|secret|key)=)[^&\s\"']+", re.IGNORECASE), r"\1***"),
)

#: These write at «debug» whatever passes through them: the page's frames, customers' words and its token among them.
_TALKATIVE = ("uvicorn", "uvicorn.error", "websockets")

_following: contextvars.ContextVar[str] = contextvars.ContextVar("following", default="-")


@contextmanager
def following(id_: str) -> Iterator[None]:
    """Every record made inside carries this id, in tasks that start inside too."""
    token = _following.set(id_)
    try:
        yield
    finally:
        _following.reset(token)


def scrub(text: str) -> str:
    """The text without the secrets that URLs carry."""
    for pattern, put in _SECRETS:
        text = pattern.sub(put, text)
    return text


class _Console(logging.Formatter):
    def __init__(self, *, terminal: bool) -> None:
        """``terminal``: a moving line may stand where the record goes; it is wiped out, and drawn again below."""
        super().__init__()
        self._clear = "\r\x1b[K" if terminal else ""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        line = f"{self._clear}{at} {record.name} [{_following.get()}] {level}{record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return scrub(line)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        row = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "id": _following.get(),
            "message": scrub(record.getMessage()),
        }
        if record.exc_info:
            row["exception"] = scrub(self.formatException(record.exc_info))
        return json.dumps(row, ensure_ascii=False)


def configure(level: str, form: Literal["console", "json"]) -> None:
    """Sends all logs to stderr. Libraries are heard from «warning» on, unless ``debug`` is asked for; those that would
    then write customers' words, from «info» on.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Console(terminal=sys.stderr.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    for name in ("bot", "adapters", "inference", "storage"):
        logging.getLogger(name).setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, root.level))
