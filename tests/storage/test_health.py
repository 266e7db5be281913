from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from storage.health import check
from storage.photos import path_of
from storage.store import open_store
from tests.storage.values import ANNA, photo, sent


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return tmp_path / "data" / "photos"


def change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def wrong(url: str, photos: Path) -> list[str]:
    findings = check(url, photos)
    assert all(finding.ok or finding.fix for finding in findings)
    return [finding.what for finding in findings if not finding.ok]


def test_a_sound_store_has_nothing_wrong(url: str, photos: Path) -> None:
    assert wrong(url, photos) == []
    assert len(check(url, photos)) == 5


def test_no_database_is_said(tmp_path: Path, photos: Path) -> None:
    assert "there is no database yet" in wrong(f"sqlite:///{tmp_path}/none.db", photos)[0]


def test_damage_is_found(url: str, file: Path, photos: Path) -> None:
    with file.open("r+b") as damaged:
        damaged.seek(file.stat().st_size - 8192)
        damaged.write(b"\xff" * 8192)
    assert any("damaged" in what for what in wrong(url, photos))


def test_rows_that_refer_to_nothing_are_found(url: str, file: Path, photos: Path) -> None:
    change(file, "INSERT INTO photo_owners VALUES (77, 'none', '2026-01-01 00:00:00')")
    assert wrong(url, photos) == ["2 rows refer to rows that are not there (photo_owners)"]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE faq ADD COLUMN mood TEXT",
        "DROP INDEX ix_said_event_id",
        "CREATE TABLE songs (name TEXT)",
        "CREATE VIEW peek AS SELECT * FROM events",
    ],
)
def test_tables_that_somebody_changed_are_found(url: str, file: Path, photos: Path, statement: str) -> None:
    change(file, statement)
    assert wrong(url, photos) == ["the tables are not those of revision 0001 (1 differences)"]


async def test_photos_without_files_and_files_without_photos_are_found(url: str, photos: Path) -> None:
    async with open_store(url) as store:
        await sent(store, ANNA, photo("a"), size=None)  # it was cut off before its file: none is expected
        await sent(store, ANNA, photo("d"), size=None)  # or behind it: it is his, and nobody's to remove by hand
        await sent(store, ANNA, photo("b"))
    for name in "cd":
        path = path_of(photos, name * 64)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"jpeg")
    missing, strange = wrong(url, photos)
    assert missing.startswith("1 photos are missing")
    assert "bbbbbbbbbbbb" in missing
    assert strange.startswith("1 files in")
    assert "cccccccccccc" in strange


def test_a_journal_that_makes_readers_wait_is_found(url: str, file: Path, photos: Path) -> None:
    change(file, "PRAGMA journal_mode=DELETE")
    assert wrong(url, photos) == ["the journal mode is delete, not wal: readers and the writer wait for each other"]
