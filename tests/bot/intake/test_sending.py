"""Replies go out in order and once, whatever the platform says."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

import pytest

from bot.errors import (
    TryLater,
    Undeliverable,
    Unknown,
)
from bot.outbox import Outbox
from bot.ports import Outgoing
from storage.store import SqlStore, open_store
from tests.bot.intake.house import Built, left_behind
from tests.fakes.adapter import RecordingAdapter


async def test_a_platform_that_wants_us_to_wait_is_tried_again_in_order(built: Built) -> None:
    house = built()
    house.adapter.refusals = [TryLater("flood", seconds=0), TryLater("flood", seconds=0)]
    await house.say("一？")
    await house.say("二？")
    texts = "".join(reply.text for reply in await house.adapter.replies(1))
    await house.settled()
    assert "一？" in texts
    assert await house.store.outgoing() == []


@pytest.mark.parametrize("error", [Undeliverable("blocked"), Unknown("the line was cut")])
async def test_what_never_arrives_or_may_have_is_not_sent_again(built: Built, store: SqlStore, error: Any) -> None:
    house = built()
    house.adapter.refusals = [error]
    await house.say("在吗？")
    await house.settled()
    assert house.adapter.sent == []
    assert await store.outgoing() == []
    await house.intake.resume()
    await house.settled()
    assert house.adapter.sent == []
    await house.say("还在吗？")
    assert (await house.adapter.replies(1))[0].text == "您说「还在吗？」。"


class Slow(RecordingAdapter):
    """Takes its time over a send."""

    def __init__(self) -> None:
        super().__init__()
        self.began = asyncio.Event()
        self.go = asyncio.Event()

    async def send(self, outgoing: Outgoing) -> None:
        self.began.set()
        await self.go.wait()
        await super().send(outgoing)


async def test_a_send_under_way_is_finished_and_marked_when_the_bot_stops(store: SqlStore) -> None:
    adapter = Slow()
    outbox = Outbox(store, {"test": adapter})
    (outgoing,) = await left_behind(store, "好的。")
    sending = asyncio.create_task(outbox.send([outgoing]))
    await adapter.began.wait()
    sending.cancel()
    await asyncio.sleep(0)
    adapter.go.set()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert adapter.texts() == ["好的。"]
    assert await store.outgoing() == []


_Ts = TypeVarTuple("_Ts")


class Hurried(asyncio.SelectorEventLoop):
    """Waits for nothing, and remembers for how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def call_later(
        self, delay: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self.waits.append(delay)
        return super().call_later(0, callback, *args, context=context)


def test_a_platform_that_asks_for_ever_is_tried_again_in_ten_minutes(database: str) -> None:
    loop = Hurried()

    async def sends() -> None:
        async with open_store(database) as store:
            adapter = RecordingAdapter()
            adapter.refusals = [TryLater("flood", seconds=seconds) for seconds in (1e300, math.inf, math.nan, 17.0)]
            await Outbox(store, {"test": adapter}).send(await left_behind(store, "好的。"))
            assert adapter.texts() == ["好的。"]
            assert await store.outgoing() == []

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(sends())
    assert [wait for wait in loop.waits if wait > 1] == [600, 600, 600, 17]
