"""Whatever fails – the engine, an adapter, the store –, nothing is lost and nothing is doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from bot import words
from bot.errors import (
    EngineBusy,
    EngineError,
    TooLong,
)
from bot.model import Event, EventKind, PhotoRef
from bot.ports import Estimate, Mark, Outgoing, Request
from storage.store import SqlStore
from tests.bot.intake.house import ME, Built, Flaky, left_behind
from tests.fakes.engine import Answered, Script, ScriptedEngine, written
from tests.fakes.voice import VOICE


async def test_an_engine_that_fails_is_asked_again(built: Built) -> None:
    house = built([EngineError("a"), EngineError("b"), written("好的。")])
    await house.say("在吗？")
    assert (await house.adapter.replies(1))[0].text == "好的。"
    assert len(house.engine.requests) == 3


async def test_an_engine_that_takes_nothing_more_is_waited_for_as_long_as_it_takes(built: Built) -> None:
    house = built([*[EngineBusy("full")] * 9, written("好的。")])
    await house.say("在吗？")
    assert (await house.adapter.replies(1))[0].text == "好的。"


async def test_the_notice_is_told_once_however_often_a_turn_is_tried(built: Built) -> None:
    slow = Estimate(first_s=20, whole_s=40, ahead=0)
    script: Script = [EngineError("a"), EngineBusy("b"), EngineError("c"), written("好的。")]
    house = built(engine=ScriptedEngine(script, estimate=slow))
    await house.say("在吗？")
    await house.adapter.replies(1)
    assert len(house.adapter.notices) == 1


async def test_what_does_not_fit_alone_as_it_is_is_said_to_be_too_long_and_not_tried_again(built: Built) -> None:
    house = built([TooLong("too long")])
    await house.say("在吗？")
    assert (await house.adapter.replies(1))[0].text == words.say("zh", "answer.no_room")
    assert len(house.engine.requests) == 1


async def test_a_defect_of_an_adapter_that_sends_does_not_hold_up_the_next_reply(
    built: Built, store: SqlStore, caplog: pytest.LogCaptureFixture
) -> None:
    house = built()
    house.adapter.defects = 1
    await house.say("一？")
    await house.settled()
    await house.say("二？")
    await house.settled()
    assert house.adapter.texts() == ["您说「二？」。"]
    assert await store.outgoing() == []
    assert "met a defect" in caplog.text
    assert "一？" not in caplog.text


async def test_a_defect_of_an_adapter_that_fetches_costs_the_photo_and_not_the_turn(
    built: Built, caplog: pytest.LogCaptureFixture
) -> None:
    house = built()
    await house.say("这个？", refs=(PhotoRef(ref="unheard of"),))
    (reply,) = await house.adapter.replies(1)
    assert reply.text == words.say("zh", "photo.gone") + "\n您说「这个？」。"
    assert "a photo could not be fetched" in caplog.text


async def test_a_defect_of_an_adapter_that_previews_costs_nobody_the_answer(
    built: Built, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    house = built()

    async def preview(*_: object) -> None:
        raise ZeroDivisionError

    async def over(*_: object) -> None:
        await house.say("二？")  # what comes in this moment is for the task that serves him already
        raise ZeroDivisionError

    monkeypatch.setattr(house.adapter, "preview", preview)
    monkeypatch.setattr(house.adapter, "over", over)
    await house.say("一？")
    assert [reply.text for reply in await house.adapter.replies(1)] == ["您说「一？」。"]
    await house.settled()
    await house.say("", kind=EventKind.RECALLED, target="long ago")  # ends without a reply
    assert (await house.adapter.replies(2))[1].text == "您说「二？」。"
    await house.settled()
    assert await house.store.events(ME) == []
    assert "met a defect" in caplog.text
    assert "一？" not in caplog.text


async def test_an_engine_that_goes_on_failing_is_owned_up_to(built: Built) -> None:
    house = built(lambda request: EngineError("gone"))
    await house.say("在吗？")
    (reply,) = await house.adapter.replies(1)
    assert reply.text == words.say("zh", "answer.broke", contact=VOICE.contact)
    assert reply.source == "rule"
    assert len(house.engine.requests) == 3
    await house.settled()
    assert await house.store.events(ME) == []
    (exchange,) = (await house.store.conversation(ME, language="zh")).exchanges
    assert exchange.answer is not None
    assert exchange.answer.reply == reply.text


async def test_a_defect_of_ours_is_owned_up_to_and_does_not_come_back(
    built: Built, caplog: pytest.LogCaptureFixture
) -> None:
    def defect(request: Request) -> Answered:
        raise ZeroDivisionError

    house = built(defect)
    await house.say("在吗？")
    assert (await house.adapter.replies(1))[0].text == words.say("zh", "answer.broke", contact=VOICE.contact)
    assert "a turn failed" in caplog.text
    assert "在吗" not in caplog.text
    await house.settled()
    assert await house.store.events(ME) == []


@pytest.mark.parametrize("method", ["events", "conversation", "open", "finish"])
async def test_a_store_that_comes_back_finds_the_turn_again(built: Built, store: SqlStore, method: str) -> None:
    house = built(over=Flaky(store, method, 2))
    await house.say("在吗？")
    assert (await house.adapter.replies(1))[0].text == "您说「在吗？」。"
    await house.settled()
    assert len(house.adapter.sent) == 1


async def test_an_answer_that_cannot_be_committed_is_neither_made_nor_announced_again(
    built: Built, store: SqlStore
) -> None:
    engine = ScriptedEngine([written("好的。")], estimate=Estimate(first_s=20, whole_s=40, ahead=0))
    house = built(over=Flaky(store, "finish", 10), engine=engine)
    await house.say("在吗？")
    await house.adapter.replies(1)
    assert len(engine.requests) == 1
    assert len(house.adapter.notices) == 1


async def test_a_store_that_is_away_while_old_replies_are_sent_keeps_nobody_waiting(
    built: Built, store: SqlStore
) -> None:
    await left_behind(store, "旧的。")
    await store.accept([Event(id="x1", customer=ME, at=datetime.now(UTC), text="新的？")])
    house = built(over=Flaky(store, "sent", 1))
    await house.intake.resume()
    await house.settled()
    assert house.adapter.texts() == ["旧的。", "您说「新的？」。"]
    assert await store.events(ME) == []
    assert await store.outgoing() == []


async def test_a_reply_whose_mark_fails_is_sent_once(built: Built, store: SqlStore) -> None:
    house = built(over=Flaky(store, "sent", 3))
    await house.say("你好？")
    await house.settled()
    assert house.adapter.texts() == ["您说「你好？」。"]
    assert await store.outgoing() == []


async def test_old_replies_go_out_before_the_answer_to_one_who_writes_while_the_model_loads(
    built: Built, store: SqlStore
) -> None:
    await left_behind(store, "旧的。")
    house = built(opened=False)
    await house.say("在吗？")
    await asyncio.sleep(0.05)
    await house.intake.resume()
    house.intake.open()
    await house.settled()
    assert house.adapter.texts() == ["旧的。", "您说「在吗？」。"]


async def test_old_replies_all_go_out_though_their_customer_writes_while_they_do(built: Built, store: SqlStore) -> None:
    await left_behind(store, "旧的一。", "旧的二。")
    house = built()
    sent = house.adapter.send

    async def send(outgoing: Outgoing) -> None:
        if not house.adapter.sent:
            await house.say("在吗？")
        await sent(outgoing)

    house.adapter.send = send  # type: ignore[method-assign]
    await house.intake.resume()
    await house.settled()
    assert house.adapter.texts() == ["旧的一。", "旧的二。", "您说「在吗？」。"]
    assert await store.outgoing() == []


class Held(Flaky):
    """A store whose ``accept`` commits when it is let."""

    def __init__(self, store: SqlStore) -> None:
        super().__init__(store, "accept", 0)
        self.began, self.go = asyncio.Event(), asyncio.Event()

    async def accept(self, events: Sequence[Event], mark: Mark | None = None) -> int:
        self.began.set()
        await self.go.wait()
        return await self._store.accept(events, mark)


async def test_what_is_committed_is_answered_though_whoever_brought_it_is_gone(built: Built, store: SqlStore) -> None:
    held = Held(store)
    house = built(over=held)
    bringing = asyncio.create_task(house.say("在吗？"))
    await held.began.wait()
    bringing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bringing
    held.go.set()
    assert (await house.adapter.replies(1))[0].text == "您说「在吗？」。"


async def test_what_is_committed_while_the_bot_closes_is_left_for_the_next_start(built: Built, store: SqlStore) -> None:
    held = Held(store)
    house = built(over=held)
    bringing = asyncio.create_task(house.say("在吗？"))
    await held.began.wait()
    bringing.cancel()
    closing = asyncio.create_task(house.intake.close())
    await asyncio.sleep(0)
    held.go.set()
    await closing
    assert house.intake._customers == {}
    assert house.adapter.sent == []
    assert [event.text for event in await store.events(ME)] == ["在吗？"]
