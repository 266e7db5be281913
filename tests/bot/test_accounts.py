"""Which shop an account belongs to: the account stays what it is, whatever its shop is called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bot.app import channels
from bot.config import Config
from bot.house import House
from bot.model import Customer
from bot.place import Place
from storage.photos import PhotoFiles
from storage.store import SqlStore
from tests.fakes.engine import ScriptedEngine
from tests.fakes.photos import normalise
from tests.fakes.telegram import TelegramServer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def telegram(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        monkeypatch.setenv("TELEGRAM_TOKEN", server.token)
        yield server
        assert server.problems == []


@asynccontextmanager
async def opened(store: SqlStore, folder: Path, telegram: TelegramServer, shop: str) -> AsyncIterator[House]:
    """A house whose Telegram account belongs to this shop, with the channel at work."""
    config = Config.model_validate(
        {
            "shops": {"first": {"name": "一号店"}, "second": {"name": "二号店"}},
            "adapters": {
                "web": {"enabled": False},
                "telegram": {
                    "enabled": True,
                    "shop": shop,
                    "base_url": telegram.base_url,
                    "base_file_url": telegram.base_file_url,
                },
            },
        }
    )
    place = Place.of(config, ROOT).aside(folder)
    house = House(config, place, store, PhotoFiles(store.database, folder / "photos", normalise), ScriptedEngine())
    await house.prepare()
    house.adapters.update(channels(house, 80))
    task = asyncio.create_task(house.adapters["telegram"].run(house.intake.accept))
    try:
        yield house
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await house.intake.close()


async def test_naming_or_renaming_the_shop_of_a_bot_makes_nobody_a_stranger(
    store: SqlStore, tmp_path: Path, telegram: TelegramServer
) -> None:
    anna = telegram.customer()
    customer = Customer(channel="telegram", account="7000001", id=str(anna.id))
    for number, shop in enumerate(("", "first", "second"), start=1):
        anna.says(f"message {number}")
        async with opened(store, tmp_path, telegram, shop):
            await telegram.until(lambda: not telegram.waiting)
        assert len(await store.events(customer)) == number
        assert await store.mark("telegram", "7000001") == str(telegram.confirmed)
    assert await store.waiting() == [customer]


@pytest.mark.parametrize("shop", ["", "second"])
async def test_the_customers_of_a_bot_are_served_by_the_shop_that_it_names(
    store: SqlStore, tmp_path: Path, telegram: TelegramServer, shop: str
) -> None:
    async with opened(store, tmp_path, telegram, shop) as house:
        served = house.dialogue(Customer(channel="telegram", account="7000001", id="1"))
        another = house.dialogue(Customer(channel="telegram", account="7000002", id="1"))
        page = house.dialogue(Customer(channel="web", account="default", id="1"))
    assert (served is page) == (not shop)
    assert another is page
