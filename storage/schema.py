"""Which revision a database is at, and how it gets to this program's.

Alembic is imported only when there is something to migrate: a start on a database that is up to date does not pay
for it.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from bot.errors import StorageError
from storage.columns import now
from storage.database import engine_of, file_of, translated

_SCRIPTS = Path(__file__).parent / "migrations"
#: Seconds for which a second program may be busy with the same migration.
_PATIENCE_S = 5.0


def revisions() -> list[str]:
    """The revisions that this program knows, in order: a migration's file begins with its number."""
    return sorted(path.name.partition("_")[0] for path in (_SCRIPTS / "versions").glob("[0-9]*_*.py"))


def head() -> str:
    return revisions()[-1]


def revision(file: Path) -> str | None:
    """The revision that a database is at; ``None`` when there is no database yet, or nothing in it.

    Raises :class:`~bot.errors.StorageError` when the file holds something else.
    """
    if not file.exists() or file.stat().st_size == 0:
        return None
    with translated(file), closing(sqlite3.connect(file)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return None
        row = (
            connection.execute("SELECT version_num FROM alembic_version").fetchone()
            if "alembic_version" in tables
            else None
        )
    if row is None:
        raise StorageError(f"{file}: this is the database of another program; set storage.url to another file")
    return str(row[0])


def require_current(file: Path) -> None:
    """Raises :class:`~bot.errors.StorageError` unless the database is at this program's revision."""
    found = revision(file)
    if found is None:
        raise StorageError(f"{file}: there is no database yet; `python -m bot db upgrade` makes it")
    refuse_newer(file, found)
    if found != head():
        raise StorageError(
            f"{file}: the database is at revision {found}, this program needs {head()}; run `python -m bot db upgrade`"
        )


def migrate(url: str, backup_dir: Path) -> Path | None:
    """Brings a database to this program's revision; makes it when there is none.

    Before an existing one is changed, a consistent copy is made in ``backup_dir``; its path is returned. Raises
    :class:`~bot.errors.StorageError`: the database is newer than this program, or cannot be used. Then nothing was
    changed.
    """
    file = file_of(url)
    found = revision(file)
    if found is None:
        _create(file)
    elif found == head():
        return None
    else:
        refuse_newer(file, found)
    copy = None if found is None else _copy(file, backup_dir, found)
    upgrade(file)
    return copy


def upgrade(file: Path) -> None:
    """Runs the migrations that a database lacks, all of them or none. Raises :class:`~bot.errors.StorageError`."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    engine = engine_of(file, write=True)
    try:
        with translated(file), engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def refuse_newer(file: Path, found: str) -> None:
    if found not in revisions():
        raise StorageError(
            f"{file}: the database is at revision {found}, newer than this program knows ({head()}); "
            "update the program, or restore a backup that was made with this version"
        )


def _create(file: Path) -> None:
    """An empty file in write-ahead mode. Switching the mode cannot wait for another program, so it is tried again."""
    make_private(file)
    until = time.monotonic() + _PATIENCE_S
    with translated(file), closing(sqlite3.connect(file)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
            else:
                return


def _copy(file: Path, folder: Path, found: str) -> Path:
    copy = folder / f"{file.stem}-{found}-before-{head()}-{now():%Y%m%dT%H%M%S%fZ}.db"
    copy_database(file, copy)
    return copy


def copy_database(file: Path, copy: Path) -> None:
    """A consistent copy of a database in use, packed. Raises :class:`~bot.errors.StorageError`."""
    make_private(copy)
    with translated(file), closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))


def make_private(file: Path) -> None:
    """An empty file, if there is none, that only its owner reads: customers' words will stand in it."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError as exc:
        raise StorageError(f"{file}: cannot be made ({exc.strerror}); make room or mend the folder's rights") from exc
