"""The one door: what is accepted is answered, once and in order, whatever fails and whenever the bot is stopped."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVarTuple

import pytest

from bot import intake as module
from bot import outbox as outbox_module
from bot import words
from bot.dialogue import MOST_PHOTOS, MOST_WORDS, Dialogue, Voice
from bot.errors import (
    EngineBusy,
    EngineError,
    Erased,
    PhotoError,
    StorageError,
    TooLong,
    TryLater,
    Undeliverable,
    Unknown,
)
from bot.intake import Intake, patience
from bot.model import Action, Customer, Event, EventKind, Photo, PhotoRef, Reply, Trace
from bot.outbox import Outbox
from bot.ports import Capabilities, Estimate, Mark, Message, Outgoing, Request, Said
from storage.photos import PhotoFiles
from storage.store import SqlStore, open_store
from tests.fakes.adapter import RecordingAdapter
from tests.fakes.engine import Answered, Hang, Script, ScriptedEngine, written
from tests.fakes.facts import ScriptedFacts
from tests.fakes.photos import normalise

ME = Customer(channel="test", account="shop", id="1")
YOU = Customer(channel="test", account="shop", id="2")
PHOTO = Photo(sha256="a" * 64, media_type="image/jpeg", width=100, height=100)
VOICE = Voice(
    shop="小满杂货",
    contact="hello@xiaoman.example",
    label="",
    language="zh",
    system=Message(role="system", body=("你是小满杂货的客服。",)),
    max_tokens=99,
    history_turns=20,
    notice_after_s=8,
)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between tries, without the waiting."""
    monkeypatch.setattr(module, "_RETRIES", (0.0, 0.0))
    monkeypatch.setattr(module, "_AWAY", 0.0)
    monkeypatch.setattr(module, "_BUSY", 0.0)
    monkeypatch.setattr(module, "_LONGEST", 0.0)
    monkeypatch.setattr(outbox_module, "_AWAY", 0.0)
    monkeypatch.setattr(outbox_module, "_LONGEST", 0.0)


def echo(request: Request) -> Answered:
    """Answers with the customer's last words."""
    said = [part for part in request.messages[-1].body if isinstance(part, str) and not part.startswith("顾客：")]
    return written(f"您说「{'/'.join(said)}」。")


@dataclass
class House:
    """The core with the real store; what lies outside is scripted."""

    store: SqlStore
    engine: ScriptedEngine
    adapter: RecordingAdapter
    intake: Intake
    ids: Any = field(default_factory=lambda: count(1))

    def event(self, text: str = "", customer: Customer = ME, **fields: Any) -> Event:
        number = next(self.ids)
        defaults: dict[str, Any] = {"id": f"e{number}", "at": datetime.now(UTC), "route": f"r{number}"}
        return Event(customer=customer, text=text, **(defaults | fields))

    async def accept(self, *events: Event) -> None:
        await self.intake.accept(events)

    async def say(self, text: str = "", customer: Customer = ME, **fields: Any) -> Event:
        event = self.event(text, customer, **fields)
        await self.accept(event)
        return event

    async def settled(self) -> None:
        """Until nobody is being served."""
        async with asyncio.timeout(120):
            while tasks := [place.task for place in self.intake._customers.values() if place.task]:
                await asyncio.wait(tasks)

    async def said(self, customer: Customer = ME) -> list[Said]:
        return await self.store.history(customer)

    def bodies(self) -> list[tuple[str | Photo, ...]]:
        """What each request asked, the head left out."""
        heads = [request.messages[-1].body for request in self.engine.requests]
        return [tuple(p for p in body if isinstance(p, Photo) or not p.startswith("顾客：")) for body in heads]


Built = Callable[..., House]


@pytest.fixture
async def built(store: SqlStore, tmp_path: Path) -> AsyncIterator[Built]:
    houses: list[House] = []

    def build(
        script: Script = echo,
        *,
        merge_s: float = 0.0,
        answers: bool = True,
        preview: bool = True,
        label: str = "",
        channels: Sequence[str] = ("test",),
        engine: ScriptedEngine | None = None,
        opened: bool = True,
        over: Any = None,
    ) -> House:
        used = over or store
        adapter = RecordingAdapter(preview=preview)
        adapters = dict.fromkeys(channels, adapter)
        engine = engine or ScriptedEngine(script)
        dialogue = Dialogue(engine, ScriptedFacts(), used, replace(VOICE, label=label))
        photos = PhotoFiles(store.database, tmp_path / "photos", normalise)
        intake = Intake(
            used, photos, adapters, lambda _: dialogue, Outbox(used, adapters), merge_s=merge_s, answers=answers
        )
        if opened:
            intake.open()
        houses.append(House(store, engine, adapter, intake))
        return houses[-1]

    yield build
    for house in houses:
        await house.intake.close()
        assert not house.intake._customers, "a customer's task was left behind"
        assert not house.engine.running


# ------------------------------------------------------------------------------------------------ the common path


async def test_a_message_is_answered_and_the_house_is_empty_again(built: Built) -> None:
    house = built()
    event = await house.say("多少钱？")
    (reply,) = await house.adapter.replies(1)
    assert reply == Reply(customer=ME, text="您说「多少钱？」。", route=event.route, source="model")
    await house.settled()
    assert await house.store.events(ME) == []
    assert await house.store.outgoing() == []
    assert [(said.turn.speaker, said.turn.text) for said in await house.said()] == [
        ("customer", "多少钱？"),
        ("bot", "您说「多少钱？」。"),
    ]
    assert house.adapter.previews == [(event.route, "您说「多少钱？」。")]
    (outgoing,) = house.adapter.sent
    assert outgoing.trace.model == "scripted", "how the reply came to be goes with it"
    assert outgoing.trace.steps[0][0] == "event"
    assert house.adapter.thoughts >= 1


async def test_accept_returns_when_the_events_and_the_mark_are_kept(built: Built) -> None:
    house = built(opened=False)
    mark = Mark(channel="test", account="shop", value="7")
    await house.intake.accept([house.event("你好？")], mark)
    assert await house.store.mark("test", "shop") == "7"
    assert len(await house.store.events(ME)) == 1


async def test_what_comes_before_the_model_is_there_is_answered_when_it_is(built: Built) -> None:
    house = built(opened=False)
    await house.say("你好？")
    assert house.engine.requests == []
    house.intake.open()
    assert [reply.text for reply in await house.adapter.replies(1)] == ["您说「你好？」。"]


async def test_the_same_event_twice_is_answered_once(built: Built) -> None:
    house = built()
    event = await house.say("你好？")
    await house.adapter.replies(1)
    await house.accept(event)
    await house.accept(event, event)
    await house.settled()
    assert len(house.engine.requests) == 1
    assert len(house.adapter.sent) == 1


async def test_one_customer_is_answered_in_order(built: Built) -> None:
    house = built()
    for n in range(5):
        await house.say(f"{n}？")
        await house.adapter.replies(n + 1)
    assert house.adapter.texts() == [f"您说「{n}？」。" for n in range(5)]


async def test_what_comes_while_an_answer_is_written_is_the_next_turn(built: Built) -> None:
    hang = Hang(written("第一个答案。"))
    script: list[Answered] = [hang, written("第二个答案。")]
    house = built(script)
    await house.say("一？")
    await hang.reached.wait()
    await house.say("二？")
    await house.say("三？")
    hang.go.set()
    await house.adapter.replies(2)
    assert house.adapter.texts() == ["第一个答案。", "第二个答案。"]
    assert house.bodies() == [("一？",), ("二？\n三？",)]
    assert house.engine.most_running == 1


async def test_customers_are_served_side_by_side(built: Built) -> None:
    hang = Hang(written("慢。"))
    house = built(lambda request: hang if "慢" in str(request.messages[-1].body) else echo(request))
    await house.say("慢？")
    await hang.reached.wait()
    await house.say("快？", YOU)
    (reply,) = await house.adapter.replies(1)
    assert (reply.customer, reply.text) == (YOU, "您说「快？」。")
    hang.go.set()
    await house.adapter.replies(2)


async def test_two_hundred_customers_at_once_get_each_their_own_answer(built: Built) -> None:
    house = built()
    everybody = [Customer(channel="test", account="shop", id=str(n)) for n in range(200)]
    await house.accept(*(house.event(f"我是{customer.id}号？", customer) for customer in everybody))
    replies = await house.adapter.replies(200)
    assert {reply.customer: reply.text for reply in replies} == {c: f"您说「我是{c.id}号？」。" for c in everybody}
    await house.settled()
    assert await house.store.waiting() == []


# ------------------------------------------------------------------------------------------------ bursts


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


# ------------------------------------------------------------------------------------------------ edits and recalls


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


# ------------------------------------------------------------------------------------------------ photos


async def test_a_photo_is_fetched_and_kept_before_it_is_asked_about(built: Built) -> None:
    house = built()
    house.adapter.files = {"f1": [b"a photo"]}
    await house.say("看看？", refs=(PhotoRef(ref="f1"),))
    await house.adapter.replies(1)
    ((photo, text),) = house.bodies()
    assert isinstance(photo, Photo)
    assert (photo.width, photo.height, text) == (100, 80, "看看？")
    assert await house.store.photo(ME, photo.sha256) == photo
    (said, _) = await house.said()
    assert said.turn.photos == (photo,)


@pytest.mark.parametrize("fault", ["broken", "format", "too_big", "too_many_pixels", "too_small"])
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_photo_that_cannot_be_used_gets_its_sentence(built: Built, fault: str, language: Any) -> None:
    house = built()
    house.adapter.files = {"f1": [fault.encode()]}
    await house.say(refs=(PhotoRef(ref="f1"),), language=language)
    (reply,) = await house.adapter.replies(1)
    assert (reply.text, reply.source) == (words.say(language, f"photo.{fault}"), "rule")
    assert house.engine.requests == []


async def test_the_words_beside_a_broken_photo_are_answered_too(built: Built) -> None:
    house = built()
    house.adapter.files = {"f1": [b"broken"], "f2": [b"good"], "f3": [b"broken"]}
    await house.say("看看？", refs=(PhotoRef(ref="f1"), PhotoRef(ref="f2"), PhotoRef(ref="f3")))
    (reply,) = await house.adapter.replies(1)
    assert reply.text == f"{words.say('zh', 'photo.broken')}\n您说「看看？」。"
    assert reply.source == "model"


async def test_a_photo_is_asked_for_until_the_network_is_back(built: Built) -> None:
    house = built()
    house.adapter.files = {"f1": [*[TryLater("not now", seconds=0)] * 20, b"a photo"]}
    await house.say("看看？", refs=(PhotoRef(ref="f1"),))
    await house.adapter.replies(1)
    assert len(house.bodies()[0]) == 2
    assert house.adapter.fetches == ["f1"] * 21


async def test_a_photo_that_nobody_gives_us_is_given_up_in_the_end(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FETCH_FOR", 0.0)
    house = built()
    house.adapter.files = {"f1": [TryLater("not now", seconds=0)]}
    await house.say(refs=(PhotoRef(ref="f1"),))
    assert (await house.adapter.replies(1))[0].text == words.say("zh", "photo.gone")


async def test_a_customer_erased_while_his_photo_is_fetched_does_not_come_back(built: Built) -> None:
    house = built()

    async def fetch(event: Event, ref: PhotoRef) -> bytes:
        await house.store.erase(ME)
        return b"a photo"

    house.adapter.fetch = fetch  # type: ignore[method-assign]
    await house.say("看看？", refs=(PhotoRef(ref="f1"),))
    await house.settled()
    assert house.adapter.sent == []
    assert house.adapter.silences == [ME]
    assert await house.store.customers() == []
    assert await house.store.export(ME) == await house.store.export(YOU)


async def test_a_customer_erased_while_his_photo_cannot_be_fetched_is_let_go(built: Built) -> None:
    house = built()
    tries = count()

    async def fetch(event: Event, ref: PhotoRef) -> bytes:
        if next(tries) == 3:
            await house.store.erase(ME)
        raise TryLater("not now", seconds=0)

    house.adapter.fetch = fetch  # type: ignore[method-assign]
    await house.say("看看？", refs=(PhotoRef(ref="f1"),))
    await house.settled()
    assert house.adapter.silences == [ME]
    assert await house.store.customers() == []


async def test_a_photo_that_its_adapter_refuses_gets_the_sentence_of_its_reason(built: Built) -> None:
    house = built()
    house.adapter.files = {"f1": [PhotoError("too_big", "40 MB")]}
    await house.say(refs=(PhotoRef(ref="f1"),))
    assert (await house.adapter.replies(1))[0].text == words.say("zh", "photo.too_big")
    assert house.adapter.fetches == ["f1"]


async def test_more_photos_than_the_model_reads_are_left_out_and_said(built: Built) -> None:
    house = built()
    photos = tuple(replace(PHOTO, sha256=str(n) * 64) for n in range(MOST_PHOTOS + 1))
    await house.say("看看？", photos=photos)
    (reply,) = await house.adapter.replies(1)
    assert house.bodies() == [(*photos[:MOST_PHOTOS], "看看？")]
    assert reply.text.splitlines()[0] == words.say("zh", "photo.too_many", n=MOST_PHOTOS)
    await house.say("看看？", photos=photos[:MOST_PHOTOS])
    assert (await house.adapter.replies(2))[1].text == "您说「看看？」。"


async def test_words_without_end_are_cut_and_said(built: Built) -> None:
    house = built([written("好的。"), written("好的。")])
    await house.say("字" * (MOST_WORDS + 1))
    (reply,) = await house.adapter.replies(1)
    assert house.bodies() == [("字" * MOST_WORDS,)]
    assert reply.text == f"{words.say('zh', 'answer.too_long')}\n好的。"
    await house.say("字" * MOST_WORDS)
    assert (await house.adapter.replies(2))[1].text == "好的。"


# ------------------------------------------------------------------------------------------------ other kinds


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("kind", ["voice", "video", "file", "sticker", "location", "other", "dice"])
async def test_every_kind_of_message_gets_a_sentence_in_the_customers_language(
    built: Built, kind: str, language: Any
) -> None:
    house = built()
    await house.say(attachment=kind, language=language)
    (reply,) = await house.adapter.replies(1)
    assert reply.text == words.say(language, f"unsupported.{'other' if kind == 'dice' else kind}")
    assert reply.source == "rule"


async def test_the_same_sentence_is_said_once_in_a_turn(built: Built) -> None:
    house = built(merge_s=30)
    await house.accept(house.event(attachment="voice"), house.event(attachment="voice"), house.event("在吗？"))
    (reply,) = await house.adapter.replies(1)
    assert reply.text == f"{words.say('zh', 'unsupported.voice')}\n您说「在吗？」。"


@pytest.mark.parametrize("kind", [EventKind.ENTERED, EventKind.COMMAND])
async def test_who_opens_the_chat_is_greeted_without_the_model(built: Built, kind: EventKind) -> None:
    house = built()
    await house.say("/start" if kind is EventKind.COMMAND else "", kind=kind)
    (reply,) = await house.adapter.replies(1)
    assert reply.text == words.say("zh", "answer.greeting", shop=VOICE.shop)
    assert house.engine.requests == []


@pytest.mark.parametrize("kind", [EventKind.MESSAGE, EventKind.EDITED, EventKind.COMMAND, EventKind.CHOICE])
async def test_a_photo_is_asked_about_whatever_its_words_are(built: Built, kind: EventKind) -> None:
    house = built([written("红色的。")])
    await house.say("/price", kind=kind, photos=(PHOTO,))
    (reply,) = await house.adapter.replies(1)
    assert reply.text == "红色的。"
    (body,) = house.bodies()
    assert body[0] == PHOTO
    assert body[1:] == (() if kind is EventKind.COMMAND else ("/price",))


@pytest.mark.parametrize("kind", [EventKind.SEND_FAILED, EventKind.STAFF_SPOKE])
async def test_what_is_no_customers_word_is_done_in_silence(built: Built, kind: EventKind) -> None:
    house = built()
    await house.say("x", kind=kind)
    await house.settled()
    assert house.engine.requests == []
    assert house.adapter.sent == []
    assert house.adapter.silences == [ME]
    assert await house.store.events(ME) == []


async def test_a_choice_is_answered_like_words(built: Built) -> None:
    house = built()
    await house.say("红色", kind=EventKind.CHOICE)
    assert (await house.adapter.replies(1))[0].text == "您说「红色」。"


async def test_the_language_is_that_of_the_words_then_the_platforms_then_the_conversations(built: Built) -> None:
    house = built(lambda request: written("", Action.PERSON))
    english, chinese = (words.say(language, "answer.person", contact=VOICE.contact) for language in ("en", "zh"))
    expected = []
    for text, hint, said in [
        ("human please?", None, english),
        ("??", None, english),
        ("人工？", None, chinese),
        ("??", "zh", chinese),
        ("help me?", "zh", english),
    ]:
        await house.say(text, language=hint)
        expected.append(said)
        await house.adapter.replies(len(expected))
    assert house.adapter.texts() == expected
    assert (await house.store.conversation(ME, language="zh")).language == "en", "as it began"


async def test_the_label_is_put_where_the_channel_does_not_show_it(built: Built) -> None:
    house = built(label="AI 客服")
    await house.say("你好？")
    assert (await house.adapter.replies(1))[0].text == "【AI 客服】您说「你好？」。"
    assert house.adapter.previews[-1][1] == "【AI 客服】您说「你好？」。"
    house.adapter.capabilities = Capabilities(preview=True, shows_label=True)
    await house.say("再见？")
    assert (await house.adapter.replies(2))[1].text == "您说「再见？」。"
    assert house.adapter.previews[-1][1] == "您说「再见？」。"


async def test_a_channel_without_previews_gets_none(built: Built) -> None:
    house = built(preview=False)
    await house.say("你好？")
    await house.adapter.replies(1)
    assert house.adapter.previews == []


async def test_a_slow_answer_is_announced_on_the_channel(built: Built) -> None:
    house = built(engine=ScriptedEngine(echo, estimate=Estimate(first_s=20, whole_s=42, ahead=1)))
    before = datetime.now(UTC)
    event = await house.say("你好？")
    await house.adapter.replies(1)
    ((route, text, until, ahead),) = house.adapter.notices
    assert route == event.route
    assert text == words.say("zh", "notice.words_queue", seconds=" 50 秒", ahead=1)
    assert until >= before + timedelta(seconds=42)
    assert ahead == 1


# ------------------------------------------------------------------------------------------------ who answers


async def test_the_bot_is_silent_when_it_is_switched_off(built: Built) -> None:
    house = built(answers=False)
    await house.say("你好？")
    await house.settled()
    assert house.engine.requests == []
    assert house.adapter.sent == []
    assert await house.store.events(ME) == []
    assert [said.turn.text for said in await house.said()] == ["你好？"]


async def test_the_bot_is_silent_while_a_person_holds_the_conversation(built: Built, store: SqlStore) -> None:
    held = Held(store)
    house = built(over=held)
    await house.say("你好？")
    await house.settled()
    assert house.engine.requests == []
    assert house.adapter.sent == []
    assert await store.events(ME) == []


# ------------------------------------------------------------------------------------------------ what fails


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


class Flaky:
    """A store that is away for so many calls of a method."""

    def __init__(self, store: SqlStore, method: str, times: int) -> None:
        self._store = store
        self._method = method
        self.times = times

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            return getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.times:
                self.times -= 1
                raise StorageError("the disk is full")
            return await getattr(self._store, name)(*args, **kwargs)

        return call


class Held:
    """A store in which a person holds every conversation."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def conversation(self, customer: Customer, *, language: Any) -> Any:
        return replace(await self._store.conversation(customer, language=language), holder="staff")


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


# ------------------------------------------------------------------------------------------------ stopping


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


async def left_behind(store: SqlStore, *texts: str, customer: Customer = ME) -> list[Outgoing]:
    """Replies that were committed and not sent."""
    conversation = await store.begin(customer, language="zh")
    replies = [(Reply(customer=customer, text=text), Trace()) for text in texts]
    return await store.finish(conversation, [], [], replies)


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


# ------------------------------------------------------------------------------------------------ sending


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
