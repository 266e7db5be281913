"""Stopped by the customer, closed, killed: what was not done is done later."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot import intake as module
from bot import words
from bot.errors import (
    EngineBusy,
    EngineError,
    Erased,
)
from bot.model import Event
from bot.ports import Message, Request
from storage.store import SqlStore, open_store
from tests.bot.intake.house import ME, PHOTO, YOU, Built, echo, left_behind
from tests.fakes.engine import Answered, Hang, ScriptedEngine, written


async def test_stop_keeps_what_was_shown(built: Built) -> None:
    hang = Hang(written("第一句。第二句。第三句")[:-2])
    house = built([hang, written("好的。")])
    await house.say("说吧？")
    await hang.reached.wait()
    await house.intake.stop(ME)
    (reply,) = await house.adapter.replies(1)
    assert reply.text == "第一句。第二句。"
    assert reply.source == "rule"
    assert house.engine.cancelled == house.engine.requests
    await house.say("继续？")
    await house.adapter.replies(2)
    assert house.engine.requests[1].messages[-2] == Message(role="assistant", body=(written("第一句。第二句。"),))


async def test_stop_before_the_first_sentence_is_acknowledged(built: Built) -> None:
    hang = Hang('{"action":')
    house = built([hang])
    await house.say("说吧？")
    await hang.reached.wait()
    await house.intake.stop(ME)
    assert (await house.adapter.replies(1))[0].text == words.say("zh", "answer.stopped")


async def test_stop_returns_when_the_turn_is_over(built: Built) -> None:
    hang = Hang(written("第一句。第二句")[:-2])
    house = built([hang])
    await house.say("说吧？")
    await hang.reached.wait()
    await house.intake.stop(ME)
    assert house.adapter.texts() == ["第一句。"]
    assert await house.store.events(ME) == []


@pytest.mark.parametrize("error", [EngineBusy("no room"), EngineError("failed")])
async def test_stop_counts_between_two_tries(built: Built, monkeypatch: pytest.MonkeyPatch, error: EngineError) -> None:
    monkeypatch.setattr(module, "_RETRIES", (60.0, 60.0))
    monkeypatch.setattr(module, "_BUSY", 60.0)
    asked = asyncio.Event()

    def failing(request: Request) -> EngineError:
        asked.set()
        return error

    house = built(failing)
    await house.say("说吧？")
    await asked.wait()
    await house.intake.stop(ME)
    assert house.adapter.texts() == [words.say("zh", "answer.stopped")]
    assert len(house.engine.requests) == 1


async def test_one_who_is_erased_while_he_is_answered_is_not_answered_again(built: Built) -> None:
    asked = asyncio.Event()

    def erased(request: Request) -> Answered:
        asked.set()
        raise Erased("he is gone")

    house = built(erased)
    await house.say("在吗？")
    await asked.wait()
    await house.store.erase(ME)
    await house.settled()
    assert house.adapter.sent == []
    assert house.adapter.silences[0] == ME


async def test_stop_without_an_answer_under_way_does_nothing(built: Built) -> None:
    house = built()
    await house.intake.stop(ME)
    await house.say("在吗？")
    await house.adapter.replies(1)
    await house.settled()
    await house.intake.stop(ME)
    assert len(house.adapter.sent) == 1


async def test_a_bot_that_is_closed_leaves_what_it_did_not_finish_for_the_next(built: Built) -> None:
    hang = Hang(written("没写完"))
    house = built([hang])
    await house.say("在吗？")
    await hang.reached.wait()
    await house.intake.close()
    assert house.intake._customers == {}
    assert house.adapter.sent == []
    assert [event.text for event in await house.store.events(ME)] == ["在吗？"]
    assert house.engine.cancelled == house.engine.requests
    again = built()
    await again.intake.resume()
    assert [reply.text for reply in await again.adapter.replies(1)] == ["您说「在吗？」。"]


async def test_a_restart_answers_what_was_accepted_by_another_process(built: Built, database: str) -> None:
    async with open_store(database) as other:
        first = Event(id="x1", customer=ME, at=datetime.now(UTC), text="一？")
        second = Event(id="x2", customer=YOU, at=datetime.now(UTC), text="二？")
        await other.accept([first, second])
    house = built()
    await house.intake.resume()
    replies = await house.adapter.replies(2)
    assert {(reply.customer, reply.text) for reply in replies} == {(ME, "您说「一？」。"), (YOU, "您说「二？」。")}


async def test_a_restart_sends_what_was_not_sent_before_it_answers(built: Built, store: SqlStore) -> None:
    await left_behind(store, "旧的一。", "旧的二。")
    await store.accept([Event(id="x1", customer=ME, at=datetime.now(UTC), text="新的？")])
    house = built()
    await house.intake.resume()
    assert [reply.text for reply in await house.adapter.replies(3)] == ["旧的一。", "旧的二。", "您说「新的？」。"]
    await house.settled()
    assert await store.outgoing() == []
    await house.intake.resume()
    await house.settled()
    assert len(house.adapter.sent) == 3


async def test_a_channel_that_is_switched_off_waits(built: Built, store: SqlStore) -> None:
    gone = replace(ME, channel="gone")
    await left_behind(store, "以前的。", customer=gone)
    await store.accept([Event(id="x1", customer=gone, at=datetime.now(UTC), text="在吗？")])
    house = built()
    await house.intake.resume()
    await house.settled()
    assert house.adapter.sent == []
    assert len(await store.outgoing()) == 1
    assert len(await store.events(gone)) == 1
    again = built(channels=("test", "gone"))
    await again.intake.resume()
    assert [reply.text for reply in await again.adapter.replies(2)] == ["以前的。", "您说「在吗？」。"]


async def test_who_stops_an_answer_is_answered_what_he_asked_behind_it(built: Built) -> None:
    hang = Hang(written("第一句。第二句")[:-2])
    house = built([hang, written("好的。")])
    await house.say("说吧？")
    await hang.reached.wait()
    await house.say("还有吗？")
    await house.intake.stop(ME)
    await house.settled()
    assert house.adapter.texts() == ["第一句。", "好的。"]


async def test_nothing_goes_on_looking_at_a_photo_behind_the_end(built: Built) -> None:
    engine = ScriptedEngine(echo)
    engine.warm_hangs = True
    house = built(engine=engine, merge_s=30)
    await house.say(photos=(PHOTO,))
    await engine.warming.wait()
    await house.intake.close()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
