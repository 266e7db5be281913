"""Photos as files: ``photos/ab/abcd….jpg``, named by the SHA-256 of what arrived, kept only as the normalised JPEG.

The row, with its owner, stands before the file does, and tells its size once it is written, whole or not at all. So at
every moment an erasure finds what there is; after a crash between the two, the same bytes are simply added again.
Several hosts may share the folder.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.errors import Erased as CustomerErased
from bot.errors import StorageError, Unkept
from bot.model import Customer, Photo
from bot.ports import Erased, Store
from storage.customers import as_photo, own
from storage.database import Database
from storage.tables import photos, tombstones

T = TypeVar("T")

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Normalised(Protocol):
    """What normalising a picture gives: a JPEG and its pixels."""

    @property
    def jpeg(self) -> bytes: ...

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...


Normalise = Callable[[bytes], Awaitable[Normalised]]


def path_of(folder: Path, sha256: str) -> Path:
    """Where a photo's file is. Raises :class:`~bot.errors.StorageError` for what is no SHA-256: no path of others'."""
    if not _SHA256.fullmatch(sha256):
        raise StorageError("a photo is named by 64 hex digits; this name is not one")
    return folder / sha256[:2] / f"{sha256}.jpg"


class PhotoFiles:
    """Implements :class:`bot.ports.PhotoStore`."""

    def __init__(self, database: Database, folder: Path, normalise: Normalise) -> None:
        self._db = database
        self._folder = folder
        self._normalise = normalise
        self._adding = asyncio.Lock()
        self._trouble: str | None = None

    def ready(self) -> str | None:
        return self._trouble

    async def add(self, customer: Customer, data: bytes, *, event: str | None = None) -> Photo:
        sha256 = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        if (known := await self._known(customer, sha256, event)) is not None:
            return known
        async with self._adding:  # the same photo twice in one album is normalised once
            if (known := await self._known(customer, sha256, event)) is not None:
                return known
            made = await self._tried(self._normalise(data))
            photo = Photo(sha256=sha256, media_type="image/jpeg", width=made.width, height=made.height)
            await self._db.write(lambda connection: own(connection, customer, photo, None, event=event))
            await self._tried(asyncio.to_thread(_write, path_of(self._folder, sha256), made.jpeg))
            self._trouble = None
            try:
                await self._db.write(lambda connection: own(connection, customer, photo, len(made.jpeg), event=event))
            except CustomerErased:
                # Between the row and the file: whoever erased him may have looked before the file was there.
                await self.remove([sha256])
                raise
            return photo

    def read(self, sha256: str) -> bytes:
        path = path_of(self._folder, sha256)
        try:
            return path.read_bytes()
        except FileNotFoundError as exc:
            raise StorageError(f"{path}: the photo is not there; it was erased, or its file was lost") from exc
        except OSError as exc:
            raise StorageError(f"{path}: the photo cannot be read ({exc.strerror})") from exc

    async def remove(self, gone: Iterable[str]) -> None:
        """Deletes the files of photos that are nobody's any more; what is gone already is no error.

        Raises :class:`~bot.errors.StorageError`. In the one transaction that may write, on all processes: who sends the
        same photo in this moment has his row before it, and keeps the file, or after it, and writes it anew.
        """
        paths = {sha256: path_of(self._folder, sha256) for sha256 in gone}
        if paths:
            await self._db.write(
                lambda connection: _remove(path for sha256, path in paths.items() if not _kept(connection, sha256))
            )

    async def remove_erased(self) -> None:
        """Finishes erasures that a crash cut off between the rows and the files; once, at start."""
        await self.remove(await self._db.read(_gone))

    async def _tried(self, step: Awaitable[T]) -> T:
        """A step that needs more than the database: what fails there is told until a photo is kept again."""
        try:
            return await step
        except Unkept as exc:
            self._trouble = str(exc)
            raise

    async def _known(self, customer: Customer, sha256: str, event: str | None) -> Photo | None:
        """A photo that is here already, from now on this customer's too."""
        photo = await self._db.write(lambda connection: _share(connection, customer, sha256, event))
        return photo if photo is not None and path_of(self._folder, sha256).exists() else None


async def erase(store: Store, files: PhotoFiles, customer: Customer) -> Erased:
    """Erases a customer, rows and files. The engines are told what :class:`~bot.ports.Erased` names afterwards."""
    erased = await store.erase(customer)
    await files.remove(erased.photos)
    return erased


def _share(connection: Connection, customer: Customer, sha256: str, event: str | None) -> Photo | None:
    """The photo that arrived under this hash, if its file was written: this customer sent it too."""
    query = sa.select(photos).where(photos.c.sha256 == sha256, photos.c.bytes.is_not(None))
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    photo = as_photo(row)
    own(connection, customer, photo, row.bytes, event=event)
    return photo


def _kept(connection: Connection, sha256: str) -> bool:
    return connection.execute(sa.select(photos.c.sha256).where(photos.c.sha256 == sha256)).first() is not None


def _gone(connection: Connection) -> list[str]:
    """Photos that an erasure took and nobody has sent since: their files must not be there."""
    query = (
        sa.select(tombstones.c.key)
        .outerjoin(photos, photos.c.sha256 == tombstones.c.key)
        .where(tombstones.c.kind == "photo", photos.c.sha256.is_(None))
    )
    return list(connection.execute(query).scalars())


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as exc:
            raise StorageError(f"{path}: the photo cannot be removed ({exc.strerror}); remove it by hand") from exc


def _write(path: Path, data: bytes) -> None:
    """The whole file under its name, and on the disk, or nothing. Raises :class:`~bot.errors.Unkept`."""
    temporary = path.with_name(f".{path.stem[:16]}-{secrets.token_hex(6)}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync(path.parent)
    except OSError as exc:
        raise Unkept(f"{path}: the photo cannot be written ({exc.strerror}); make room or mend the rights") from exc


def _sync(folder: Path) -> None:
    """Makes a rename last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
