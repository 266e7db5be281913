"""What ``db check`` says: whether the database is whole and as this program expects it, and the photos with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.errors import StorageError
from bot.ports import Finding
from storage import schema
from storage.database import engine_of, file_of, translated
from storage.tables import metadata
from storage.tables import photos as photo_rows

_RESTORE = "restore a backup: `python -m bot db restore FILE`"
#: Most names in one line.
_SHOWN = 3


def begun(url: str) -> bool:
    """Whether there is a database; a check of none would only find that. Raises as :func:`check` does."""
    return file_of(url).exists()


def check(url: str, photos: Path) -> list[Finding]:
    """All findings, good and bad. Raises :class:`~bot.errors.StorageError` only for an address that names no file."""
    file = file_of(url)
    try:
        schema.require_current(file)
        findings = judge(file)
        with _reading(file) as connection:
            findings.append(_journal(connection))
            findings += _photos(connection, photos)
    except StorageError as exc:
        return [Finding(ok=False, what=str(exc), fix=_RESTORE)]
    return findings


def judge(file: Path) -> list[Finding]:
    """A database by itself, at this program's revision. Raises :class:`~bot.errors.StorageError`: it cannot be read."""
    with _reading(file) as connection:
        return [_integrity(connection), _references(connection), _drift(connection)]


@contextmanager
def _reading(file: Path) -> Iterator[Connection]:
    engine = engine_of(file, write=False)
    try:
        with translated(file), engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _integrity(connection: Connection) -> Finding:
    said = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
    if said == "ok":
        return Finding(ok=True, what="the database is whole")
    return Finding(ok=False, what="the database is damaged", fix=_RESTORE)


def _references(connection: Connection) -> Finding:
    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if not lost:
        return Finding(ok=True, what="every row has what it refers to")
    tables = ", ".join(sorted({str(row[0]) for row in lost}))
    return Finding(ok=False, what=f"{len(lost)} rows refer to rows that are not there ({tables})", fix=_RESTORE)


def _drift(connection: Connection) -> Finding:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    differences = compare_metadata(MigrationContext.configure(connection), metadata)
    code = connection.exec_driver_sql(
        "SELECT count(*) FROM sqlite_master WHERE type IN ('trigger', 'view')"
    ).scalar_one()
    if not differences and not code:
        return Finding(ok=True, what=f"the tables are those of revision {schema.head()}")
    return Finding(
        ok=False,
        what=f"the tables are not those of revision {schema.head()} ({len(differences) + code} differences)",
        fix=f"somebody changed them by hand; {_RESTORE}",
    )


def _journal(connection: Connection) -> Finding:
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    if mode == "wal":
        return Finding(ok=True, what="readers and the writer do not wait for each other (write-ahead log)")
    return Finding(
        ok=False,
        what=f"the journal mode is {mode}, not wal: readers and the writer wait for each other",
        fix="the next start sets it; if this comes back, move the data folder from the network share to a local disk",
    )


def _photos(connection: Connection, folder: Path) -> list[Finding]:
    sizes = {row.sha256: row.bytes for row in connection.execute(sa.select(photo_rows.c.sha256, photo_rows.c.bytes))}
    # One without a size is on its way, or was cut off there: it may have its file or not.
    known = {sha256 for sha256, size in sizes.items() if size is not None}
    there = {path.stem for path in folder.glob("[0-9a-f][0-9a-f]/*.jpg")}
    findings = []
    if missing := sorted(known - there):
        findings.append(
            Finding(
                ok=False,
                what=f"{len(missing)} photos are missing in {folder} ({_some(missing)})",
                fix="restore them from a backup; a customer who sends one again puts it back",
            )
        )
    if extra := sorted(there - sizes.keys()):
        findings.append(
            Finding(
                ok=False,
                what=f"{len(extra)} files in {folder} belong to no photo that is kept ({_some(extra)})",
                fix="left by a crash; the next start removes what was erased, remove the rest by hand",
            )
        )
    return findings or [Finding(ok=True, what=f"all {len(known)} photos are there")]


def _some(names: list[str]) -> str:
    return ", ".join(name[:12] for name in names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
