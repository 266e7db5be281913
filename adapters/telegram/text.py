"""Long texts in parts that Telegram takes: at most 4,096 UTF-16 units each, cut where a reader would pause."""

from __future__ import annotations

import re
import unicodedata

#: UTF-16 units of a message.
MESSAGE = 4096
#: UTF-16 units of the words under a picture.
CAPTION = 1024

#: Where a sentence ends: Chinese marks with the quotes that close after them, Latin ones before a space, a line break.
_SENTENCE = re.compile(r"[\u3002\uff01\uff1f!?\u2026\uff1b;]+[\u201d\u2019\"'\u300d\u300f\uff09)\]]*|\.(?=\s)|\n")
#: Where one may breathe, if no sentence ends.
_PAUSE = re.compile(r"[\uff0c\u3001\uff1a]|\s")
#: A cluster of joined characters longer than this is no letter or emoji but noise; it is cut anyway.
_LONGEST_CLUSTER = 64


def units(text: str) -> int:
    """Length as Telegram counts it: in UTF-16 units, two for an emoji."""
    return len(text) + sum(char > "\uffff" for char in text)


def split(text: str, limit: int = MESSAGE) -> tuple[str, ...]:
    """Cuts a text into parts of at most ``limit`` units (2 or more), none of them blank.

    Nothing but white space at the cuts is lost. The cut is the last end of a sentence in the second half of what fits,
    else the last pause there, else the last place where no letter is torn from its accents.
    """
    parts = []
    rest = text.strip()
    while units(rest) > limit:
        cut = _cut(rest, _fitting(rest, limit))
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    if rest:
        parts.append(rest)
    return tuple(parts)


def _fitting(text: str, limit: int) -> int:
    """How many characters of a text fit into ``limit`` units."""
    used = 0
    for at, char in enumerate(text):
        used += 2 if char > "\uffff" else 1
        if used > limit:
            return at
    return len(text)


def _cut(text: str, room: int) -> int:
    """Where to cut a text of which ``room`` characters fit; it begins with no white space, so no part is blank."""
    window = text[: room + 1]  # one more, so that a full stop at the edge sees its space
    for border in (_SENTENCE, _PAUSE):
        ends = [found.end() for found in border.finditer(window) if room // 2 < found.end() <= room]
        if ends and _whole(text, ends[-1]):
            return ends[-1]
    for cut in range(room, max(0, room - _LONGEST_CLUSTER), -1):
        if _whole(text, cut):
            return cut
    return room


def _whole(text: str, cut: int) -> bool:
    """Whether a cut leaves every visible character whole: accents, emoji with skin or joined, flags."""
    left, right = text[cut - 1], text[cut]
    if unicodedata.category(right) in {"Mn", "Me", "Mc"} or "\U0001f3fb" <= right <= "\U0001f3ff":
        return False
    if "\u200d" in (left, right):
        return False
    if _is_flag_half(left) and _is_flag_half(right):
        halves = cut - 1
        while halves > 0 and _is_flag_half(text[halves - 1]):
            halves -= 1
        return (cut - halves) % 2 == 0
    return True


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
