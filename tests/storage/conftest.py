from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.schema import migrate
from storage.store import SqlStore, open_store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "bot.db"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that the migrations made, for every test to copy."""
    file = tmp_path_factory.mktemp("migrated") / "bot.db"
    migrate(f"sqlite:///{file}", file.parent)
    return file


@pytest.fixture
def url(file: Path, migrated: Path) -> str:
    file.parent.mkdir()
    shutil.copy(migrated, file)
    return f"sqlite:///{file}"


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlStore]:
    async with open_store(url) as opened:
        yield opened
