"""The answer's form: its schema, how it is read while it is written, and how it is written back into the prompt."""

from __future__ import annotations

import json
import re
from typing import Any

from bot.errors import EngineError
from bot.model import Action, Answer, Defect, Seen

_WORD = {"type": "string", "maxLength": 24}

#: What ``Seen.quality`` may be: codes, the same in every language.
QUALITIES = ("clear", "dark", "blurred", "partial")

#: JSON Schema of every answer. Properties come in this order: the action and what was seen are known before the reply.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "action": {"enum": [a.value for a in Action]},
        "seen": {
            "anyOf": [
                {"type": "null"},
                {
                    "type": "object",
                    "properties": {
                        "kind": _WORD,
                        "colour": _WORD,
                        "pattern": _WORD,
                        "count": {"enum": list(range(1, 10))},
                        "defects": {
                            "type": "array",
                            "maxItems": 3,
                            "items": {
                                "type": "object",
                                "properties": {"what": _WORD, "where": _WORD},
                                "required": ["what", "where"],
                            },
                        },
                        "quality": {"enum": list(QUALITIES)},
                    },
                    "required": ["kind", "colour", "pattern", "count", "defects", "quality"],
                },
            ]
        },
        "reply": {"type": "string", "maxLength": 600},
    },
    "required": ["action", "seen", "reply"],
}


def dump(answer: Answer) -> str:
    """The answer as the grammar writes it: compact JSON. ``load(dump(a)) == a``."""
    seen = answer.seen
    record = None
    if seen is not None:
        record = {
            "kind": seen.kind,
            "colour": seen.colour,
            "pattern": seen.pattern,
            "count": seen.count,
            "defects": [{"what": d.what, "where": d.where} for d in seen.defects],
            "quality": seen.quality,
        }
    return json.dumps(
        {"action": answer.action.value, "seen": record, "reply": answer.reply},
        ensure_ascii=False,
        separators=(",", ":"),
    )


def load(text: str) -> Answer:
    """Parses a whole answer. Raises :class:`EngineError` when a server without grammar wrote something else."""
    try:
        raw = json.loads(text)
        seen = raw["seen"]
        return Answer(
            action=Action(raw["action"]),
            seen=None
            if seen is None
            else Seen(
                kind=_text(seen["kind"]),
                colour=_text(seen["colour"]),
                pattern=_text(seen["pattern"]),
                count=int(seen["count"]),
                defects=tuple(Defect(what=_text(d["what"]), where=_text(d["where"])) for d in seen["defects"]),
                quality=_text(seen["quality"]),
            ),
            reply=_text(raw["reply"]),
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise EngineError("the model's answer does not have the agreed form") from exc


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where words are to stand")
    return value


#: With blanks where a server's own JSON has them.
_REPLY = re.compile(r'"reply"\s*:\s*"')
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class Reader:
    """Reads an answer as it comes and hands out the reply's characters, escapes resolved.

    Only the reply is streamed: what stands before it is for the code. Feed it pieces of any size; ``text`` is
    everything so far. A reply that is cut off in the middle of an escape holds the escape back.
    """

    def __init__(self) -> None:
        self.text = ""
        #: Where the unread part of the reply begins; ``None`` until the key was seen.
        self._at: int | None = None
        self.closed = False
        #: The reply as far as it was handed out.
        self.reply = ""

    def feed(self, piece: str) -> str:
        """Adds a piece; returns the new characters of the reply."""
        self.text += piece
        if self._at is None:
            # The key cannot occur inside an earlier string: a quote in there is escaped, so `"reply":"` is not.
            found = _REPLY.search(self.text)
            if found is None:
                return ""
            self._at = found.end()
        out: list[str] = []
        at, text = self._at, self.text
        while at < len(text) and not self.closed:
            ch = text[at]
            if ch == '"':
                self.closed = True
            elif ch != "\\":
                out.append(ch)
            elif at + 1 >= len(text):
                break
            elif text[at + 1] == "u":
                if at + 6 > len(text):
                    break
                out.append(_unicode(text[at + 2 : at + 6]))
                at += 5
            else:
                out.append(_ESCAPES.get(text[at + 1], ""))
                at += 1
            at += 1
        self._at = at
        fresh = "".join(out)
        self.reply += fresh
        return fresh


def _unicode(digits: str) -> str:
    try:
        ch = chr(int(digits, 16))
    except ValueError:
        return ""
    # Half of a surrogate pair cannot be shown; our own grammar never writes one.
    return "" if "\ud800" <= ch <= "\udfff" else ch
