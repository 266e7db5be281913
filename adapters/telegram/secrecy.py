"""Keeps the token and the customers' words out of the libraries' logs.

A bot's token is a part of every address. httpx logs addresses at INFO, and python-telegram-bot logs whole messages at
DEBUG.
"""

from __future__ import annotations

import logging

#: Loggers that may name an address; a filter works on the very logger only, not on those below it.
_LOGGERS = (
    "httpx",
    *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
    "telegram.Bot",
)


class TokenFilter(logging.Filter):
    """Replaces a token in log records; in place from :meth:`install` to :meth:`remove`."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if self._token in message:
            record.msg, record.args = self.scrub(message), ()
        return True

    def scrub(self, text: str) -> str:
        return text.replace(self._token, "<token>")

    def install(self) -> None:
        logging.getLogger("telegram").setLevel(logging.INFO)
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self)

    def remove(self) -> None:
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self)
