"""Photos on their way in: what they may hold of the memory together, and who makes way when it is too much.

Who has a place is not who came first but who gets on: tokens cost nothing, and a line that brings a byte now and then
must keep nobody else's photo out.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

#: Bytes that count as getting on, and the seconds that they may take: 6 kB/s, where 3 MB would take eight minutes.
_STRIDE = 65_536
_STRIDE_S = 10.0
#: Seconds for one photo to arrive over a poor line.
_WHOLE_S = 180.0
#: Seconds until a page is asked to try again what there was no room for.
_AGAIN = 2.0


class Refused(Exception):
    """A photo that is not taken in: the status and word for the page, and the seconds until it may try again."""

    def __init__(self, status: int, reason: str, retry: float = 0.0) -> None:
        super().__init__(reason)
        self.status, self.reason, self.retry = status, reason, retry


@dataclass(slots=True, eq=False)
class _Body:
    customer: str
    data: bytearray = field(default_factory=bytearray)
    #: Bytes that it counts for, until its photo is kept.
    held: int = 0


class Uploads:
    def __init__(
        self, *, largest: int, memory: int, all_bodies: int, own_bodies: int, stride_s: float = _STRIDE_S
    ) -> None:
        """``largest``: bytes of one photo. ``memory``: of all together, at least as many."""
        self._largest = largest
        self._memory = memory
        self._all_bodies = all_bodies
        self._own_bodies = own_bodies
        self._stride_s = stride_s
        self._bodies: set[_Body] = set()
        #: Those that have not arrived whole; who last got on stands last.
        self._arriving: OrderedDict[_Body, asyncio.Timeout] = OrderedDict()

    @asynccontextmanager
    async def body(self, customer: str, announced: int, pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """The bytes of one photo, which count until the context is left. Raises :class:`Refused`."""
        if announced > self._largest:
            raise Refused(413, "too_big")
        if sum(body.customer == customer for body in self._bodies) >= self._own_bodies:
            raise Refused(503, "pace", _AGAIN)
        if len(self._bodies) >= self._all_bodies and not self._make_way():
            raise Refused(503, "pace", _AGAIN)
        body = _Body(customer)
        self._bodies.add(body)
        try:
            await self._read(body, pieces)
            yield bytes(body.data)
        finally:
            self._drop(body)

    async def _read(self, body: _Body, pieces: AsyncIterable[bytes]) -> None:
        clock, strides = asyncio.get_running_loop().time, 0
        try:
            async with asyncio.timeout(_WHOLE_S), asyncio.timeout(self._stride_s) as limit:
                self._arriving[body] = limit
                async for piece in pieces:
                    self._add(body, piece)
                    if len(body.data) // _STRIDE > strides:
                        strides = len(body.data) // _STRIDE
                        limit.reschedule(clock() + self._stride_s)
                        self._arriving.move_to_end(body)
        except TimeoutError as exc:
            raise Refused(408, "line") from exc
        self._arriving.pop(body, None)

    def _add(self, body: _Body, piece: bytes) -> None:
        if body not in self._arriving:
            raise TimeoutError  # it made way, and was not told yet
        if len(body.data) + len(piece) > self._largest:
            raise Refused(413, "too_big")
        while sum(each.held for each in self._bodies) + len(piece) > self._memory:
            if not self._make_way(body):
                raise Refused(503, "pace", _AGAIN)
        body.data += piece
        body.held += len(piece)

    def _make_way(self, keeps: _Body | None = None) -> bool:
        """Ends the one, of those not here yet, that got on least of late; whether there was another than ``keeps``."""
        slowest = next((body for body in self._arriving if body is not keeps), None)
        if slowest is None:
            return False
        limit = self._arriving[slowest]
        if not limit.expired():
            limit.reschedule(0.0)
        self._drop(slowest)
        return True

    def close(self) -> None:
        """Ends what is still on its way; the page sends it again when somebody listens."""
        while self._make_way():
            pass

    def _drop(self, body: _Body) -> None:
        self._bodies.discard(body)
        self._arriving.pop(body, None)
