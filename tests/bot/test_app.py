"""The composition root: where things lie, and a house that knows its model by the port alone."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from bot.app import House, Place, channels
from bot.cli.run import _hello
from bot.config import Config, Storage
from storage.photos import PhotoFiles
from storage.store import SqlStore
from tests.fakes.engine import ScriptedEngine
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


async def test_any_engine_can_live_in_the_house_and_the_page_shows_what_it_is_good_for(house: House) -> None:
    page = Starlette(routes=[Mount(*mount) for mount in channels(house, 7860)["web"].mounts()])
    transport = httpx.ASGITransport(page)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860") as client:
        shown = (await client.get("/")).text
    found = re.search(r'data-page="([^"]*)"', shown)
    assert found is not None
    assert json.loads(html.unescape(found[1]))["note"] == house.engine.info.notes


@pytest.mark.parametrize(("language", "note"), [("zh", "照本宣科。"), ("en", "It answers by script.")])
def test_the_first_lines_say_what_answers_in_the_shops_language(
    language: str, note: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _hello(Config.model_validate({"shop": {"language": language}}), ScriptedEngine().info, 7860)
    said = capsys.readouterr().out
    assert "model: A script\n" in said
    assert f"  {note}\n" in said
