"""What is sent in one go is one turn: bursts, albums, edits and recalls."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot import words
from bot.burst import patience
from bot.errors import (
    EngineBusy,
)
from bot.model import Event, EventKind, PhotoRef
from bot.ports import Estimate
from tests.bot.intake.house import ME, PHOTO, YOU, Built, until
from tests.fakes.engine import ScriptedEngine, written
from tests.fakes.voice import VOICE


def test_how_long_the_newest_event_waits_for_the_rest() -> None:
    def waits(merge: float = 1.5, **fields: Any) -> float:
        return patience([Event(id="1", customer=ME, at=datetime.now(UTC), **fields)], merge)

    assert waits(text="多少钱？") == 0.2
    assert waits(text="thanks") == 0.2
    assert waits(text="How much? ") == 0.2
    assert waits(text="多少钱", photos=(PHOTO,)) == 0.2
    assert waits(text="多少钱", refs=(PhotoRef(ref="1"),)) == 0.2
    assert waits(text="我想问") == 0.6
    assert waits(photos=(PHOTO,)) == 1.5
    assert waits(refs=(PhotoRef(ref="1"),)) == 1.5
    assert waits(text="多少钱？", album="a") == 1.5
    assert waits(kind=EventKind.EDITED, text="多少钱？") == 0.2
    for kind in (EventKind.COMMAND, EventKind.CHOICE, EventKind.ENTERED, EventKind.RECALLED):
        assert waits(kind=kind, text="x") == 0.0
    assert waits(text="多少钱？", merge=0.1) == 0.1
    assert waits(text="我想问", merge=0.1) == 0.1


async def test_a_photo_and_its_words_are_one_turn(built: Built) -> None:
    house = built(merge_s=30)
    await house.say(photos=(PHOTO,))
    event = await house.say("什么颜色？")
    (reply,) = await house.adapter.replies(1)
    assert house.bodies() == [(PHOTO, "什么颜色？")]
    assert reply.route == event.route, "the reply answers what came last"


@pytest.mark.parametrize("merge_s", [0.0, 0.3])
@pytest.mark.parametrize("behind", [{"text": "什么颜色？"}, {"refs": (PhotoRef(ref="f2"),), "album": "a"}])
async def test_what_comes_while_a_photo_is_fetched_is_of_the_same_turn(
    built: Built, merge_s: float, behind: dict[str, Any]
) -> None:
    house = built(merge_s=merge_s)
    house.adapter.files = {"f1": [b"one"], "f2": [b"two"]}
    house.adapter.held.clear()
    await house.say("哪个有货？", refs=(PhotoRef(ref="f1"),), album="a")
    await until(lambda: bool(house.adapter.fetches))
    await house.say(**behind)
    await asyncio.sleep(2 * merge_s)
    house.adapter.held.set()
    await house.settled()
    (body,) = house.bodies()
    assert len(body) == (2 if "text" in behind else 3)
    assert house.adapter.fetches == (["f1"] if "text" in behind else ["f1", "f2"])


async def test_photos_stand_before_words_whatever_came_first(built: Built) -> None:
    house = built(merge_s=30)
    await house.accept(house.event("这个"), house.event(photos=(PHOTO,)), house.event("多少钱？"))
    await house.adapter.replies(1)
    assert house.bodies() == [(PHOTO, "这个\n多少钱？")]


async def test_pieces_of_an_album_are_one_turn(built: Built) -> None:
    house = built(merge_s=2)
    photos = [replace(PHOTO, sha256=str(n) * 64) for n in range(3)]
    for photo in photos:
        await house.say("看看？" if photo is photos[0] else "", photos=(photo,), album="a")
    await house.adapter.replies(1)
    assert house.bodies() == [(*photos, "看看？")]


async def test_a_lone_photo_is_looked_at_while_its_words_are_awaited_and_gets_a_reply(built: Built) -> None:
    house = built([written("")], merge_s=0.2)
    await house.say(photos=(PHOTO,), at=datetime.now(UTC) + timedelta(minutes=1))  # a clock that is ahead counts as now
    (reply,) = await house.adapter.replies(1)
    assert reply.text == words.say("zh", "answer.photo_alone")
    assert house.engine.warmed == [(VOICE.system, (PHOTO,))]


@pytest.mark.parametrize("minutes", [-1, 1])
async def test_a_clock_that_goes_wrong_does_not_part_a_photo_from_its_words(built: Built, minutes: int) -> None:
    house = built(merge_s=30)
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    await house.say(photos=(PHOTO,), at=at)
    await house.engine.warming.wait()
    await house.say("什么颜色？", at=at)
    await house.adapter.replies(1)
    assert house.bodies() == [(PHOTO, "什么颜色？")]


async def test_an_engine_that_cannot_look_ahead_keeps_nobody_waiting(built: Built) -> None:
    house = built(merge_s=30)
    house.engine.warm_error = EngineBusy("no room")
    await house.say(photos=(PHOTO,))
    await house.engine.warming.wait()
    await house.say("什么颜色？")
    assert (await house.adapter.replies(1))[0].text == "您说「什么颜色？」。"


async def test_a_photo_that_is_looked_at_for_long_holds_up_neither_the_answer_nor_its_notice(built: Built) -> None:
    slow = Estimate(first_s=20, whole_s=40, ahead=0)
    house = built(merge_s=30, engine=ScriptedEngine([written("红色的。")], estimate=slow))
    house.engine.warm_hangs = True
    await house.say(photos=(PHOTO,))
    await house.engine.warming.wait()
    await house.say("什么颜色？")
    assert (await house.adapter.replies(1))[0].text == "红色的。"
    assert len(house.adapter.notices) == 1
    assert len(house.engine.warmed) == 1


async def test_a_customer_erased_in_the_middle_of_a_burst_is_let_go(built: Built) -> None:
    house = built(merge_s=30)
    await house.say(photos=(PHOTO,))
    await house.engine.warming.wait()
    task = house.intake._customers[ME].task
    assert task is not None
    await house.store.erase(ME)
    house.intake._wake(ME)
    await task
    assert house.adapter.sent == []
    assert house.adapter.silences == [ME]
    assert await house.store.export(ME) == await house.store.export(YOU), "nothing is begun anew for him"


async def test_an_edit_before_the_answer_takes_the_place_of_what_it_edits(built: Built) -> None:
    house = built(merge_s=30)
    first = house.event("多少前", photos=(PHOTO,))
    edit = house.event("多少钱？", kind=EventKind.EDITED, target=first.id)
    await house.accept(first, edit)
    await house.adapter.replies(1)
    assert house.bodies() == [(PHOTO, "多少钱？")]
    await house.settled()
    assert await house.store.events(ME) == []


async def test_an_edit_may_bring_another_photo(built: Built) -> None:
    house = built(merge_s=30)
    other = replace(PHOTO, sha256="b" * 64)
    first = house.event("看看", photos=(PHOTO,))
    await house.accept(first, house.event("看看？", kind=EventKind.EDITED, target=first.id, photos=(other,)))
    await house.adapter.replies(1)
    assert house.bodies() == [(other, "看看？")]


async def test_an_edit_after_the_answer_is_a_new_question(built: Built) -> None:
    house = built()
    first = await house.say("多少前？")
    await house.adapter.replies(1)
    await house.say("多少钱？", kind=EventKind.EDITED, target=first.id)
    assert [reply.text for reply in await house.adapter.replies(2)][1] == "您说「多少钱？」。"


async def test_what_was_recalled_is_not_answered(built: Built) -> None:
    house = built()
    first = house.event("骂人的话", photos=(PHOTO,), attachment="voice")
    await house.accept(first, house.event(kind=EventKind.RECALLED, target=first.id))
    await house.settled()
    assert house.engine.requests == []
    assert house.adapter.sent == []
    assert await house.store.events(ME) == []


async def test_a_photo_that_was_recalled_is_not_complained_of(built: Built) -> None:
    house = built()
    house.adapter.files = {"f1": [b"broken"]}
    first = house.event(refs=(PhotoRef(ref="f1"),))
    await house.accept(first, house.event("有货吗？"), house.event(kind=EventKind.RECALLED, target=first.id))
    (reply,) = await house.adapter.replies(1)
    await house.settled()
    assert reply.text == "您说「有货吗？」。"


@pytest.mark.parametrize(
    ("first", "then", "complains"), [(b"broken", b"a photo", False), (b"a photo", b"broken", True)]
)
async def test_an_edit_that_brings_another_photo_brings_its_faults_too(
    built: Built, first: bytes, then: bytes, complains: bool
) -> None:
    house = built(merge_s=30)
    house.adapter.files = {"f1": [first], "f2": [then]}
    said = house.event("看看", refs=(PhotoRef(ref="f1"),))
    edit = house.event("看看？", kind=EventKind.EDITED, target=said.id, refs=(PhotoRef(ref="f2"),))
    await house.accept(said, edit)
    (reply,) = await house.adapter.replies(1)
    assert (words.say("zh", "photo.broken") in reply.text) == complains


async def test_a_photo_that_could_not_be_read_is_said_though_its_words_were_edited(built: Built) -> None:
    house = built(merge_s=30)
    house.adapter.files = {"f1": [b"broken"]}
    said = house.event("看看", refs=(PhotoRef(ref="f1"),))
    await house.accept(said, house.event("看看？", kind=EventKind.EDITED, target=said.id))
    (reply,) = await house.adapter.replies(1)
    assert words.say("zh", "photo.broken") in reply.text


async def test_a_recall_leaves_the_rest_of_the_burst(built: Built) -> None:
    house = built(merge_s=30)
    first = house.event("不要的")
    await house.accept(first, house.event("要的？"), house.event(kind=EventKind.RECALLED, target=first.id))
    await house.adapter.replies(1)
    assert house.bodies() == [("要的？",)]
