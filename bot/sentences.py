"""Cutting words that are still being written into whole sentences: what the guard sees and a customer reads."""

from __future__ import annotations

import re

#: A sentence ends after these, with the quotes and brackets that close behind them. A Western full stop only ends one
#: before a space: «19.9» and «example.com» do not.
_END = re.compile(r"(?:(?:[。！？!?；…\n]+|\.(?=\s))[”’\"'）)」』]*)+\s*")

#: Where the thing that is spoken of may change; a comma within a figure ends nothing.
_CLAUSES = re.compile(r"[，；;。！？!?\n]|,(?!\d)|\b(?:but|and)\b")
#: The same words three times in a row, whatever marks stand between; a number may have as many zeros as it likes.
_LOOP = re.compile(r"([^\W\d]\w{2,}?)\1\1")


class Sentences:
    """Feed it pieces of any size; each whole sentence comes out once, with the space behind it."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, piece: str) -> list[str]:
        self._rest += piece
        out: list[str] = []
        at = 0
        for end in _END.finditer(self._rest):
            # What stands at the very end may go on («?!», «。」», «?. »): it waits for the next piece.
            if self._rest[end.end() :] in ("", "."):
                break
            out.append(self._rest[at : end.end()])
            at = end.end()
        self._rest = self._rest[at:]
        return out

    def flush(self) -> list[str]:
        """What is left, whole or not."""
        rest, self._rest = self._rest, ""
        return [rest] if rest.strip() else []


def split(text: str) -> list[str]:
    """A whole text as sentences; joined they are the text again, but for white space at its very end."""
    cutter = Sentences()
    return [*cutter.feed(text), *cutter.flush()]


def clauses(text: str) -> list[str]:
    """A text in parts that each speak of one thing."""
    return _CLAUSES.split(text)


def repeats(before: str, sentence: str) -> bool:
    """Whether a sentence turns in circles: in itself, or as a third copy of one that stands before."""
    said = sentence.strip()
    return _LOOP.search(re.sub(r"\W+", "", said)) is not None or (len(said) > 1 and before.count(said) >= 2)
