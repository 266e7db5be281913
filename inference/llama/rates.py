"""How fast this model is on this machine, as measured, and how long answers are: kept over restarts.

A machine's speed at a size is the median of the last few measurements near it; between sizes it is interpolated. So a
slow start, another program or a hot processor show within a few answers, and a single hiccup does not.
"""

from __future__ import annotations

import json
import logging
import os
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

log = logging.getLogger(__name__)

#: What a message brings, which tells how long its answer will be: a photo, only data (after a look-up), or words.
Sort = Literal["photo", "facts", "words"]
_SORTS: tuple[Sort, ...] = ("photo", "facts", "words")

_KEPT = 5
_KEPT_LENGTHS = 24
#: What a step's weight keeps when the next one comes, and how far the pace may differ from what was measured before.
_FADE = 0.8
_PACES = (0.25, 4.0)


class Curve:
    """Seconds that something of a size takes; sizes are put together by powers of two."""

    def __init__(self, points: list[tuple[int, float]] | None = None) -> None:
        self._near: dict[int, deque[tuple[int, float]]] = {}
        for size, seconds in points or ():
            self.add(size, seconds)

    def add(self, size: int, seconds: float) -> None:
        self._near.setdefault(size.bit_length(), deque(maxlen=_KEPT)).append((size, seconds))

    def points(self) -> list[tuple[int, float]]:
        return [point for near in list(self._near.values()) for point in list(near)]

    def __bool__(self) -> bool:
        return bool(self._near)

    def at(self, size: float) -> float:
        """Seconds for a size; 0 when nothing was measured yet."""
        knots = sorted(
            (median(size for size, _ in near), median(seconds for _, seconds in near))
            for near in [list(near) for near in list(self._near.values())]
        )
        if not knots or size <= 0:
            return 0.0
        after = bisect_left(knots, (size, 0.0))
        if after == len(knots):
            # Beyond the largest measured: in proportion.
            return knots[-1][1] * size / knots[-1][0]
        if after == 0:
            return knots[0][1] * min(1.0, size / knots[0][0])
        (low, fast), (high, slow) = knots[after - 1], knots[after]
        return fast + (slow - fast) * (size - low) / (high - low)


@dataclass(frozen=True, slots=True)
class Length:
    """How long an answer was: its lead is what is written before the customer's first word."""

    #: Decodes of the lead after the prompt's own, and the tokens that they took: what the form forces rides along.
    lead_steps: float
    lead_tokens: float
    #: Decodes from the first word to the end.
    rest_steps: float


class Lengths:
    """The lengths of the last answers of a sort."""

    def __init__(self, seen: list[tuple[int, int, int]] | None = None) -> None:
        self._seen: deque[Length] = deque((Length(*each) for each in seen or ()), maxlen=_KEPT_LENGTHS)

    def add(self, length: Length) -> None:
        self._seen.append(length)

    def points(self) -> list[tuple[float, float, float]]:
        return [(each.lead_steps, each.lead_tokens, each.rest_steps) for each in list(self._seen)]

    @property
    def usual(self) -> Length:
        """The median. Before any answer: the form's own few tokens, and a sentence or two."""
        if not (seen := self.points()):
            return Length(2, 12, 32)
        return Length(*(median(column) for column in zip(*seen, strict=True)))


class Pace:
    """How fast the machine is just now, as a multiple of what its curves say: above 1 when other programs compute too.

    The last few steps count, each by its length; a curve needs several measurements at each size to follow.
    """

    def __init__(self) -> None:
        self._usual = self._taken = 0.0

    def add(self, usual: float, taken: float) -> None:
        if usual:
            self._usual, self._taken = _FADE * self._usual + usual, _FADE * self._taken + taken

    @property
    def now(self) -> float:
        return min(_PACES[1], max(_PACES[0], self._taken / self._usual)) if self._usual else 1.0


class Rates:
    """All that is measured, for one model on one machine."""

    def __init__(self, raw: dict[str, Any] | None = None) -> None:
        raw = raw or {}
        #: Encoding a photo, by its tokens.
        self.encode = Curve(raw.get("encode"))
        #: Putting a photo's rows into the context, by their number.
        self.show = Curve(raw.get("show"))
        #: A decode, by the number of its tokens, whose ever they are.
        self.decode = Curve(raw.get("decode"))
        #: A step of writing, by the number of answers that are written side by side.
        self.step = Curve(raw.get("step"))
        self.lengths: dict[Sort, Lengths] = {sort: Lengths(raw.get("lengths", {}).get(sort)) for sort in _SORTS}
        self.pace = Pace()
        #: Threads that were found to be the best; 0: not tried yet.
        self.threads = int(raw.get("threads", 0))
        #: Tokens and the bytes of the texts that gave them.
        self._tokens, self._bytes = raw.get("text", (0.0, 0.0))

    def text(self, tokens: int, length: int) -> None:
        """A text of so many bytes became so many tokens."""
        # Older texts fade, so that a prompt's language, not its history, decides.
        keep = 1.0 if self._bytes < 100_000 else 0.5
        self._tokens, self._bytes = self._tokens * keep + tokens, self._bytes * keep + length

    def writing(self, length: Length, side_by_side: int) -> tuple[float, float]:
        """Seconds until the first word of an answer, after its prompt; and from there to its end."""
        step = self.step.at(side_by_side)
        lead = 0.0
        if length.lead_steps:
            lead = length.lead_steps * max(step, self.decode.at(length.lead_tokens / length.lead_steps))
        return lead, step * length.rest_steps

    def tokens(self, length: int) -> float:
        """Tokens that a text of so many bytes will be."""
        return length * (self._tokens / self._bytes if self._bytes else 0.4)

    def raw(self) -> dict[str, Any]:
        return {
            "encode": self.encode.points(),
            "show": self.show.points(),
            "decode": self.decode.points(),
            "step": self.step.points(),
            "lengths": {sort: lengths.points() for sort, lengths in self.lengths.items()},
            "threads": self.threads,
            "text": (self._tokens, self._bytes),
        }


class RatesFile:
    """Rates of several models, in one file; replaced whole, and never in the way of an answer."""

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, key

    def load(self) -> Rates:
        raw = self._all().get(self._key)
        try:
            return Rates(raw if isinstance(raw, dict) else None)
        except (TypeError, ValueError, AttributeError):
            log.warning("the measured rates in %s cannot be read; they are measured anew", self._path.name)
            return Rates()

    def save(self, rates: Rates) -> None:
        everything = self._all()
        everything[self._key] = rates.raw()
        part = self._path.with_suffix(f".{os.getpid()}.part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(everything), encoding="utf-8")
            part.replace(self._path)
        except OSError as exc:
            log.warning("the measured rates could not be kept (%s)", exc.strerror)

    def _all(self) -> dict[str, Any]:
        try:
            raw = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return raw if isinstance(raw, dict) else {}
