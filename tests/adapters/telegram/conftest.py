"""The channel's parts, set up anew for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.telegram import TelegramAdapter
from tests.fakes.telegram import TelegramServer

from .stage import Inbox, Shelf, make


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server
        assert server.problems == []


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def adapter(telegram: TelegramServer, inbox: Inbox, shelf: Shelf) -> TelegramAdapter:
    return make(telegram, inbox, shelf)
