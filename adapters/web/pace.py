"""How fast one customer may go: a bucket that fills with time and pays for what he does."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """So many at once, then so many a second."""

    burst: int
    per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What the page allows. Generous to a person, dull to a machine."""

    messages: Pace = Pace(burst=20, per_second=1.0)
    photos: Pace = Pace(burst=40, per_second=1.0)
    #: Frames of every kind on one connection, typing and pings included.
    frames: Pace = Pace(burst=120, per_second=20.0)
    #: Tabs that one customer may hold open.
    connections: int = 12
    #: Tabs of everybody.
    all_connections: int = 1000
    #: Photos of the largest size whose bytes fit into memory together, on their way in or waiting to be kept.
    uploads: int = 4
    #: Photos on their way in or waiting to be kept, of one customer and of everybody.
    own_uploads: int = 8
    all_uploads: int = 64


class Bucket:
    """What one customer has left."""

    __slots__ = ("_at", "_clock", "_left", "_pace")

    def __init__(self, pace: Pace, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = pace
        self._clock = clock
        self._left = float(pace.burst)
        self._at = clock()

    def take(self) -> float:
        """Pays for one. 0 when it may be done, else the seconds to wait; then nothing was paid."""
        now = self._clock()
        self._left = min(self._pace.burst, self._left + (now - self._at) * self._pace.per_second)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self._pace.per_second
        self._left -= 1
        return 0.0


class Buckets:
    """A bucket for each of the customers of late; who was away longest is forgotten first, his bucket being full."""

    def __init__(self, pace: Pace, *, most: int = 4096, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = pace
        self._most = most
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, key: str) -> float:
        bucket = self._buckets.pop(key, None) or Bucket(self._pace, self._clock)
        self._buckets[key] = bucket
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return bucket.take()
