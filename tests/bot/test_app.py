"""The composition root: where things lie, and a house that knows its model by the port alone."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.engine import Connection
from starlette.applications import Starlette
from starlette.routing import Mount

from adapters.ask import Question
from bot.app import asking, channels, kept, running
from bot.burst import MOST_PHOTOS
from bot.cli.run import _hello
from bot.config import Config, Storage, load
from bot.errors import ConfigError, EngineError, StorageError, TooLong
from bot.house import House, learn
from bot.model import Customer, Event, Photo
from bot.place import Place
from bot.ports import Request
from storage.photos import PhotoFiles
from storage.store import SqlStore
from tests.fakes.engine import Answered, Hang, ScriptedEngine, written
from tests.fakes.photos import normalise

ROOT = Path(__file__).resolve().parents[2]


def place_of(url: str, root: Path = Path("/shop")) -> Place:
    # Past the check of the address: the data's folder must not hang on it, whatever the store can open.
    storage = Storage.model_construct(url=url, photos="data/photos")
    return Place.of(Config().model_copy(update={"storage": storage}), root)


def test_data_lie_beside_an_sqlite_file() -> None:
    place = place_of("sqlite:///kept/my.shop.db")
    assert place.url == "sqlite:////shop/kept/my.shop.db"
    assert place.lock == Path("/shop/kept/my.shop.lock")
    assert place.door == Path("/shop/kept/my.shop.door.json")
    assert (place.data, place.models) == (Path("/shop/kept"), Path("/shop/kept/models"))
    assert (place.engine, place.copies) == (Path("/shop/kept/engine"), Path("/shop/kept/copies"))


def test_a_whole_path_stays_where_it_is() -> None:
    assert place_of("sqlite:////var/lib/bot.db").data == Path("/var/lib")


def test_a_database_that_is_no_file_has_its_data_in_the_shops_folder() -> None:
    place = place_of("postgresql+psycopg://bot@db/shop")
    assert place.url == "postgresql+psycopg://bot@db/shop"
    assert (place.lock, place.door) == (Path("/shop/data/bot.lock"), Path("/shop/data/bot.door.json"))
    assert place.models == Path("/shop/data/models")


def test_a_place_aside_keeps_shop_and_models_and_nothing_else(tmp_path: Path) -> None:
    place = place_of("sqlite:///data/bot.db")
    aside = place.aside(tmp_path)
    assert (aside.root, aside.models) == (place.root, place.models)
    assert aside.url == f"sqlite:///{tmp_path}/try.db"
    written = (aside.data, aside.photos, aside.engine, aside.copies, aside.lock, aside.door)
    assert all(path.is_relative_to(tmp_path) for path in written)


@pytest.fixture
async def house(store: SqlStore, tmp_path: Path) -> AsyncIterator[House]:
    config = Config()
    photos = PhotoFiles(store.database, tmp_path / "photos", normalise)
    house = House(config, Place.of(config, ROOT).aside(tmp_path), store, photos, ScriptedEngine())
    await house.prepare()
    yield house
    await house.intake.close()


async def page_of(house: House) -> dict[str, Any]:
    """What the page is told of its shop."""
    page = Starlette(routes=[Mount(*mount) for mount in channels(house, 7860)["web"].mounts()])
    transport = httpx.ASGITransport(page)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860") as client:
        shown = (await client.get("/")).text
    found = re.search(r'data-page="([^"]*)"', shown)
    assert found is not None
    told: dict[str, Any] = json.loads(html.unescape(found[1]))
    return told


async def test_a_shop_that_has_nothing_to_tell_is_named_at_every_start(
    store: SqlStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop = tmp_path / "myshop"
    shop.mkdir()
    (shop / "faq.csv").write_text("question,answer\n包邮吗？,包邮。\n", encoding="utf-8")
    for _ in range(2):
        caplog.clear()
        await learn(store, "default", shop)
        assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [
            "shop default: myshop/products.csv: there is no such file",
            "shop default: myshop/policy.md: there is no such file",
        ]


async def test_pictures_that_cannot_be_shown_are_one_line_at_every_start(
    store: SqlStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop = tmp_path / "myshop"
    shop.mkdir()
    (shop / "policy.md").write_text("# 运费\n满99元包邮。\n", encoding="utf-8")
    goods = "id,name,kind,price,stock,sku,picture\n"
    for rows, more in (
        ("a,杯,杯子,1,1,A,none.jpg\n", ""),
        ("a,杯,杯子,1,1,A,none.jpg\nb,杯,杯子,1,1,B,b.jpg\n", "; so it is with 1 more, see `python -m bot doctor`"),
    ):
        (shop / "products.csv").write_text(goods + rows, encoding="utf-8")
        for _ in range(2):
            caplog.clear()
            await learn(store, "default", shop)
            assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [
                f"shop default: myshop/products.csv:2: none.jpg is not there{more}"
            ]


async def test_any_engine_can_live_in_the_house_and_the_page_shows_what_it_is_good_for(house: House) -> None:
    assert (await page_of(house))["note"] == house.engine.info.notes


async def test_the_page_offers_as_many_photos_as_are_read_and_waits_as_long_as_configured(house: House) -> None:
    told = await page_of(house)
    assert told["limits"]["photos"] == MOST_PHOTOS
    assert told["patience"] == house.config.slow.notice_after_seconds


async def test_an_answer_is_prepared_until_the_model_is_there_and_never_where_nobody_is_answered(house: House) -> None:
    assert house.preparing()
    config, house.config = house.config, Config.model_validate({"dialogue": {"mode": "off"}})
    assert not house.preparing()
    house.config = config
    async with AsyncExitStack() as stack:
        await house.think(stack)
        assert not house.preparing()


async def test_what_was_erased_while_the_bot_was_away_is_forgotten_before_the_first_answer(
    house: House, store: SqlStore
) -> None:
    me = Customer(channel="web", account="default", id="me")
    erased = await store.begin(me, language="zh")
    await store.erase(me)
    async with AsyncExitStack() as stack:
        await house.think(stack)
    assert isinstance(house.engine, ScriptedEngine)
    [(conversations, _)] = house.engine.forgotten
    assert conversations == (str(erased.id),)


async def test_photos_are_looked_at_in_advance_once_the_model_is_there(house: House) -> None:
    me, photo = (
        Customer(channel="web", account="default", id="me"),
        Photo(sha256="a" * 64, media_type="image/jpeg", width=9, height=9),
    )
    assert isinstance(house.engine, ScriptedEngine)
    await house.typing(me, [photo])
    assert house.engine.warmed == []
    async with AsyncExitStack() as stack:
        await house.think(stack)
        await house.typing(me, [photo])
    assert [photos for _, photos in house.engine.warmed] == [(), (photo,)]


async def test_a_store_that_refuses_is_named_among_what_is_not_ready(house: House, store: SqlStore) -> None:
    def room(pages: int | None) -> Callable[[Connection], None]:
        def job(connection: Connection) -> None:
            most = pages or connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count={most}")

        return job

    async def say(text: str) -> None:
        me = Customer(channel="test", account="local", id="me")
        await house.intake.accept([Event(id=text[:9], customer=me, at=datetime.now(UTC), text=text)])

    async with AsyncExitStack() as stack:
        await house.think(stack)
        assert house.not_ready() == {}
        await store.database.write(room(None))
        with pytest.raises(StorageError):
            await say("x" * 100_000)
        assert list(house.not_ready()) == ["storage"]
        assert "the disk is full; make room" in house.not_ready()["storage"]
        await store.database.write(room(1_000_000))
        await say("hello")
        assert house.not_ready() == {}


async def test_a_model_that_answers_no_more_is_named_among_what_is_not_ready(house: House) -> None:
    assert isinstance(house.engine, ScriptedEngine)
    house.engine.trouble = "is not loaded"
    assert house.not_ready() == {"model": "is being loaded"}
    async with AsyncExitStack() as stack:
        await house.think(stack)
        house.engine.trouble = "stopped by a defect"
        assert house.not_ready() == {"model": "stopped by a defect"}
        house.engine.trouble = None
        assert house.not_ready() == {}


async def test_a_shops_prompt_that_leaves_no_room_ends_the_start_with_the_files_named(house: House) -> None:
    assert isinstance(house.engine, ScriptedEngine)
    house.engine.warm_error = TooLong("make inference.n_ctx larger")
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError) as caught:
            await house.think(stack)
    for part in ("shop default", "persona.zh.md", "demo/policy.md", "brief.zh.md", "make inference.n_ctx larger"):
        assert part in str(caught.value)


async def test_a_prompt_that_could_not_be_read_in_advance_is_logged_and_the_start_goes_on(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(house.engine, ScriptedEngine)
    house.engine.warm_error = EngineError("a step failed")
    async with AsyncExitStack() as stack:
        await house.think(stack)
    assert "its prompt was not read in advance: a step failed" in caplog.text
    assert house.not_ready() == {}


@pytest.mark.parametrize(("language", "note"), [("zh", "照本宣科。"), ("en", "It answers by script.")])
def test_the_first_lines_say_what_answers_in_the_shops_language(
    language: str, note: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _hello(Config.model_validate({"shop": {"language": language}}), ScriptedEngine().info, 7860, "python -m bot")
    said = capsys.readouterr().out
    assert "model: A script\n" in said
    assert f"  {note}\n" in said


async def test_the_model_is_the_last_to_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hang = Hang(written("没写完"))

    class Watched(ScriptedEngine):
        left_with: int | None = None

        async def __aexit__(self, *exc: object) -> None:
            self.left_with = self.running

    engine = Watched([hang])
    monkeypatch.setattr("bot.app.engine_of", lambda config, place, read_photo: engine)
    (tmp_path / "bot.toml").write_text(f"[shop]\nknowledge = '{ROOT / 'demo'}'\n[web]\nport = 0\n")
    config = load(tmp_path / "bot.toml")
    asker = Customer(channel="ask", account="local", id="1")
    async with running(config, Place.of(config, tmp_path)) as (house, _):
        await house.intake.accept([Event(id="e1", customer=asker, at=datetime.now(UTC), text="在吗？", route="e1")])
        await hang.reached.wait()
    assert engine.left_with == 0, "what was being answered was handed back first"
    assert engine.cancelled == engine.requests
    async with kept(config, Place.of(config, tmp_path)) as (store, _):
        assert [event.id for event in await store.events(asker)] == ["e1"], "and is answered after the next start"
        assert await store.outgoing() == []


async def test_a_question_at_the_terminal_leaves_what_others_asked_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = ScriptedEngine(lambda request: written("好的。"))
    monkeypatch.setattr("bot.app.engine_of", lambda config, place, read_photo: engine)
    (tmp_path / "bot.toml").write_text(f"[shop]\nknowledge = '{ROOT / 'demo'}'\n")
    config = load(tmp_path / "bot.toml")
    other = Customer(channel="ask", account="local", id="another")
    async with kept(config, Place.of(config, tmp_path)) as (store, _):
        await store.accept([Event(id="e1", customer=other, at=datetime.now(UTC), text="在吗？", route="e1")])
    async with asking(config, Place.of(config, tmp_path)) as adapter:
        answered = await adapter.ask(Question(customer="me", text="你好？", photos=()))
    assert answered["reply"] == "好的。"
    assert len(engine.requests) == 1


async def test_two_commands_that_ask_for_the_same_customer_each_get_their_own_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a running bot each is a house of its own, and both read the same store."""

    def echo(request: Request) -> Answered:
        return written(f"您说「{request.messages[-1].body[-1]}」。")

    monkeypatch.setattr("bot.app.engine_of", lambda config, place, read_photo: ScriptedEngine(echo))
    monkeypatch.setattr("bot.app._ANOTHER", 0.001)
    (tmp_path / "bot.toml").write_text(f"[shop]\nknowledge = '{ROOT / 'demo'}'\n")
    config = load(tmp_path / "bot.toml")

    async def ask(words: str) -> str:
        async with asking(config, Place.of(config, tmp_path)) as adapter:
            return str((await adapter.ask(Question(customer="me", text=words, photos=())))["reply"])

    answers = await asyncio.gather(*map(ask, ["一？", "二？", "三？"]))
    assert answers == ["您说「一？」。", "您说「二？」。", "您说「三？」。"]


async def test_a_bot_that_starts_beside_a_question_at_the_terminal_leaves_it_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.app._ANOTHER", 0.001)
    slow = Hang(written("好的。"))
    monkeypatch.setattr("bot.app.engine_of", lambda config, place, read_photo: ScriptedEngine([slow]))
    (tmp_path / "bot.toml").write_text(f"[shop]\nknowledge = '{ROOT / 'demo'}'\n[web]\nport = 0\n")
    config = load(tmp_path / "bot.toml")
    place = Place.of(config, tmp_path)

    async def run() -> None:
        async with running(config, place):
            pass

    async with asking(config, place) as adapter:
        asked = asyncio.create_task(adapter.ask(Question(customer="me", text="你好？", photos=())))
        await slow.reached.wait()
        beside = asyncio.create_task(run())
        await asyncio.sleep(1.0)
        assert not beside.done()
        slow.go.set()
        assert (await asked)["reply"] == "好的。"
    await beside
