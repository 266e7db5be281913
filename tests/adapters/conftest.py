"""The real store for tests that stand between a channel and the core."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.photos import PhotoFiles
from storage.schema import migrate
from storage.store import SqlStore, open_store
from tests.fakes.photos import normalise


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once; each test has a copy."""
    folder = tmp_path_factory.mktemp("schema")
    migrate(f"sqlite:///{folder}/bot.db", folder)
    return folder / "bot.db"


@pytest.fixture
async def store(empty_database: Path, tmp_path: Path) -> AsyncIterator[SqlStore]:
    shutil.copy(empty_database, tmp_path / "bot.db")
    async with open_store(f"sqlite:///{tmp_path}/bot.db") as opened:
        yield opened


@pytest.fixture
def photos(store: SqlStore, tmp_path: Path) -> PhotoFiles:
    return PhotoFiles(store.database, tmp_path / "photos", normalise)
