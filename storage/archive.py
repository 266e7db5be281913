"""The one file of a backup: a zip with the database, the photos and a manifest that says what must be in it.

What is read back was perhaps not written here: every name, size and hash is checked before anything is believed.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from bot.errors import StorageError
from storage import codec

#: Told the bytes done and the bytes in all.
Progress = Callable[[int, int], None]

DATABASE = "bot.db"
MANIFEST = "manifest.json"
_FORMAT = 1
_PHOTO = re.compile(r"photos/([0-9a-f]{2})/(\1[0-9a-f]{62})\.jpg")
_CHUNK = 1 << 20
_MANIFEST_BYTES = 1 << 16
#: A database shrinks by 3 to 40 in the archive; a bomb by 1,000.
_MOST_SHRINK = 200
_SMALL = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds."""

    format: int = _FORMAT
    made: datetime
    revision: str
    database_bytes: int
    database_sha256: str
    photos: int
    photo_bytes: int
    #: Rows by table.
    rows: tuple[tuple[str, int], ...]
    #: Photos that the database knows and whose files were not there.
    missing: int = 0


def photo_name(sha256: str) -> str:
    return f"photos/{sha256[:2]}/{sha256}.jpg"


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pour(source: IO[bytes], target: IO[bytes], told: Callable[[int], None]) -> int:
    """Copies in pieces; ``told`` hears of each. Returns the bytes."""
    whole = 0
    while piece := source.read(_CHUNK):
        target.write(piece)
        whole += len(piece)
        told(len(piece))
    return whole


class Counter:
    """Adds up what was poured for a progress bar."""

    def __init__(self, whole: int, progress: Progress) -> None:
        self._done = 0
        self._whole = whole
        self._progress = progress

    def __call__(self, more: int) -> None:
        self._done += more
        self._progress(self._done, self._whole)


def write_manifest(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    archive.writestr(MANIFEST, json.dumps(codec.dump(manifest), indent=1))


@contextmanager
def opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """A backup whose names and sizes agree with its manifest. Raises :class:`~bot.errors.StorageError`.

    Also what is raised while it is read – a cut file, a wrong checksum – leaves as that error.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(path, archive)
            _judge(path, archive, manifest)
            yield archive, manifest
    except FileNotFoundError as exc:
        raise StorageError(f"{exc.filename}: there is no such file") from exc
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as exc:
        raise StorageError(f"{path}: the file is damaged, cut off or no backup ({exc}); take another one") from exc
    except OSError as exc:
        raise StorageError(f"{path}: cannot be read or unpacked ({exc.strerror or exc})") from exc


def unpack(
    path: Path, archive: zipfile.ZipFile, manifest: Manifest, database: Path, photos: Path, told: Counter
) -> None:
    """Writes the database and the photos out. Raises what :func:`opened` translates."""
    free = shutil.disk_usage(database.parent).free
    needed = manifest.database_bytes + manifest.photo_bytes
    if needed > free:
        raise StorageError(f"{path}: needs {needed:,} bytes, and {free:,} are free in {database.parent}; make room")
    with archive.open(DATABASE) as source, database.open("wb") as target:
        pour(source, target, told)
    if sha256_of(database) != manifest.database_sha256:
        raise StorageError(f"{path}: the database in it is not the one that was backed up; take another file")
    for info in archive.infolist():
        if match := _PHOTO.fullmatch(info.filename):
            target_path = photos / match[1] / f"{match[2]}.jpg"
            target_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with archive.open(info) as source, target_path.open("wb") as target:
                pour(source, target, told)


def _manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    try:
        info = archive.getinfo(MANIFEST)
    except KeyError as exc:
        raise StorageError(f"{path}: this is no backup of this program; it has no manifest") from exc
    if info.file_size > _MANIFEST_BYTES:
        raise StorageError(f"{path}: its manifest is too large; this is no backup of this program")
    try:
        data = json.loads(archive.read(info))
        manifest = codec.load(Manifest, data)
    except (ValueError, StorageError, AttributeError) as exc:
        raise StorageError(f"{path}: its manifest cannot be read; take another file") from exc
    if manifest.format != _FORMAT:
        raise StorageError(f"{path}: made by a newer version of this program (format {manifest.format}); update first")
    return manifest


def _judge(path: Path, archive: zipfile.ZipFile, manifest: Manifest) -> None:
    """Names, sizes and kinds of everything in it, before a byte is unpacked."""
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if len(set(names)) != len(names):
        raise StorageError(f"{path}: holds a name twice; this is no backup of this program")
    photos = [info for info in infos if _PHOTO.fullmatch(info.filename)]
    strange = set(names) - {info.filename for info in photos} - {DATABASE, MANIFEST}
    if strange:
        raise StorageError(f"{path}: holds {len(strange)} files that no backup has; not unpacked")
    if DATABASE not in names:
        raise StorageError(f"{path}: holds no database; take another file")
    database = archive.getinfo(DATABASE)
    sizes = (database.file_size, len(photos), sum(info.file_size for info in photos))
    if sizes != (manifest.database_bytes, manifest.photos, manifest.photo_bytes):
        raise StorageError(f"{path}: what is in it is not what its manifest says; take another file")
    if any(info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size for info in photos):
        raise StorageError(f"{path}: its photos are packed as no backup packs them; not unpacked")
    if database.file_size > max(_SMALL, _MOST_SHRINK * database.compress_size):
        raise StorageError(f"{path}: its database would unpack to {database.file_size:,} bytes; not unpacked")
