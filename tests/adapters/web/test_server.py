"""The page's server through real HTTP and real WebSockets."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from adapters.web import Pace, Rates, server
from adapters.web.customers import customer_of
from adapters.web.link import Link
from adapters.web.server import HEADERS
from bot.dialogue import Dialogue
from bot.errors import StorageError
from bot.intake import Intake
from bot.model import Event, EventKind, PhotoRef
from bot.outbox import Outbox
from bot.ports import Mark, Said
from tests.adapters.web.house import ROOT, SHOP, House, opened
from tests.fakes.engine import Hang, ScriptedEngine, written
from tests.fakes.facts import ScriptedFacts
from tests.fakes.voice import VOICE

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: An answer as a model has it while it writes: its first sentence can be shown.
HALF = written("第一句。第二句。第三句。")[:-8]
PICTURE = (ROOT / "demo/pictures/examples/tshirt.jpg").read_bytes()


class Tab:
    """The other end of the line, as the page speaks it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.token = ""

    async def send(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def next(self, *kinds: str) -> dict[str, Any]:
        """The next frame of these kinds; others are passed over."""
        async with asyncio.timeout(10):
            while True:
                frame: dict[str, Any] = json.loads(await self.socket.recv())
                if frame["type"] in kinds:
                    return frame

    async def say(self, text: str, event: str = "event-0001", **more: Any) -> None:
        await self.send(type="say", event=event, text=text, language="zh", **more)

    async def answer(self) -> dict[str, Any]:
        """The next row that is not the customer's own."""
        while True:
            frame = await self.next("said")
            for row in frame["rows"]:
                if row["speaker"] != "customer":
                    return dict(row)

    async def quiet(self) -> list[dict[str, Any]]:
        """Returns once the server has done all that was asked here, with the rows that it sent until then."""
        await self.send(type="ping")
        rows = list[dict[str, Any]]()
        while (frame := await self.next("said", "pong"))["type"] == "said":
            rows += frame["rows"]
        return rows

    async def closed(self) -> int:
        """The code that the server ends the line with."""
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.socket.recv()
        assert self.socket.close_code is not None
        return self.socket.close_code


@asynccontextmanager
async def line(house: House, origin: str | None = None) -> AsyncIterator[Tab]:
    address = house.url.replace("http", "ws") + "/ws"
    async with connect(address, origin=origin or house.url, proxy=None) as socket:  # type: ignore[arg-type]
        yield Tab(socket)


@asynccontextmanager
async def tab(house: House, token: str | None = None, **hello: Any) -> AsyncIterator[Tab]:
    """A tab that said who it is; its snapshot is in ``first``."""
    async with line(house) as new:
        await new.send(type="hello", token=token, language="zh", **hello)
        new.token = (await new.next("welcome"))["token"]
        yield new


@asynccontextmanager
async def web(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=house.url, trust_env=False) as client:
        yield client


def bearer(token: str, house: House) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "origin": house.url}


async def upload(house: House, token: str, data: bytes = PICTURE) -> httpx.Response:
    async with web(house) as client:
        return await client.post("/photos", content=data, headers=bearer(token, house))


@asynccontextmanager
async def core(house: House, engine: ScriptedEngine) -> AsyncIterator[None]:
    """The core in the clerk's place: its door, its turns, its words; only the model goes by script."""
    dialogue = Dialogue(engine, ScriptedFacts(), house.store, VOICE)
    adapters = {"web": house.adapter}
    outbox = Outbox(house.store, adapters)
    intake = Intake(house.store, house.photos, adapters, lambda _: dialogue, outbox, merge_s=0.0)
    house.adapter._desk.accept, house.adapter._desk._on_stop = intake.accept, intake.stop
    intake.open()
    try:
        yield
    finally:
        await intake.close()


# ---------------------------------------------------------------------------------------------- the document


async def test_every_answer_carries_the_strict_policy(house: House) -> None:
    async with web(house) as client:
        for path in ("/", "/shop.json", "/nothing", "/photos/abc", "/pictures/nothing.jpg"):
            response = await client.get(path)
            for name, value in HEADERS.items():
                assert response.headers[name] == value, path
    assert "unsafe" not in HEADERS["content-security-policy"]


async def test_the_document_has_nothing_inline(house: House) -> None:
    async with web(house) as client:
        text = (await client.get("/")).text
    assert "<script>" not in text
    assert "<style" not in text
    assert " onclick" not in text


async def test_a_name_of_the_shop_cannot_become_markup(tmp_path: Path) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    async with opened(tmp_path, shop=replace(SHOP, name=evil)) as house, web(house) as client:
        text = (await client.get("/")).text
    assert "<img" not in text


async def test_static_files_are_kept_for_good_and_the_document_is_asked_for_again(house: House) -> None:
    async with web(house) as client:
        page = await client.get("/")
        again = await client.get("/", headers={"if-none-match": page.headers["etag"]})
        module = page.text.split('type="module" src="')[1].split('"')[0]
        script = await client.get(f"/{module}")
    assert page.headers["cache-control"] == "no-cache"
    assert again.status_code == 304
    assert again.content == b""
    assert "immutable" in script.headers["cache-control"]
    assert script.headers["content-type"].startswith("text/javascript")


async def test_an_address_that_is_not_configured_gets_a_sentence_for_the_owner(house: House) -> None:
    async with web(house) as client:
        response = await client.get("/", headers={"host": "rebound.example:7860"})
    assert response.status_code == 421
    assert "origins" in response.text
    assert "http://rebound.example:7860" in response.text


async def test_pictures_of_the_shop_are_served_and_nothing_beside_them(house: House) -> None:
    async with web(house) as client:
        assert (await client.get("/pictures/tshirt-striped-red.jpg")).status_code == 200
        assert (await client.get("/pictures/..%2forders.csv")).status_code == 404
        assert (await client.get("/pictures/../orders.csv")).status_code == 404


async def test_the_shelf_is_for_the_demonstration_only(house: House, tmp_path: Path) -> None:
    async with web(house) as client:
        shelf = (await client.get("/shop.json")).json()["products"]
    assert len(shelf) >= 40
    assert {"name", "about", "price", "stock", "picture"} == set(shelf[0])
    async with opened(tmp_path / "public", shop=replace(SHOP, demonstration=False)) as public, web(public) as client:
        assert (await client.get("/shop.json")).status_code == 404


# ---------------------------------------------------------------------------------------------- who it is


async def test_a_page_of_another_origin_gets_no_line(house: House) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with line(house, origin="https://evil.example"):
            pass
    assert refused.value.response.status_code == 403


async def test_the_token_is_made_by_the_server_and_only_its_hash_is_kept(house: House) -> None:
    async with tab(house) as one:
        await one.say("在吗")
        await one.answer()
        token = one.token
    [customer] = [customer_of(token, "shop")]
    assert customer.id == hashlib.sha256(token.encode()).hexdigest()[:32]
    assert await house.store.history(customer)
    for file in house.folder.rglob("*"):
        if file.is_file():
            assert token.encode() not in file.read_bytes()


async def test_a_token_that_no_server_made_is_refused(house: House) -> None:
    async with line(house) as other:
        await other.send(type="hello", token="short", language="zh")
        assert await other.closed() == 1008


@pytest.mark.parametrize(
    "frame",
    [
        "no json",
        "[]",
        '{"type":"nothing"}',
        '{"type":"say","event":"event-0001","text":"x","language":"zh"}',
        '{"type":"hello","language":"fr"}',
        '{"type":"hello","language":"zh","token":"' + "x" * 40_000 + '"}',
        "[" * 30_000,
    ],
)
async def test_a_line_that_does_not_begin_with_hello_ends(house: House, frame: str) -> None:
    async with line(house) as other:
        await other.socket.send(frame)
        assert await other.closed() == 1008


async def test_a_line_that_never_says_hello_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_HELLO", 0.01)
    async with line(house) as other:
        assert await other.closed() == 1008


@pytest.mark.parametrize("frame", ["no json", '{"type":"hello","language":"zh"}', b"\x00"])
async def test_a_frame_that_no_page_sends_ends_the_line(house: House, frame: str | bytes) -> None:
    async with tab(house) as one:
        await one.socket.send(frame)
        assert await one.closed() == 1008


async def test_looking_leaves_no_row_behind(house: House) -> None:
    async with tab(house) as one:
        snapshot = await one.next("snapshot")
        await one.send(type="ping")
        await one.next("pong")
    assert (snapshot["conversation"], snapshot["rows"], snapshot["holder"]) == (0, [], "bot")
    assert (await house.store.export(customer_of(one.token, "shop"))).get("conversations", []) == []


# ---------------------------------------------------------------------------------------------- messages


async def test_a_message_is_acknowledged_when_it_is_kept_and_answered_by_a_row(house: House) -> None:
    async with tab(house) as one:
        await one.say("多少钱")
        mine = (await one.next("said"))["rows"][0]
        assert (await one.next("taken"))["event"] == "event-0001"
        row = await one.answer()
    assert (mine["speaker"], mine["event"], mine["text"]) == ("customer", "event-0001", "多少钱")
    assert row["text"] == "您说的是“多少钱”。我看看。"
    assert row["trace"]["reused"] == 739
    assert row["id"] > mine["id"]


async def test_the_same_message_sent_again_has_no_effect(house: House) -> None:
    house.gate.clear()
    async with tab(house) as one:
        for _ in range(3):
            await one.say("多少钱")
            await one.next("taken")
        house.gate.set()
        await one.answer()
        token = one.token
    async with tab(house, token) as again:
        snapshot = await again.next("snapshot")
    assert [row["speaker"] for row in snapshot["rows"]] == ["customer", "bot"]


async def test_two_customers_may_make_the_same_id(house: House) -> None:
    async with tab(house) as one, tab(house) as two:
        await one.say("我是甲")
        await two.say("我是乙")
        assert "甲" in (await one.answer())["text"]
        assert "乙" in (await two.answer())["text"]


async def test_a_reconnected_tab_gets_only_what_it_lacks(house: House) -> None:
    async with tab(house) as one:
        await one.next("snapshot")
        await one.say("第一句")
        first = await one.answer()
        token = one.token
    async with tab(house, token) as again:
        whole = await again.next("snapshot")
        await again.say("第二句", "event-0002")
        await again.answer()
    async with tab(house, token, after=first["id"], conversation=whole["conversation"]) as third:
        rest = await third.next("snapshot")
    async with tab(house, token, after=first["id"], conversation=whole["conversation"] + 1) as fourth:
        other = await fourth.next("snapshot")
    assert rest["partial"]
    assert [row["text"] for row in rest["rows"]] == ["第二句", "您说的是“第二句”。我看看。"]
    assert not other["partial"]
    assert len(other["rows"]) == 4


async def test_a_page_that_knows_more_than_the_store_is_shown_what_there_is(house: House) -> None:
    """The database was put back to an earlier copy: what comes next must not pass the page by."""
    async with tab(house) as one:
        await one.next("snapshot")
        await one.say("第一句")
        newest = await one.answer()
        token = one.token
    async with tab(house, token) as again:
        conversation = (await again.next("snapshot"))["conversation"]
    async with tab(house, token, after=newest["id"] + 100, conversation=conversation) as ahead:
        snapshot = await ahead.next("snapshot")
        await ahead.say("第二句", "event-0002")
        answer = await ahead.answer()
    assert not snapshot["partial"]
    assert len(snapshot["rows"]) == 2
    assert "第二句" in answer["text"]


async def test_a_reconnected_tab_costs_no_more_than_what_it_lacks(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tab(house) as one:
        await one.next("snapshot")
        token = one.token
    customer, now = customer_of(token, "shop"), datetime.now(UTC)
    await house.store.accept([Event(id=f"e{i}", customer=customer, at=now, text=f"第{i}句") for i in range(450)])
    async with tab(house, token) as again:
        whole = await again.next("snapshot")
    read = 0
    history = house.store.history

    async def counted(*args: Any, **kwargs: Any) -> list[Said]:
        nonlocal read
        rows = await history(*args, **kwargs)
        read += len(rows)
        return rows

    monkeypatch.setattr(house.store, "history", counted)
    async with tab(house, token, after=whole["rows"][-1]["id"], conversation=whole["conversation"]) as last:
        rest = await last.next("snapshot")
    assert (rest["partial"], rest["rows"]) == (True, [])
    assert read <= 4


async def test_a_long_conversation_is_shown_to_its_end(house: House) -> None:
    async with tab(house) as one:
        token = one.token
    customer = customer_of(token, "shop")
    now = datetime.now(UTC)
    await house.store.accept([Event(id=f"e{i}", customer=customer, at=now, text=f"第{i}句") for i in range(450)])
    async with tab(house, token) as again:
        snapshot = await again.next("snapshot")
    assert snapshot["rows"][-1]["text"] == "第449句"
    assert snapshot["rows"][0]["event"] is None  # it was not a page that made it


async def test_each_tab_of_a_customer_sees_everything_and_nobody_elses_does(house: House) -> None:
    async with tab(house) as one, tab(house, one.token) as two, tab(house) as stranger:
        await stranger.next("snapshot")
        await two.next("snapshot")
        await one.say("看得到吗")
        assert (await two.next("said"))["rows"][0]["text"] == "看得到吗"
        await two.answer()
        await stranger.send(type="ping")
        assert (await stranger.next("said", "preview", "thinking", "pong"))["type"] == "pong"


class SlowReading:
    """A store's history of which one reading, counted from now, is given out only when ``go`` is set."""

    def __init__(self, house: House, number: int) -> None:
        self._history = house.store.history
        self._left = number
        self._read, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, *args: Any, **kwargs: Any) -> list[Said]:
        rows = await self._history(*args, **kwargs)
        self._left -= 1
        if not self._left:
            self._read.set()
            await asyncio.wait_for(self.go.wait(), 10)
        return rows

    async def read(self) -> None:
        """Returns once its rows were read: what is said from here on is not among them."""
        await asyncio.wait_for(self._read.wait(), 10)


@asynccontextmanager
async def overtaken(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Tab, Tab]]:
    """Two tabs of a customer: the second joined with what it had read before «第二句» was said in the first."""
    async with tab(house) as one, line(house) as late:
        await one.say("第一句")
        await one.answer()
        await one.quiet()
        reading = SlowReading(house, 2)  # the first asks whether there is anything
        monkeypatch.setattr(house.store, "history", reading)
        await late.send(type="hello", token=one.token, language="zh")
        await reading.read()
        await one.say("第二句", "event-0002")
        await one.answer()
        await one.quiet()
        reading.go.set()
        yield one, late


async def test_what_was_said_while_a_tab_joined_is_brought_to_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async with overtaken(house, monkeypatch) as (_, late):
        joined = await late.next("snapshot")
        brought = await late.quiet()
    assert [row["text"] for row in joined["rows"]] == ["第一句", "您说的是“第一句”。我看看。"]
    assert [row["text"] for row in brought] == ["第二句", "您说的是“第二句”。我看看。"]


async def test_a_tab_is_not_sent_again_what_another_lacks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async with overtaken(house, monkeypatch) as (one, late):
        await late.quiet()
        again = await one.quiet()
    assert again == []


async def test_an_answer_on_its_way_is_shown_to_a_tab_that_joins_late(house: House) -> None:
    house.gate.clear()
    async with tab(house) as one:
        await one.say("慢一点")
        await one.next("notice")
        async with tab(house, one.token) as late:
            snapshot = await late.next("snapshot")
        kinds = [frame["type"] for frame in snapshot["live"]]
        notice = snapshot["live"][1]
        assert kinds == ["thinking", "notice"]
        assert 15 < notice["left"] <= notice["total"] <= 20
        assert notice["ahead"] == 2
        house.gate.set()
        await one.answer()
        async with tab(house, one.token) as later:
            assert (await later.next("snapshot"))["live"] == []


async def test_a_preview_replaces_the_notice_for_those_who_join(house: House) -> None:
    async with tab(house) as one:
        await one.say("在吗")
        await one.answer()
        customer = customer_of(one.token, "shop")
        await house.adapter.thinking(customer, "")
        await house.adapter.notice(customer, "", "请等等", datetime.now(UTC), 0)
        await house.adapter.preview(customer, "", "有的。")
        async with tab(house, one.token) as late:
            live = (await late.next("snapshot"))["live"]
    assert [frame["type"] for frame in live] == ["thinking", "preview"]
    assert live[1]["text"] == "有的。"


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ({"text": "长" * 4001}, "long"),
        ({"text": "  \u0000 "}, "empty"),
        ({"text": "x", "photos": [f"{i:064x}" for i in range(5)]}, "many"),
        ({"text": "x", "photos": ["0" * 64]}, "photo"),
    ],
)
async def test_a_message_that_cannot_be_taken_is_refused_with_its_reason(
    house: House, frame: dict[str, Any], reason: str
) -> None:
    async with tab(house) as one:
        await one.send(type="say", event="event-0001", language="zh", **frame)
        refused = await one.next("refused", "taken")
    assert refused == {"type": "refused", "event": "event-0001", "reason": reason, "seconds": 0.0}


async def test_what_a_database_cannot_keep_is_left_out(house: House) -> None:
    async with tab(house) as one:
        await one.socket.send('{"type":"say","event":"event-0001","text":"半\\u0000个\\ud83d","language":"zh"}')
        [row] = (await one.next("said"))["rows"]
    assert row["text"] == "半个?"


async def test_four_thousand_characters_are_taken(house: House) -> None:
    async with tab(house) as one:
        await one.say("字" * 4000)
        assert (await one.next("taken", "refused"))["type"] == "taken"


async def test_who_sends_too_fast_is_asked_to_wait(tmp_path: Path) -> None:
    slow = Rates(messages=Pace(burst=2, per_second=0.01))
    async with opened(tmp_path, rates=slow) as house, tab(house) as one:
        for i in range(3):
            await one.say("在吗", f"event-000{i}")
        frames = [await one.next("taken", "refused") for _ in range(3)]
    assert [frame["type"] for frame in frames] == ["taken", "taken", "refused"]
    assert frames[2]["reason"] == "pace"
    assert 0 < frames[2]["seconds"] <= 100


async def test_a_flood_of_frames_ends_the_line(tmp_path: Path) -> None:
    few = Rates(frames=Pace(burst=3, per_second=0.001))
    async with opened(tmp_path, rates=few) as house, tab(house) as one:
        for _ in range(5):
            await one.send(type="ping")
        assert await one.closed() == 1008


async def test_a_choice_comes_back_as_an_event_of_its_kind(house: House) -> None:
    async with tab(house) as one:
        await one.say("选一个")
        row = await one.answer()
        assert row["choices"] == [{"id": "swap", "label": "换一件"}, {"id": "refund", "label": "退款"}]
        house.gate.clear()
        await one.send(type="choose", event="event-0002", choice="swap", language="zh")
        await one.next("taken")
        [event] = await house.store.events(customer_of(one.token, "shop"))
        house.gate.set()
        await one.answer()
    assert (event.kind, event.text) == (EventKind.CHOICE, "swap")


@pytest.mark.parametrize("choice", ["", "  \u0000 "])
async def test_an_empty_choice_is_refused_with_its_reason(house: House, choice: str) -> None:
    async with tab(house) as one:
        await one.send(type="choose", event="event-0001", choice=choice, language="zh")
        refused = await one.next("refused", "taken")
    assert refused == {"type": "refused", "event": "event-0001", "reason": "empty", "seconds": 0.0}


async def test_choosing_too_fast_is_refused_too(tmp_path: Path) -> None:
    none = Rates(messages=Pace(burst=1, per_second=0.001))
    async with opened(tmp_path, rates=none) as house, tab(house) as one:
        for i in range(2):
            await one.send(type="choose", event=f"event-000{i}", choice="swap", language="zh")
        assert (await one.next("taken", "refused"))["type"] == "taken"
        assert (await one.next("taken", "refused"))["reason"] == "pace"


async def test_offers_carry_the_data_of_the_shop(house: House) -> None:
    async with tab(house) as one:
        await one.say("货呢")
        [first, second] = (await one.answer())["offers"]
    assert first["price"] == "89"
    assert first["picture"] == "pictures/tshirt-striped-red.jpg"
    assert second["stock"] == 0


async def test_a_public_page_is_not_told_how_an_answer_came_to_be(tmp_path: Path) -> None:
    async with opened(tmp_path, shop=replace(SHOP, demonstration=False)) as house, tab(house) as one:
        await one.say("在吗")
        assert "trace" not in await one.answer()


async def test_stop_ends_the_answer_and_says_so(house: House) -> None:
    house.gate.clear()
    async with tab(house) as one:
        await one.say("在吗")
        await one.next("thinking")
        await one.send(type="stop")
        await one.next("stopped")
        async with tab(house, one.token) as late:
            assert (await late.next("snapshot"))["live"] == []
    assert house.stopped == [customer_of(one.token, "shop")]


async def test_a_new_conversation_is_empty_in_every_tab(house: House) -> None:
    async with tab(house) as one, tab(house, one.token) as two:
        first = await one.next("snapshot")
        await one.say("旧的")
        await one.answer()
        await two.next("snapshot")
        await one.send(type="new", language="en")
        snapshots = [await each.next("snapshot") for each in (one, two)]
        await one.say("新的", "event-0002")
        assert "新的" in (await one.answer())["text"]
    assert first["conversation"] == 0
    assert [snapshot["rows"] for snapshot in snapshots] == [[], []]


async def test_what_was_said_while_a_conversation_was_begun_is_shown_in_every_tab(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tab(house) as one, tab(house, one.token) as two:
        await one.say("旧的")
        await one.answer()
        for each in (one, two):
            await each.quiet()
        house.gate.clear()
        reading = SlowReading(house, 1)
        monkeypatch.setattr(house.store, "history", reading)
        await one.send(type="new", language="zh")
        await reading.read()
        await two.say("新的", "event-0002")
        await two.next("taken")
        reading.go.set()
        empty = [(await each.next("snapshot"))["rows"] for each in (one, two)]
        brought = [[row["text"] for row in await each.quiet()] for each in (one, two)]
    assert empty == [[], []]
    assert brought == [["新的"], ["新的"]]


async def test_a_new_conversation_begins_behind_the_answer_on_its_way(house: House) -> None:
    """With the core itself: what was said of the answer stays where it was asked, and nothing of it comes after."""
    written_so_far = Hang(HALF)
    engine = ScriptedEngine([written_so_far, written("新的回答。")])
    async with core(house, engine), tab(house) as one, tab(house, one.token) as two:
        for each in (one, two):
            await each.next("snapshot")
        await one.say("有破损吗？")
        await one.next("preview")
        await written_so_far.reached.wait()
        await one.send(type="new", language="zh")
        ended = await one.answer()
        assert ended["text"].startswith("第一句。")
        begun = await one.next("snapshot", "said", "preview", "thinking", "notice")
        assert (begun["type"], begun["rows"], begun["live"]) == ("snapshot", [], [])
        await two.next("snapshot")
        written_so_far.go.set()
        # A late word of it, as a slow engine would bring: nobody has asked for it here.
        customer = customer_of(one.token, "shop")
        await house.adapter.preview(customer, "", "第一句。第二句。")
        await house.adapter.notice(customer, "", "请等等", datetime.now(UTC), 0)
        await one.send(type="ping")
        assert (await one.next("said", "preview", "thinking", "notice", "pong"))["type"] == "pong"
        async with tab(house, one.token) as late:
            assert (await late.next("snapshot"))["live"] == []
        await one.say("在吗？", "event-0002")
        rows = [await each.answer() for each in (one, two)]
    assert [row["text"] for row in rows] == ["新的回答。"] * 2
    assert engine.cancelled == engine.requests[:1]
    assert [said.turn.text for said in await house.store.history(customer)] == ["在吗？", "新的回答。"]


async def test_an_answer_that_ends_without_a_reply_is_no_longer_waited_for(house: House) -> None:
    hanging = Hang(HALF)
    async with core(house, ScriptedEngine([hanging])), tab(house) as one:
        await one.say("有破损吗？")
        await one.next("preview")
        await house.store.erase(customer_of(one.token, "shop"))
        hanging.go.set()
        await one.next("stopped")
        async with tab(house, one.token) as late:
            snapshot = await late.next("snapshot")
    assert (snapshot["rows"], snapshot["live"]) == ([], [])


async def test_a_model_that_looks_for_long_holds_up_nothing_that_is_said(house: House) -> None:
    house.looking.clear()
    async with tab(house) as one:
        photo = (await upload(house, one.token)).json()["sha256"]
        await one.send(type="typing", photos=[photo])
        await one.say("在吗")
        await one.next("taken")
        await one.answer()
        await one.send(type="ping")
        await one.next("pong")
        await one.send(type="stop")
        await one.next("stopped")
        await house.told(1)
    assert house.looked == []


async def test_while_photos_are_looked_at_they_are_not_asked_for_again_and_others_take_their_place(
    house: House,
) -> None:
    house.looking.clear()
    async with tab(house) as one:
        photo = (await upload(house, one.token)).json()["sha256"]
        for photos in ([photo], [photo], []):
            await one.send(type="typing", photos=photos)
            await one.send(type="ping")
            await one.next("pong")
            await house.told(1 if photos else 2)
        house.looking.set()
        await house.seen(1)
    assert [[shown.sha256 for shown in shown_photos] for shown_photos in house.warmed] == [[photo], []]
    assert house.looked == [()]  # the first look was given up for the second


async def test_looking_ends_with_the_channel(house: House) -> None:
    house.looking.clear()
    async with tab(house) as one:
        await one.send(type="typing", photos=[])
        await house.told(1)
        await house.adapter.close()
    house.looking.set()
    await asyncio.sleep(0)
    assert house.looked == []


async def test_a_look_that_fails_is_logged_and_the_tab_stays(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.blind = True
    with caplog.at_level(logging.INFO):
        async with tab(house) as one:
            await one.send(type="typing", photos=[])
            await house.told(1)
            await one.send(type="ping")
            await one.next("pong")
            await one.say("在吗")
            await one.next("taken")
    assert "were not looked at before their words: blind" in caplog.text


# ---------------------------------------------------------------------------------------------- photos


async def test_a_photo_goes_up_goes_with_a_message_and_comes_back_to_its_owner(house: House) -> None:
    async with tab(house) as one, web(house) as client:
        response = await upload(house, one.token)
        photo = response.json()
        assert response.status_code == 201
        await one.send(type="typing", photos=[photo["sha256"], "0" * 64])
        await house.told(1)
        await one.say("", photos=[photo["sha256"]])
        [row] = (await one.next("said"))["rows"]
        await one.answer()
        mine = await client.get(f"/photos/{photo['sha256']}", headers=bearer(one.token, house))
    assert row["photos"] == [photo]
    assert [[shown.sha256 for shown in shown_photos] for shown_photos in house.warmed] == [[photo["sha256"]]]
    assert mine.headers["content-type"] == "image/jpeg"
    assert "private" in mine.headers["cache-control"]


async def test_nobody_else_sees_or_sends_a_photo(house: House) -> None:
    async with tab(house) as one, tab(house) as two, web(house) as client:
        sha256 = (await upload(house, one.token)).json()["sha256"]
        theirs = await client.get(f"/photos/{sha256}", headers=bearer(two.token, house))
        nobody = await client.get(f"/photos/{sha256}")
        await two.say("这张", photos=[sha256])
        refused = await two.next("refused", "taken")
    assert (theirs.status_code, nobody.status_code) == (404, 401)
    assert refused["reason"] == "photo"


async def test_a_photo_that_was_lost_is_asked_for_again(house: House) -> None:
    async with tab(house) as one, web(house) as client:
        sha256 = (await upload(house, one.token)).json()["sha256"]
        next((house.folder / "photos").rglob("*.jpg")).unlink()
        await one.say("这张", photos=[sha256])
        refused = await one.next("refused", "taken")
        gone = await client.get(f"/photos/{sha256}", headers=bearer(one.token, house))
    assert refused["reason"] == "photo"
    assert gone.status_code == 404


async def test_a_photo_that_staff_sent_is_shown_to_whom_it_was_sent(house: House) -> None:
    async with tab(house) as staff, tab(house) as one, web(house) as client:
        sha256 = (await upload(house, staff.token)).json()["sha256"]
        photo = await house.photos.add(customer_of(staff.token, "shop"), PICTURE)
        customer = customer_of(one.token, "shop")
        await house.store.accept(
            [
                Event(
                    id="s1",
                    customer=customer,
                    at=datetime.now(UTC),
                    kind=EventKind.STAFF_SPOKE,
                    text="看",
                    photos=(photo,),
                )
            ]
        )
        shown = await client.get(f"/photos/{sha256}", headers=bearer(one.token, house))
    assert shown.status_code == 200


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [(PICTURE[:900], 422, "broken"), (b"GIF89a", 422, None), (b"plain words", 422, "format"), (b"", 422, None)],
)
async def test_a_picture_that_cannot_be_used_says_why(
    house: House, data: bytes, status: int, reason: str | None
) -> None:
    async with tab(house) as one:
        response = await upload(house, one.token, data)
    assert response.status_code == status
    assert reason in (None, response.json()["reason"])


async def test_a_body_over_its_cap_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async with opened(tmp_path, max_upload_bytes=100_000) as house, tab(house) as one:
        announced = await upload(house, one.token, bytes(100_001))

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield bytes(10_000)

        async with web(house) as client:
            streamed = await client.post("/photos", content=pieces(), headers=bearer(one.token, house))
        most = await upload(house, one.token, bytes(100_000))
    assert announced.status_code == streamed.status_code == 413
    assert announced.json() == {"reason": "too_big"}
    assert most.status_code == 422


async def test_a_photo_needs_the_pages_origin_and_a_token(house: House) -> None:
    async with tab(house) as one, web(house) as client:
        good = bearer(one.token, house)
        for headers, status in (
            ({**good, "origin": "https://evil.example"}, 403),
            ({"authorization": good["authorization"]}, 403),
            ({"origin": house.url}, 401),
            ({"origin": house.url, "authorization": "Basic abc"}, 401),
            ({"origin": house.url, "authorization": "Bearer abc"}, 401),
        ):
            response = await client.post("/photos", content=PICTURE, headers=headers)
            assert response.status_code == status


async def test_too_many_photos_are_asked_to_wait(tmp_path: Path) -> None:
    async with opened(tmp_path, rates=Rates(photos=Pace(burst=1, per_second=0.2))) as house, tab(house) as one:
        await upload(house, one.token)
        second = await upload(house, one.token)
    assert second.status_code == 429
    assert 1 <= int(second.headers["retry-after"]) <= 5


async def trickling(house: House, number: int) -> asyncio.StreamWriter:
    """An upload under a token that nobody was given, of which one byte arrives."""
    _, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(
        f"POST /photos HTTP/1.1\r\nHost: {house.url[7:]}\r\nOrigin: {house.url}\r\n"
        f"Authorization: Bearer {number:043}\r\nContent-Length: 1000000\r\n\r\nx".encode()
    )
    await writer.drain()
    return writer


@pytest.mark.parametrize("places", [3, 64])
async def test_uploads_that_trickle_keep_nobody_elses_photo_out(tmp_path: Path, places: int) -> None:
    async with opened(tmp_path, rates=Rates(uploads=1, all_uploads=places)) as house, tab(house) as one:
        slow = [await trickling(house, number) for number in range(6)]
        bodies = house.adapter._server._uploads._bodies
        async with asyncio.timeout(10):
            while len(bodies) < min(places, 6):  # noqa: ASYNC110 - the server does not tell
                await asyncio.sleep(0.01)
        assert (await upload(house, one.token)).status_code == 201
        for writer in slow:
            writer.close()


async def test_photos_of_one_customer_side_by_side_are_limited(tmp_path: Path) -> None:
    async with opened(tmp_path, rates=Rates(own_uploads=1)) as house, tab(house) as one:
        reading = asyncio.Event()
        go_on = asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield PICTURE[:1000]
            reading.set()
            await go_on.wait()
            yield PICTURE[1000:]

        async with web(house) as client:
            first = asyncio.create_task(client.post("/photos", content=slowly(), headers=bearer(one.token, house)))
            await reading.wait()
            second = await upload(house, one.token)
            while second.status_code != 503:  # the first has not arrived at the door yet
                second = await upload(house, one.token)
            go_on.set()
            assert (await first).status_code == 201
        assert (await upload(house, one.token)).status_code == 201


def spoil(house: House, table: str) -> None:
    """From here on the database refuses all that needs this table."""
    with contextlib.closing(sqlite3.connect(house.folder / "bot.db")) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO {table}_gone")


def told_once(caplog: pytest.LogCaptureFixture) -> str:
    """The one line about it; a trace helps no owner."""
    [record] = [record for record in caplog.records if record.name.startswith(("adapters", "uvicorn"))]
    assert (record.name, record.levelname, record.exc_info) == ("adapters.web.server", "ERROR", None)
    return record.getMessage()


async def test_a_photo_that_cannot_be_kept_is_asked_for_later(house: House, caplog: pytest.LogCaptureFixture) -> None:
    (house.folder / "photos").write_bytes(b"")  # where the folder should be: no photo can be written
    async with tab(house) as one:
        with caplog.at_level(logging.WARNING):
            kept = await upload(house, one.token)
        assert "the photo cannot be written" in told_once(caplog)
        (house.folder / "photos").unlink()
        again = await upload(house, one.token)
    assert (kept.status_code, kept.json(), kept.headers["retry-after"]) == (503, {"reason": "storage"}, "5")
    assert again.status_code == 201


@pytest.mark.parametrize(
    ("path", "table", "said"),
    [(f"/photos/{'0' * 64}", "photo_owners", "a photo of customer"), ("/shop.json", "products", "the shelf")],
)
async def test_what_the_store_cannot_give_is_asked_for_later(
    house: House, caplog: pytest.LogCaptureFixture, path: str, table: str, said: str
) -> None:
    async with tab(house) as one, web(house) as client:
        await one.next("snapshot")
        spoil(house, table)
        with caplog.at_level(logging.WARNING):
            response = await client.get(path, headers=bearer(one.token, house))
    assert told_once(caplog).startswith(said)
    assert (response.status_code, response.json(), response.headers["retry-after"]) == (503, {"reason": "storage"}, "5")


# ---------------------------------------------------------------------------------------------- the end


async def test_a_restart_in_mid_answer_loses_and_doubles_nothing(house: House) -> None:
    house.gate.clear()
    async with tab(house) as one:
        await one.next("snapshot")
        await one.say("写到一半")
        await one.next("taken")
        token = one.token
        await house.stop()
        assert await one.closed() == 1012
    await house.start()
    async with tab(house, token) as again:
        await again.say("写到一半")  # the page does not know that it arrived
        rows, taken = list[dict[str, Any]](), False
        while not (rows and taken):  # either may be first
            frame = await again.next("snapshot", "said", "taken")
            taken = taken or frame["type"] == "taken"
            rows += [row for row in frame.get("rows", ()) if row["speaker"] != "customer"]
    async with tab(house, token) as last:
        snapshot = await last.next("snapshot")
    assert [row["speaker"] for row in snapshot["rows"]] == ["customer", "bot"]
    assert rows == snapshot["rows"][1:]


async def test_a_page_that_takes_no_messages_yet_says_come_back(house: House) -> None:
    assert house.adapter.ready() is None
    async with tab(house) as open_tab:
        await open_tab.next("snapshot")
        await house.adapter.close()
        assert await open_tab.closed() == 1012
    assert house.adapter.ready() == "the page does not take messages yet"
    async with line(house) as early:
        await early.send(type="hello", language="zh")
        assert await early.closed() == 1013


async def test_a_store_that_fails_costs_no_message(house: House, caplog: pytest.LogCaptureFixture) -> None:
    accept = house.adapter._desk.accept

    async def full(events: Any, mark: Mark | None) -> None:
        raise StorageError("the disk is full")

    async with tab(house) as one:
        await one.next("snapshot")
        house.adapter._desk.accept = full
        with caplog.at_level(logging.ERROR):
            await one.say("别丢了")
            assert await one.closed() == 1011
        house.adapter._desk.accept = accept
    async with tab(house, one.token) as again:
        await again.say("别丢了")
        assert "别丢了" in (await again.answer())["text"]
    assert "the disk is full" in caplog.text
    assert "别丢了" not in caplog.text


async def test_a_store_that_cannot_be_read_ends_the_line_with_a_word_in_the_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(customer: Any, **_: Any) -> Any:
        raise StorageError("the database is locked")

    history = house.store.history
    house.store.history = broken  # type: ignore[method-assign]
    with caplog.at_level(logging.ERROR):
        async with line(house) as one:
            await one.send(type="hello", language="zh")
            assert await one.closed() == 1011
    house.store.history = history  # type: ignore[method-assign]
    assert "the database is locked" in caplog.text


@pytest.mark.parametrize("frame", [{"type": "say", "text": "我的地址", "event": "event-0001"}, {"type": "new"}])
async def test_a_defect_behind_the_line_ends_it_with_a_word_in_the_log_and_none_of_the_customers(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, frame: dict[str, Any]
) -> None:
    async def defect(*what: Any) -> Any:
        raise ZeroDivisionError(what)

    async with tab(house) as one:
        await one.next("snapshot")
        for does in ("say", "new"):
            monkeypatch.setattr(house.adapter._desk, does, defect)
        with caplog.at_level(logging.ERROR):
            await one.send(language="zh", **frame)
            assert await one.closed() == 1011
    [record] = [record for record in caplog.records if record.name == "adapters.web.link"]
    assert customer_of(one.token, "shop").id in record.getMessage()
    assert "ZeroDivisionError at test_server.py" in record.getMessage()
    assert "< link.py" in record.getMessage()
    assert "我的地址" not in caplog.text


async def test_a_frame_that_cannot_be_written_is_a_defect_too(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async with tab(house) as one:
        await one.next("snapshot")
        with caplog.at_level(logging.ERROR):
            house.adapter._audience.show(customer_of(one.token, "shop"), {"type": object()})
            assert await one.closed() == 1011
    assert "TypeError at" in caplog.text


async def test_a_line_that_the_server_closed_in_this_moment_is_no_defect(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    async with tab(house) as one:
        await one.next("snapshot")
        [listener] = house.adapter._audience.of(customer_of(one.token, "shop"))
        assert isinstance(listener, Link)
        with caplog.at_level(logging.ERROR):
            await listener._socket.close(1012)
            listener.show({"type": "pong"})
            assert await one.closed() == 1012
    assert not [record for record in caplog.records if record.name == "adapters.web.link"]


async def test_the_oldest_tab_makes_room(tmp_path: Path) -> None:
    async with opened(tmp_path, rates=Rates(connections=2)) as house, tab(house) as one:
        await one.next("snapshot")
        async with tab(house, one.token) as two:
            await two.next("snapshot")
            async with tab(house, one.token) as three:
                assert await one.closed() == 1013
                await three.send(type="ping")
                await three.next("pong")


async def test_a_full_house_says_come_back(tmp_path: Path) -> None:
    async with opened(tmp_path, rates=Rates(all_connections=1)) as house, tab(house) as one:
        await one.next("snapshot")
        async with line(house) as two:
            assert await two.closed() == 1013


async def test_a_tab_that_is_closed_takes_no_place(tmp_path: Path) -> None:
    async with opened(tmp_path, rates=Rates(all_connections=1)) as house:
        async with tab(house) as one:
            await one.next("snapshot")
        async with asyncio.timeout(10):
            while len(house.adapter._audience):  # noqa: ASYNC110 - the server does not tell
                await asyncio.sleep(0.01)
        async with tab(house) as two:
            await two.next("snapshot")


async def test_a_tab_that_reads_nothing_is_let_go(house: House) -> None:
    async with tab(house) as one:
        await one.next("snapshot")
        customer = customer_of(one.token, "shop")
        for _ in range(100):  # none of them leaves while this loop runs
            house.adapter._audience.thinking(customer)
        assert await one.closed() == 1013


async def test_the_page_has_nothing_to_fetch(house: House) -> None:
    event = Event(id="e", customer=customer_of("t", "shop"), at=datetime.now(UTC))
    with pytest.raises(Exception, match="nothing to fetch"):
        await house.adapter.fetch(event, PhotoRef(ref="x"))


async def test_doctor_hears_where_the_page_is_and_what_it_lacks(house: House, tmp_path: Path) -> None:
    assert [finding.ok for finding in await house.adapter.check()] == [True]
    async with opened(tmp_path / "bare", knowledge=tmp_path) as bare:
        findings = await bare.adapter.check()
    assert [finding.ok for finding in findings] == [True, False]
    assert "products.csv" in findings[1].fix
