"""Replies go out in order and once, whatever the platform says."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any

import pytest

from bot.errors import (
    TryLater,
    Undeliverable,
    Unknown,
)
from bot.outbox import Outbox
from bot.ports import Outgoing
from storage.store import SqlStore, open_store
from tests.bot.intake.house import ME, Built, Flaky, left_behind
from tests.fakes.adapter import RecordingAdapter
from tests.fakes.loop import Hurried


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


class Erasing(RecordingAdapter):
    """Asks to wait once, and while it does its customer is erased."""

    def __init__(self, store: SqlStore) -> None:
        super().__init__()
        self._store = store
        self.refusals = [TryLater("flood", seconds=0)]

    async def send(self, outgoing: Outgoing) -> None:
        await self._store.erase(outgoing.reply.customer)
        await super().send(outgoing)


@pytest.mark.parametrize("replies", [1, 2])
async def test_a_reply_that_waits_goes_with_its_erased_customer(
    store: SqlStore, caplog: pytest.LogCaptureFixture, replies: int
) -> None:
    adapter = Erasing(store)
    outgoing = await left_behind(store, *["您的尺码是M。"] * replies)
    with caplog.at_level(logging.INFO):
        await Outbox(store, {"test": adapter}).send(outgoing)
    assert adapter.sent == []
    assert f"reply {outgoing[-1].id} is not sent" in caplog.text
    assert "尺码" not in caplog.text


async def test_what_an_earlier_run_left_behind_goes_with_its_erased_customer(built: Built, store: SqlStore) -> None:
    house = built(opened=False)
    await left_behind(store, "旧的一。", "旧的二。")
    sent = house.adapter.send

    async def send(outgoing: Outgoing) -> None:
        await sent(outgoing)
        await store.erase(ME)

    house.adapter.send = send  # type: ignore[method-assign]
    await house.intake.resume()
    house.intake.open()
    await house.settled()
    assert house.adapter.texts() == ["旧的一。"]


async def test_a_reply_is_held_back_while_nobody_can_say_whether_it_is_still_to_be_sent(store: SqlStore) -> None:
    adapter = RecordingAdapter()
    adapter.refusals = [TryLater("flood", seconds=0)]
    flaky: Any = Flaky(store, "unsent", 2)
    await Outbox(flaky, {"test": adapter}).send(await left_behind(store, "好的。"))
    assert adapter.texts() == ["好的。"]
    assert flaky.times == 0
    assert await store.outgoing() == []
