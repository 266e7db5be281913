"""The real store for the core's tests: the schema is made once, each test gets a copy of the file."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.schema import migrate
from storage.store import SqlStore, open_store


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schema")
    migrate(f"sqlite:///{folder}/bot.db", folder)
    return folder / "bot.db"


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> str:
    """The address of a fresh database."""
    shutil.copy(empty_database, tmp_path / "bot.db")
    return f"sqlite:///{tmp_path}/bot.db"


@pytest.fixture
async def store(database: str) -> AsyncIterator[SqlStore]:
    async with open_store(database) as opened:
        yield opened
