"""Photos on their way in: bounded together, and who does not get on makes way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.web.uploads import Refused, Uploads

KIB = 1024


def uploads(
    *, largest: int = 200 * KIB, memory: int = 400 * KIB, all_bodies: int = 9, own_bodies: int = 9, stride_s: float = 60
) -> Uploads:
    return Uploads(largest=largest, memory=memory, all_bodies=all_bodies, own_bodies=own_bodies, stride_s=stride_s)


class Line:
    """One customer's line: pieces go in when the test says so, and are taken out one by one."""

    def __init__(self, to: Uploads, customer: str, announced: int = 0) -> None:
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._taken = asyncio.Event()
        self.whole = asyncio.Event()
        self.kept = asyncio.Event()
        self.task = asyncio.create_task(self._bring(to, customer, announced))

    async def _bring(self, to: Uploads, customer: str, announced: int) -> int:
        async with to.body(customer, announced, self._all()) as data:
            self.whole.set()
            await self.kept.wait()
            return len(data)

    async def _all(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece
            self._pieces.task_done()

    async def send(self, size: int) -> None:
        """Returns once it was taken in."""
        self._pieces.put_nowait(bytes(size))
        await self._pieces.join()

    async def end(self) -> None:
        self._pieces.put_nowait(None)
        await self.whole.wait()

    async def refused(self) -> tuple[int, str]:
        with pytest.raises(Refused) as refusal:
            await self.task
        return refusal.value.status, refusal.value.reason

    async def done(self) -> int:
        self.kept.set()
        return await self.task


async def test_who_gets_on_least_makes_way_when_all_places_are_taken() -> None:
    to = uploads(all_bodies=2)
    slow, quick = Line(to, "slow"), Line(to, "quick")
    await slow.send(70 * KIB)
    await quick.send(70 * KIB)
    third = Line(to, "third")
    assert await slow.refused() == (408, "line")
    await third.send(10)
    await quick.end()
    await third.end()
    assert (await quick.done(), await third.done()) == (70 * KIB, 10)


async def test_who_has_sent_little_of_late_makes_way_though_he_came_last() -> None:
    to = uploads(all_bodies=2)
    quick, slow = Line(to, "quick"), Line(to, "slow")
    await quick.send(1)
    await slow.send(1)
    await quick.send(70 * KIB)
    third = Line(to, "third")
    assert await slow.refused() == (408, "line")
    for line in (quick, third):
        await line.end()
        await line.done()


async def test_a_photo_that_made_way_is_refused_though_its_rest_arrives_in_that_moment() -> None:
    """It has a hole by then: what came of it is given up."""
    to = uploads(all_bodies=1)
    first = Line(to, "first")
    await first.send(10)
    first.kept.set()
    second = Line(to, "second")  # begins before the first reads on
    for piece in (bytes(10), None):
        first._pieces.put_nowait(piece)
    assert await first.refused() == (408, "line")
    await second.end()
    assert await second.done() == 0


async def test_a_photo_that_is_here_is_kept_whoever_comes() -> None:
    to = uploads(all_bodies=1)
    first = Line(to, "first")
    await first.send(10)
    await first.end()
    assert await Line(to, "second").refused() == (503, "pace")
    assert await first.done() == 10
    after = Line(to, "after")
    await after.end()
    assert await after.done() == 0


async def test_one_customer_takes_no_more_than_his_part() -> None:
    to = uploads(own_bodies=1)
    first = Line(to, "one")
    await first.send(10)
    assert await Line(to, "one").refused() == (503, "pace")
    other = Line(to, "other")
    for line in (first, other):
        await line.end()
        await line.done()


async def test_all_together_hold_no_more_than_the_memory() -> None:
    to = uploads(largest=200 * KIB, memory=400 * KIB)
    lines = [Line(to, str(number)) for number in range(3)]
    for line in lines:
        await line.send(150 * KIB)
    assert await lines[0].refused() == (408, "line")
    for line in lines[1:]:
        await line.end()
    late = Line(to, "late")
    await late.send(100 * KIB)
    late._pieces.put_nowait(bytes(1))
    assert await late.refused() == (503, "pace"), "what is here is not given up for what comes"
    for line in lines[1:]:
        assert await line.done() == 150 * KIB


async def test_who_gets_on_has_time_again() -> None:
    to = uploads()
    line = Line(to, "one")
    await line.send(1)
    (first,) = [limit.when() for limit in to._arriving.values()]
    await asyncio.sleep(0.01)
    await line.send(70 * KIB)
    (then,) = [limit.when() for limit in to._arriving.values()]
    assert first is not None
    assert then is not None
    assert then > first
    await line.end()
    await line.done()


async def test_a_photo_over_the_cap_is_refused_announced_or_not() -> None:
    to = uploads(largest=100, memory=400)
    assert await Line(to, "announced", announced=101).refused() == (413, "too_big")
    line = Line(to, "not announced")
    await line.send(100)
    line._pieces.put_nowait(b"x")
    assert await line.refused() == (413, "too_big")


@pytest.mark.parametrize("trickles", [True, False])
async def test_a_line_that_does_not_get_on_is_ended_though_it_never_falls_silent(trickles: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"
        while trickles:
            await asyncio.sleep(0.001)
            yield b"x"
        await asyncio.Event().wait()

    with pytest.raises(Refused) as refusal:
        async with uploads(stride_s=0.05).body("one", 0, pieces()):
            pass
    assert refusal.value.status == 408


async def test_what_is_on_its_way_ends_when_the_page_does() -> None:
    to = uploads()
    lines = [Line(to, "one"), Line(to, "two")]
    for line in lines:
        await line.send(1)
    to.close()
    assert [await line.refused() for line in lines] == [(408, "line")] * 2
