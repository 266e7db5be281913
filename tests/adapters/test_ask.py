"""The channel behind ``ask``, between a real store and a core that does what the test says."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from adapters.ask import AskAdapter, Question, Unusable
from bot import address, server
from bot.cli.ask import _FAULTS, _by_door, _from_files, _show
from bot.errors import BotError, PhotoFault, StorageError, TryLater
from bot.model import Action, Customer, Event, Fact, Reply, Timings, Tokens, Trace
from bot.ports import Mark, Outgoing
from storage.photos import PhotoFiles
from storage.store import SqlStore

ME = Customer(channel="ask", account="local", id="me")
#: The keys that a script may rely on.
KEYS = {"reply", "photos", "source", "action", "case", "holder", "facts", "model", "timings", "tokens", "notice"}
TRACE = Trace(
    action=Action.COMPLAINT,
    facts=(Fact(id="policy:1", text="七天内可退。"),),
    model="scripted",
    timings=Timings(queue_s=0.1, image_s=0.2, first_token_s=0.3, total_s=1.23456),
    tokens=Tokens(prompt=10, reused=7, reply=3),
)


@dataclass
class Core:
    """Commits what it is given; the rest happens when the test calls for it."""

    store: SqlStore
    adapter: AskAdapter
    taken: list[Event] = field(default_factory=list)
    refusal: StorageError | None = None
    forgot: int = 0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def accept(self, events: Sequence[Event], mark: Mark | None) -> None:
        if self.refusal is not None:
            raise self.refusal
        await self.store.accept(events, mark)
        self.taken += events
        async with self._news:
            self._news.notify_all()

    async def asked(self, number: int = 1) -> list[Event]:
        """The first questions, once they were taken in."""
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(lambda: len(self.taken) >= number)
        return self.taken[:number]

    async def finish(self, *events: Event, text: str | None = None) -> list[Outgoing]:
        """Ends a turn, with a reply to its last event or in silence."""
        customer = events[-1].customer
        conversation = await self.store.conversation(customer, language="zh")
        reply = Reply(customer=customer, text=text or "", route=events[-1].route)
        outgoing = await self.store.finish(conversation, events, (), [] if text is None else [(reply, TRACE)])
        if not outgoing:
            await self.adapter.over(customer)
        return outgoing

    async def send(self, outgoing: Sequence[Outgoing]) -> None:
        for each in outgoing:
            await self.adapter.send(each)
            await self.store.sent(each.id)


async def opened(store: SqlStore, photos: PhotoFiles, *, answers: bool, max_body: int = 1000) -> AsyncIterator[Core]:
    async def forget() -> None:
        made.forgot += 1

    made = Core(store, AskAdapter(store, photos, token="open", max_body=max_body, answers=answers, forget=forget))
    task = asyncio.create_task(made.adapter.run(made.accept))
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def core(store: SqlStore, photos: PhotoFiles) -> AsyncIterator[Core]:
    async for each in opened(store, photos, answers=True):
        yield each


@pytest.fixture
async def silent(store: SqlStore, photos: PhotoFiles) -> AsyncIterator[Core]:
    """A core behind a channel whose bot is switched off."""
    async for each in opened(store, photos, answers=False):
        yield each


def question(text: str = "在吗", *photos: bytes, customer: str = "me") -> Question:
    return Question(customer=customer, text=text, photos=photos)


async def test_a_reply_comes_with_how_it_came_to_be(core: Core) -> None:
    asking = asyncio.create_task(core.adapter.ask(question()))
    [event] = await core.asked()
    assert (event.customer, event.text) == (ME, "在吗")
    await core.adapter.notice(ME, event.route, "稍等。", datetime.now(UTC), 1)
    await core.send(await core.finish(event, text="在的。"))
    assert await asking == {
        "reply": "在的。",
        "photos": [],
        "source": "model",
        "action": "complaint",
        "seen": None,
        "case": None,
        "holder": "bot",
        "mode": "answer",
        "facts": ["七天内可退。"],
        "model": "scripted",
        "timings": {"queue_s": 0.1, "image_s": 0.2, "first_token_s": 0.3, "total_s": 1.2346},
        "tokens": {"prompt": 10, "reused": 7, "reply": 3},
        "notice": "稍等。",
    }


async def test_a_bot_that_is_switched_off_is_no_person_who_speaks(silent: Core) -> None:
    asking = asyncio.create_task(silent.adapter.ask(question()))
    await silent.finish(*await silent.asked())
    answer = await asking
    assert answer.keys() >= KEYS
    assert (answer["reply"], answer["source"], answer["holder"], answer["mode"]) == ("", "rule", "bot", "off")
    assert answer["timings"] == {"queue_s": 0, "image_s": 0, "first_token_s": 0, "total_s": 0}
    assert answer["tokens"] == {"prompt": 0, "reused": 0, "reply": 0}


@pytest.mark.parametrize("holder", ["staff", "queue"])
async def test_who_holds_the_conversation_is_what_the_store_says(core: Core, holder: str) -> None:
    asking = asyncio.create_task(core.adapter.ask(question()))
    [event] = await core.asked()
    await core.store.database.write(lambda c: c.exec_driver_sql("UPDATE conversations SET holder = ?", (holder,)))
    await core.finish(event)
    answer = await asking
    assert answer.keys() >= KEYS
    assert (answer["reply"], answer["source"], answer["holder"], answer["mode"]) == ("", "staff", holder, "answer")


async def test_a_reply_is_waited_for_until_it_leaves(core: Core) -> None:
    asking = asyncio.create_task(core.adapter.ask(question()))
    outgoing = await core.finish(*await core.asked(), text="在的。")
    await core.store.history(ME)  # committed, and its sending takes a while
    assert not asking.done()
    await core.send(outgoing)
    assert (await asking)["reply"] == "在的。"


async def test_a_question_taken_in_while_another_is_being_told_waits_for_its_own_answer(
    store: SqlStore, photos: PhotoFiles
) -> None:
    """What is read of the store may be older than the newest question."""
    read, go = asyncio.Event(), asyncio.Event()

    class Late(SqlStore):
        async def events(self, customer: Customer) -> list[Event]:
            found = await super().events(customer)
            read.set()
            await go.wait()
            return found

    async for core in opened(Late(store.database), photos, answers=True):
        first = asyncio.create_task(core.adapter.ask(question("一")))
        [event] = await core.asked()
        sending = asyncio.create_task(core.send(await core.finish(event, text="一。")))
        await read.wait()
        second = asyncio.create_task(core.adapter.ask(question("二")))
        _, newer = await core.asked(2)
        await asyncio.sleep(0)
        go.set()
        await sending
        assert (await first)["reply"] == "一。"
        assert not second.done()
        await core.send(await core.finish(newer, text="二。"))
        assert (await second)["reply"] == "二。"


async def test_who_waits_asks_the_store_nothing(store: SqlStore, photos: PhotoFiles) -> None:
    """Every waiting customer's question would cost the whole house a read, again and again."""
    reads: list[str] = []

    class Listening(SqlStore):
        async def events(self, customer: Customer) -> list[Event]:
            reads.append("events")
            return await super().events(customer)

        async def outgoing(self) -> list[Outgoing]:
            reads.append("outgoing")
            return await super().outgoing()

    async for core in opened(Listening(store.database), photos, answers=True):
        asking = asyncio.create_task(core.adapter.ask(question()))
        [event] = await core.asked()
        await asyncio.wait({asking}, timeout=1)
        assert reads == []
        await core.send(await core.finish(event, text="在的。"))
        assert (await asking)["reply"] == "在的。"
    assert reads == ["events"]


async def test_silence_ends_what_its_turn_had_and_leaves_the_next_question_alone(core: Core) -> None:
    first = asyncio.create_task(core.adapter.ask(question("一")))
    [one] = await core.asked()
    second = asyncio.create_task(core.adapter.ask(question("二")))
    _, two = await core.asked(2)
    await core.finish(one)
    assert (await first)["reply"] == ""
    assert not second.done()
    await core.send(await core.finish(two, text="二。"))
    assert (await second)["reply"] == "二。"


async def test_a_question_on_its_way_in_is_not_over_with_the_turn_before_it(core: Core) -> None:
    gate, accept = asyncio.Event(), core.adapter._accept
    assert accept is not None

    async def slow(events: Sequence[Event], mark: Mark | None) -> None:
        await gate.wait()
        await accept(events, mark)

    core.adapter._accept = slow
    asking = asyncio.create_task(core.adapter.ask(question()))
    while not core.adapter._waiting:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)
    await core.adapter.over(ME)
    gate.set()
    await core.send(await core.finish(*await core.asked(), text="在的。"))
    assert (await asking)["reply"] == "在的。"


async def test_a_burst_is_answered_though_who_asked_last_has_gone(core: Core) -> None:
    first = asyncio.create_task(core.adapter.ask(question("一")))
    await core.asked()
    last = asyncio.create_task(core.adapter.ask(question("二")))
    one, two = await core.asked(2)
    last.cancel()
    await asyncio.gather(last, return_exceptions=True)
    await core.send(await core.finish(one, two, text="一和二。"))
    async with asyncio.timeout(30):
        assert (await first)["reply"] == "一和二。"


async def test_a_store_that_is_away_when_a_turn_ends_is_an_error_to_who_waits(
    store: SqlStore, photos: PhotoFiles
) -> None:
    class Away(SqlStore):
        async def events(self, customer: Customer) -> list[Event]:
            raise StorageError("the disk is gone")

    async for core in opened(Away(store.database), photos, answers=True):
        asking = asyncio.create_task(core.adapter.ask(question()))
        other = asyncio.create_task(core.adapter.ask(question(customer="you")))
        mine, theirs = await core.asked(2)
        [outgoing] = await core.finish(mine, text="在的。")
        with pytest.raises(TryLater, match="the disk is gone"):
            await core.adapter.send(outgoing)
        assert not asking.done()
        await core.finish(theirs)
        with pytest.raises(StorageError, match="the disk is gone"):
            await other
        assert not asking.done()
        asking.cancel()


async def test_anothers_reply_on_its_way_does_not_keep_silence_waiting(core: Core) -> None:
    answered = asyncio.create_task(core.adapter.ask(question(customer="you")))
    [theirs] = await core.asked()
    outgoing = await core.finish(theirs, text="在的。")
    quiet = asyncio.create_task(core.adapter.ask(question()))
    _, mine = await core.asked(2)
    await core.finish(mine)
    async with asyncio.timeout(30):
        assert (await quiet)["reply"] == ""
    await core.send(outgoing)
    assert (await answered)["reply"] == "在的。"


async def test_questions_that_are_answered_together_get_the_same_reply(core: Core) -> None:
    first = asyncio.create_task(core.adapter.ask(question("一")))
    await core.asked(1)
    other = asyncio.create_task(core.adapter.ask(question("别人", customer="you")))
    await core.asked(2)
    second = asyncio.create_task(core.adapter.ask(question("二")))
    one, theirs, two = await core.asked(3)
    third = asyncio.create_task(core.adapter.ask(question("三")))
    *_, three = await core.asked(4)
    await core.send(await core.finish(one, two, text="一和二。"))
    assert [(await asking)["reply"] for asking in (first, second)] == ["一和二。"] * 2
    assert not other.done()
    assert not third.done()
    await core.send(await core.finish(theirs, text="别人的。"))
    await core.send(await core.finish(three, text="三。"))
    assert [(await asking)["reply"] for asking in (other, third)] == ["别人的。", "三。"]


async def test_who_was_erased_while_he_waited_does_not_come_back(core: Core) -> None:
    asking = asyncio.create_task(core.adapter.ask(question()))
    await core.asked()
    await core.store.erase(ME)
    await core.adapter.over(ME)
    assert (await asking)["reply"] == ""
    assert await core.store.export(ME) == {}


async def test_a_photo_is_his_who_sent_it(core: Core) -> None:
    asking = asyncio.create_task(core.adapter.ask(question("", b"a photo", b"another")))
    [event] = await core.asked()
    assert [await core.store.photo(ME, photo.sha256) for photo in event.photos] == list(event.photos)
    assert len(event.photos) == 2
    await core.finish(event)
    await asking


async def test_a_question_that_cannot_be_taken_is_an_error_and_nobody_waits(core: Core) -> None:
    with pytest.raises(Unusable) as caught:
        await core.adapter.ask(question("", b"a photo", b"too_big"))
    assert (caught.value.reason, caught.value.place) == ("too_big", 1)
    core.refusal = StorageError("the disk is full")
    with pytest.raises(StorageError):
        await core.adapter.ask(question())
    assert core.adapter._waiting == {}
    assert await core.store.events(ME) == []


# ---------------------------------------------------------------------------------------------- the door


def at_the_door(core: Core) -> httpx.AsyncClient:
    [(path, app)] = core.adapter.mounts()
    assert path == "/ask"
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://ask", headers={"authorization": "Bearer open"})


@pytest.fixture
async def door(core: Core) -> AsyncIterator[httpx.AsyncClient]:
    async with at_the_door(core) as client:
        yield client


async def test_the_door_asks_like_anybody(core: Core, door: httpx.AsyncClient) -> None:
    photo = base64.b64encode(b"a photo").decode()
    asking = asyncio.create_task(door.post("/", json={"customer": "me", "text": "在吗", "photos": [photo]}))
    [event] = await core.asked()
    assert (event.text, len(event.photos)) == ("在吗", 1)
    await core.send(await core.finish(event, text="在的。"))
    response = await asking
    assert (response.status_code, response.json()["reply"]) == (200, "在的。")


@pytest.mark.parametrize("path", ["/", "/forget"])
async def test_the_door_opens_for_the_token_only(core: Core, door: httpx.AsyncClient, path: str) -> None:
    for header in (b"Bearer shut", b"", "Bearer \u00f6pen".encode()):
        response = await door.post(path, json={}, headers={b"authorization": header})
        assert response.status_code == 403
    assert core.taken == []
    assert core.forgot == 0


async def test_the_door_has_the_model_forget(core: Core, door: httpx.AsyncClient) -> None:
    response = await door.post("/forget")
    assert (response.status_code, core.forgot) == (200, 1)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 400),
        (b"{", 400),
        (b'{"customer": "me"}', 400),
        (b'{"customer": "me", "text": "", "photos": ["?"]}', 400),
        (b'{"customer": "me", "text": "", "photos": 5}', 400),
        (b'{"customer": "me", "text": ""}', 400),
        (b'{"customer": "me", "text": " \\n", "photos": []}', 400),
        (b'{"customer": "me", "text": "", "photos": ["dG9vX2JpZw=="]}', 422),
        (bytes(1001), 413),
    ],
)
async def test_what_is_no_question_is_refused(core: Core, door: httpx.AsyncClient, body: bytes, status: int) -> None:
    async with asyncio.timeout(30):  # what is taken for a question waits for its answer
        assert (await door.post("/", content=body)).status_code == status
    assert core.taken == []


async def test_a_body_nested_too_deep_is_no_question(store: SqlStore, photos: PhotoFiles) -> None:
    async for core in opened(store, photos, answers=True, max_body=1_000_000):
        async with at_the_door(core) as client:
            response = await client.post("/", content=b"[" * 200_000)
        assert (response.status_code, response.json()) == (400, {"error": "not a question"})
        assert core.taken == []


async def test_the_door_says_which_photo_cannot_be_used_and_why(core: Core, door: httpx.AsyncClient) -> None:
    photos = [base64.b64encode(data).decode() for data in (b"a photo", b"too_many_pixels")]
    response = await door.post("/", json={"customer": "me", "text": "", "photos": photos})
    assert (response.status_code, response.json()) == (
        422,
        {"error": "as the test wanted", "reason": "too_many_pixels", "photo": 1},
    )


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("fault", get_args(PhotoFault))
async def test_the_command_names_the_file_and_the_way_out(
    core: Core, tmp_path: Path, fault: PhotoFault, running: bool
) -> None:
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.jpg"
    good.write_bytes(b"a photo")
    bad.write_bytes(fault.encode())

    async def own(customer: str, text: str, photos: list[bytes]) -> dict[str, Any]:
        return await core.adapter.ask(question(text, *photos, customer=customer))

    with address.bound("127.0.0.1", 0) as sock:
        async with server.serving(server.build(core.adapter.mounts(), dict), sock):
            by_door = _by_door({"port": sock.getsockname()[1], "token": "open"})
            with pytest.raises(BotError) as caught:
                await _from_files(by_door if running else own)("me", "", [good, bad])
    assert str(caught.value) == f"{bad}: {_FAULTS[fault].format(detail='as the test wanted')}"


def test_a_photo_that_broke_off_is_said_as_a_person_would() -> None:
    assert _FAULTS["broken"] == "the file is incomplete; take or save the picture again"
    assert _FAULTS.keys() == set(get_args(PhotoFault))


async def test_a_store_that_is_away_is_said_at_the_door(core: Core, door: httpx.AsyncClient) -> None:
    core.refusal = StorageError("the disk is full")
    response = await door.post("/", json={"customer": "me", "text": "在吗"})
    assert (response.status_code, response.json()) == (500, {"error": "the disk is full"})


# ---------------------------------------------------------------------------------------------- as it is shown


@pytest.mark.parametrize(
    ("holder", "mode", "says"),
    [
        ("staff", "answer", "a person speaks with this customer"),
        ("queue", "answer", "a person speaks with this customer"),
        ("bot", "off", 'the bot is switched off: [dialogue] mode = "off"'),
        ("bot", "answer", "there was nothing to answer"),
    ],
)
def test_silence_is_shown_with_its_reason(
    holder: str, mode: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer: dict[str, Any] = {"reply": "", "holder": holder, "mode": mode, "model": "", "notice": None}
    _show(answer)
    assert says in capsys.readouterr().out
