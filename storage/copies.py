"""A consistent copy of database and photos while the bot runs, and the way back, which destroys nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import Connection

from bot.errors import StorageError
from storage import archive, health, rights, schema
from storage.archive import Counter, Manifest, Progress
from storage.columns import now
from storage.database import engine_of, file_of, translated
from storage.photos import path_of
from storage.tables import metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    manifest: Manifest
    #: What was there before, under its new name.
    aside: tuple[Path, ...]
    #: Customers whom the backup still had and who were erased after it was made: erased again.
    erased_again: int


def backup(url: str, photos: Path, dest: Path, progress: Progress) -> Manifest:
    """Writes database and photos into one new file. Safe while the bot runs. Raises :class:`StorageError`.

    ``VACUUM INTO`` gives the database of one moment; the photos are those that it knows. Copying the file itself would
    miss what still stands in the write-ahead log, and no check would tell.
    """
    file = file_of(url)
    found = schema.revision(file)
    if found is None:
        raise StorageError(f"{file}: there is no database to back up")
    if dest.exists():
        raise StorageError(f"{dest}: exists already; give another name, a backup is never written over")
    if not dest.parent.is_dir():
        raise StorageError(f"{dest.parent}: there is no such folder; make it, or name another place")
    copy, part = dest.with_name(f".{dest.name}.db"), dest.with_name(f".{dest.name}.part")
    try:
        for leftover in (copy, part):
            leftover.unlink(missing_ok=True)
        schema.copy_database(file, copy)
        manifest = _pack(copy, photos, part, found, progress)
        part.replace(dest)
    except OSError as exc:
        raise StorageError(f"{dest}: cannot be written ({exc.strerror}); make room or name another place") from exc
    finally:
        for leftover in (copy, part):
            leftover.unlink(missing_ok=True)
    return manifest


def restore(path: Path, url: str, photos: Path, *, in_use: bool, progress: Progress) -> Restored:
    """Puts a backup in the place of database and photos, which are moved aside. Raises :class:`StorageError`.

    Everything is unpacked and checked beside them first; what fails before the exchange leaves all as it was. Who was
    erased after the backup was made stays erased, and row numbers go on where they were: nothing computed for a
    conversation that is gone can fit a new one.
    """
    file = file_of(url)
    if in_use:
        raise StorageError(f"{file}: a bot runs on this data; stop it first, then restore")
    database, pictures = file.with_name(f"{file.name}.restoring"), photos.with_name(f"{photos.name}.restoring")
    _clear(database, pictures)
    try:
        schema.make_private(database)
        pictures.mkdir(mode=0o700, parents=True)
        with archive.opened(path) as (opened, manifest):
            told = Counter(manifest.database_bytes + manifest.photo_bytes, progress)
            archive.unpack(path, opened, manifest, database, pictures, told)
        _judge(path, database, manifest)
        erased_again = _carry_over(file, database, pictures, manifest)
        aside = _exchange(file, database, photos, pictures)
    except OSError as exc:
        raise StorageError(f"{file}: the backup cannot be put in place ({exc.strerror}: {exc.filename})") from exc
    finally:
        _clear(database, pictures)
    return Restored(manifest=manifest, aside=aside, erased_again=erased_again)


# ------------------------------------------------------------------------------------------------ backup


def _pack(copy: Path, photos: Path, part: Path, found: str, progress: Progress) -> Manifest:
    with translated(copy), closing(sqlite3.connect(copy)) as connection:
        known = connection.execute(
            "SELECT sha256, bytes FROM photos WHERE bytes IS NOT NULL ORDER BY sha256"
        ).fetchall()
        rows = tuple(
            (table.name, connection.execute(f'SELECT count(*) FROM "{table.name}"').fetchone()[0])  # noqa: S608 - our own names
            for table in metadata.sorted_tables
        )
    size = copy.stat().st_size
    told = Counter(size + sum(row[1] for row in known), progress)
    kept = kept_bytes = 0
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        with zipfile.ZipFile(target, "w") as packed:
            _add(packed, archive.DATABASE, copy, zipfile.ZIP_DEFLATED, told)
            for sha256, _ in known:
                try:
                    kept_bytes += _add(
                        packed, archive.photo_name(sha256), path_of(photos, sha256), zipfile.ZIP_STORED, told
                    )
                    kept += 1
                except FileNotFoundError:
                    continue  # erased since the copy was made, or lost: the manifest counts it
            manifest = Manifest(
                made=now(),
                revision=found,
                database_bytes=size,
                database_sha256=archive.sha256_of(copy),
                photos=kept,
                photo_bytes=kept_bytes,
                rows=rows,
                missing=len(known) - kept,
            )
            archive.write_manifest(packed, manifest)
        target.flush()
        os.fsync(target.fileno())
    return manifest


def _add(packed: zipfile.ZipFile, name: str, path: Path, method: int, told: Counter) -> int:
    with path.open("rb") as source:
        info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
        info.compress_type = method
        info.file_size = path.stat().st_size
        with packed.open(info, "w") as target:
            return archive.pour(source, target, told)


# ------------------------------------------------------------------------------------------------ restore


def _judge(path: Path, database: Path, manifest: Manifest) -> None:
    """Whether the unpacked database is whole, ours, and not newer than this program; then brings it up to date."""
    found = schema.revision(database)
    if found is None or found != manifest.revision:
        raise StorageError(f"{path}: the database in it is not of the revision that its manifest says")
    if found not in schema.revisions():
        raise StorageError(
            f"{path}: made by a newer version of this program (revision {found}, this one knows {schema.head()}); "
            "update the program first"
        )
    if found != schema.head():
        schema.upgrade(database)
    for finding in health.judge(database):
        if not finding.ok:
            raise StorageError(f"{path}: {finding.what}; take another file")


def _carry_over(old: Path, new: Path, pictures: Path, manifest: Manifest) -> int:
    """Brings erasures and row numbers of the present database into the restored one. Returns who was erased again.

    A present database that cannot be read – why one restores – has nothing to say.
    """
    try:
        if schema.revision(old) != schema.head():
            return 0
        with _transaction(old, write=False) as connection:
            present = rights.buried(connection)
            numbers = connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence").all()
    except StorageError:
        return 0
    with _transaction(new, write=True) as connection:
        back, gone = rights.erase_again(connection, present, manifest.made)
        used = {row.name: row.seq for row in connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")}
        connection.exec_driver_sql("DELETE FROM sqlite_sequence")
        for name, seq in (used | {name: max(seq, used.get(name, 0)) for name, seq in numbers}).items():
            connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, seq))
    for sha256 in gone:
        path_of(pictures, sha256).unlink(missing_ok=True)
    return back


@contextmanager
def _transaction(file: Path, *, write: bool) -> Iterator[Connection]:
    engine = engine_of(file, write=write)
    try:
        with translated(file), engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _exchange(file: Path, database: Path, photos: Path, pictures: Path) -> tuple[Path, ...]:
    """Photos first, the database last and in one step: at no moment is its name without a whole database."""
    os.sync()
    stamp = f"before-restore-{now():%Y%m%dT%H%M%S%fZ}"
    photos_aside = photos.with_name(f"{photos.name}.{stamp}")
    aside = [photos_aside] if photos.exists() else []
    if aside:
        photos.rename(photos_aside)
    try:
        pictures.rename(photos)
        aside += _set_aside(file, stamp)
        database.replace(file)
    except OSError:
        if photos.exists():
            photos.rename(pictures)
        if photos_aside.exists():
            photos_aside.rename(photos)
        raise
    return tuple(aside)


def _set_aside(file: Path, stamp: str) -> list[Path]:
    """Gives the present database a second name, its log folded in; a log that cannot be folded in goes with it."""
    if not file.exists():
        return []
    with suppress(sqlite3.Error), closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    aside = file.with_name(f"{file.name}.{stamp}")
    moved = [aside]
    for log, name in zip(_logs(file), _logs(aside), strict=True):
        if log.exists():
            log.rename(name)
            moved.append(name)
    try:
        os.link(file, aside)
    except OSError:  # a file system without hard links: then there is a moment without the name
        file.rename(aside)
    return moved


def _clear(database: Path, pictures: Path) -> None:
    for path in (database, *_logs(database)):
        path.unlink(missing_ok=True)
    shutil.rmtree(pictures, ignore_errors=True)


def _logs(file: Path) -> tuple[Path, Path]:
    """What SQLite keeps beside a file while it is open, or after a crash."""
    return file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")
