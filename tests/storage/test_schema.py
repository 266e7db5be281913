from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.errors import StorageError
from storage import schema
from storage.database import engine_of
from storage.store import open_store
from storage.tables import metadata


def tables(file: Path) -> dict[str, list[str]]:
    """What the database says of itself: the parts of each statement, whatever their order, spaces and quotes."""
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    words = {name: "".join((sql or "").replace('"', "").split()).lower() for name, sql in rows}
    return {name: sorted(sql.removesuffix(")").split(",")) for name, sql in words.items() if name != "alembic_version"}


def test_the_migrations_build_exactly_the_tables(url: str, file: Path, tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'made.db'}")
    metadata.create_all(engine)
    engine.dispose()
    assert tables(file) == tables(tmp_path / "made.db")


def test_a_new_database_is_made_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "data" / "bot.db"
    assert schema.revision(file) is None
    assert schema.migrate(f"sqlite:///{file}", tmp_path / "copies") is None
    assert schema.revision(file) == schema.head() == schema.revisions()[-1]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert not (tmp_path / "copies").exists()


def test_a_database_that_is_up_to_date_is_left_alone_and_alembic_at_home(url: str, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from storage.schema import migrate\n"
        "assert migrate(sys.argv[1], Path(sys.argv[2])) is None\n"
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script, url, str(tmp_path / "copies")], check=True)
    assert not (tmp_path / "copies").exists()


async def test_the_database_is_set_as_it_must_be(url: str, file: Path) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000, "secure_delete": 1}
    async with open_store(url) as store:
        # Who writes waits out a command beside the bot that builds the file anew.
        for way, busy in ((store.database.read, 5000), (store.database.write, 120_000)):
            wanted["busy_timeout"] = busy
            found = await way(lambda c: {name: c.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in wanted})
            assert found == wanted
        assert await store.database.read(lambda c: c.exec_driver_sql("PRAGMA query_only").scalar_one()) == 1


def older(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")


def test_before_a_migration_a_copy_is_made(
    url: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A revision before the first stands in for the one that a later migration will find.
    older(file)
    known = schema.revisions()
    monkeypatch.setattr(schema, "revisions", lambda: ["0000", *known])
    upgraded: list[Path] = []
    monkeypatch.setattr(schema, "upgrade", upgraded.append)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO marks VALUES ('web', 'default', '7', '2026-01-01 00:00:00')")
    copy = schema.migrate(url, tmp_path / "copies")
    assert copy is not None
    assert copy.parent == tmp_path / "copies"
    assert (upgraded, schema.revision(copy)) == ([file], "0000")
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT value FROM marks").fetchone() == ("7",)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_migration_that_fails_changes_nothing(url: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older(file)
    before = tables(file)
    with pytest.raises(Exception, match="0000"):
        schema.upgrade(file)  # Alembic knows no 0000
    assert tables(file) == before
    assert schema.revision(file) == "0000"


async def test_a_database_newer_than_the_program_is_refused(url: str, file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError, match=r"at revision 9999, newer than this program knows .*; update the program"):
        schema.migrate(url, tmp_path / "copies")
    with pytest.raises(StorageError, match="newer"):
        async with open_store(url):
            pass
    assert not (tmp_path / "copies").exists()


async def test_a_store_is_not_opened_before_its_migration(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageError, match=r"there is no database yet; `python -m bot db upgrade` makes it"):
        async with open_store(f"{url}.other"):
            pass
    older(file)
    monkeypatch.setattr(schema, "revisions", lambda: ["0000", "0001"])
    with pytest.raises(
        StorageError, match=r"at revision 0000, this program needs 0001; run `python -m bot db upgrade`"
    ):
        async with open_store(url):
            pass


def test_another_program_s_database_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    with pytest.raises(StorageError, match="the database of another program"):
        schema.migrate(f"sqlite:///{file}", tmp_path)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    with pytest.raises(StorageError, match="the database of another program"):
        schema.migrate(f"sqlite:///{file}", tmp_path)


def test_what_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    file = tmp_path / "bot.db"
    file.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StorageError, match="not a database of this program"):
        schema.migrate(f"sqlite:///{file}", tmp_path)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql://x/y", "bot.db", ""])
def test_an_address_that_names_no_file_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"storage\.url .*sqlite:///data/bot\.db"):
        schema.migrate(url, tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StorageError, match="cannot be made"):
        schema.migrate(f"sqlite:///{tmp_path}/data/bot.db", tmp_path)


def test_two_programs_that_start_at_once_make_one_database(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from storage.schema import migrate; migrate(sys.argv[1], Path())"
    url = f"sqlite:///{tmp_path}/data/bot.db"
    children = [subprocess.Popen([sys.executable, "-c", script, url], stderr=subprocess.PIPE) for _ in range(3)]
    errors = [child.communicate(timeout=60)[1] for child in children]
    assert errors == [b""] * 3
    assert schema.revision(tmp_path / "data" / "bot.db") == schema.head()


def test_each_database_has_a_secret_of_its_own(url: str, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    schema.migrate(f"sqlite:///{other}", tmp_path)
    secrets = set()
    for path in (file, other):
        with closing(sqlite3.connect(path)) as connection:
            secrets.add(connection.execute("SELECT value FROM about WHERE name = 'secret'").fetchone()[0])
    assert len(secrets) == 2
    assert all(len(secret) == 64 for secret in secrets)


def test_a_writer_takes_the_lock_before_it_reads(url: str, file: Path) -> None:
    engine = engine_of(file, write=True)
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT 1")
        with (
            closing(sqlite3.connect(file, timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("BEGIN IMMEDIATE")
    engine.dispose()
