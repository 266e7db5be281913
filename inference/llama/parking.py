"""Conversations that had to leave the context, kept in memory: bringing one back computes nothing."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from inference.llama.sequence import Sequence


@dataclass(frozen=True, slots=True)
class Parked:
    sequence: Sequence
    state: bytes


class Parking:
    """Least recently parked ones are given up first; ``limit`` in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parked: OrderedDict[str, Parked] = OrderedDict()

    @property
    def bytes(self) -> int:
        return sum(len(parked.state) for parked in self._parked.values())

    def add(self, key: str, parked: Parked) -> None:
        self._parked.pop(key, None)
        if len(parked.state) > self._limit:
            return
        self._parked[key] = parked
        while self.bytes > self._limit:
            self._parked.popitem(last=False)

    def look(self, key: str) -> Parked | None:
        return self._parked.get(key)

    def take(self, key: str) -> Parked | None:
        return self._parked.pop(key, None)

    def clear(self) -> None:
        self._parked.clear()

    def items(self) -> list[tuple[str, Parked]]:
        return list(self._parked.items())
