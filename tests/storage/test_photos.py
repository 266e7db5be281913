from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from bot.errors import Erased, PhotoError, StorageError
from bot.model import Customer, Photo
from bot.ports import Erased as ErasedOf
from storage import customers, photos
from storage.photos import PhotoFiles, path_of
from storage.store import SqlStore
from tests.storage.values import ANNA, BORIS, message


@dataclass
class Picture:
    jpeg: bytes
    width: int = 768
    height: int = 1024


class Normaliser:
    """Stands in for the picture room: counts its work, and refuses one kind of bytes."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, data: bytes) -> Picture:
        self.calls += 1
        await asyncio.sleep(0)
        if data == b"broken":
            raise PhotoError("broken", "cut off")
        return Picture(b"\xff\xd8" + data)


@pytest.fixture
def normalise() -> Normaliser:
    return Normaliser()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "photos"


@pytest.fixture
def files(store: SqlStore, folder: Path, normalise: Normaliser) -> PhotoFiles:
    return PhotoFiles(store.database, folder, normalise)


def on_disk(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def test_a_photo_is_named_by_what_arrived_and_kept_as_the_normalised_one(files: PhotoFiles, folder: Path) -> None:
    photo = await files.add(ANNA, b"one")
    name = hashlib.sha256(b"one").hexdigest()
    assert (photo.sha256, photo.media_type, photo.width, photo.height) == (name, "image/jpeg", 768, 1024)
    assert files.read(name) == b"\xff\xd8one"
    assert on_disk(folder) == [f"{name[:2]}/{name}.jpg"]


async def test_a_photo_is_on_the_disk_before_it_has_its_name_and_its_name_before_its_row_tells_its_size(
    files: PhotoFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut a name would else stand over half a photo, or a row vouch for one without a name."""
    path = path_of(folder, hashlib.sha256(b"one").hexdigest())
    steps: list[tuple[str, int, bool]] = []

    def recorded(descriptor: int) -> None:
        of = os.fstat(descriptor)
        steps.append(("folder" if stat.S_ISDIR(of.st_mode) else f"{of.st_size} bytes", of.st_ino, path.exists()))

    def owned(
        connection: Connection, customer: Customer, photo: Photo, size: int | None, *, event: str | None = None
    ) -> None:
        if size is not None:
            steps.append(("row", 0, path.exists()))
        customers.own(connection, customer, photo, size, event=event)

    monkeypatch.setattr("storage.photos.os.fsync", recorded)
    monkeypatch.setattr(photos, "own", owned)
    await files.add(ANNA, b"one")
    assert steps == [
        (f"{len(b'one') + 2} bytes", path.stat().st_ino, False),
        ("folder", path.parent.stat().st_ino, True),
        ("row", 0, True),
    ]


async def test_the_same_bytes_are_normalised_once(files: PhotoFiles, normalise: Normaliser) -> None:
    first, second = await asyncio.gather(files.add(ANNA, b"one"), files.add(ANNA, b"one"))
    assert first == second == await files.add(ANNA, b"one")
    assert normalise.calls == 1


async def test_a_picture_that_cannot_be_used_leaves_nothing(files: PhotoFiles, folder: Path) -> None:
    with pytest.raises(PhotoError):
        await files.add(ANNA, b"broken")
    assert on_disk(folder) == []


async def test_a_crash_between_file_and_row_heals_itself(files: PhotoFiles, folder: Path, store: SqlStore) -> None:
    photo = await files.add(ANNA, b"one")
    await store.database.write(lambda c: c.exec_driver_sql("UPDATE photos SET bytes = NULL"))
    assert await store.photo(ANNA, photo.sha256) is None
    assert await files.add(ANNA, b"one") == photo
    assert len(on_disk(folder)) == 1


async def test_a_lost_file_is_written_anew_when_the_bytes_come_again(files: PhotoFiles, folder: Path) -> None:
    photo = await files.add(ANNA, b"one")
    path_of(folder, photo.sha256).unlink()
    with pytest.raises(StorageError, match="the photo is not there"):
        files.read(photo.sha256)
    assert await files.add(ANNA, b"one") == photo
    assert files.read(photo.sha256) == b"\xff\xd8one"


async def test_who_sent_a_photo_owns_it_and_nobody_else(files: PhotoFiles, store: SqlStore) -> None:
    one, two = await files.add(ANNA, b"one"), await files.add(BORIS, b"two")
    assert await files.add(ANNA, b"one") == one  # told twice, he owns it once
    assert await store.photo(ANNA, one.sha256) == one
    assert await store.photo(BORIS, one.sha256) is None
    assert await store.photo(ANNA, two.sha256) is None


async def test_who_sends_a_known_photo_owns_it_too_and_it_is_not_normalised_again(
    files: PhotoFiles, store: SqlStore, normalise: Normaliser
) -> None:
    photo = await files.add(ANNA, b"one")
    assert await files.add(BORIS, b"one") == photo
    assert await store.photo(BORIS, photo.sha256) == photo
    assert normalise.calls == 1
    assert (await store.erase(ANNA)).photos == ()
    assert (await store.erase(BORIS)).photos == (photo.sha256,)


async def test_a_photo_that_was_cut_off_at_any_point_is_found_by_erasing(
    store: SqlStore, folder: Path, normalise: Normaliser, tmp_path: Path
) -> None:
    # Where its folder belongs stands a file: the power might as well have gone between the row and the file.
    (tmp_path / "blocked").write_text("")
    sha256 = hashlib.sha256(b"one").hexdigest()
    with pytest.raises(StorageError, match="the photo cannot be written"):
        await PhotoFiles(store.database, tmp_path / "blocked", normalise).add(ANNA, b"one")
    # Or between the file and its size.
    path = path_of(folder, sha256)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xd8one")
    erased = await photos.erase(store, PhotoFiles(store.database, folder, normalise), ANNA)
    assert erased.photos == (sha256,)
    assert on_disk(folder) == []


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n", "g" * 64])
async def test_what_is_no_hash_reaches_no_file(files: PhotoFiles, name: str) -> None:
    with pytest.raises(StorageError, match="64 hex digits"):
        files.read(name)
    with pytest.raises(StorageError, match="64 hex digits"):
        await files.remove([name])


async def test_only_the_owner_of_the_data_reads_the_files(files: PhotoFiles, folder: Path) -> None:
    photo = await files.add(ANNA, b"one")
    path = path_of(folder, photo.sha256)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_folder_that_cannot_be_written_is_named(store: SqlStore, normalise: Normaliser, tmp_path: Path) -> None:
    (tmp_path / "photos").write_text("a file where the folder belongs")
    with pytest.raises(StorageError, match="the photo cannot be written"):
        await PhotoFiles(store.database, tmp_path / "photos", normalise).add(ANNA, b"one")


async def test_a_photo_that_cannot_be_read_or_removed_is_named(files: PhotoFiles, folder: Path) -> None:
    path_of(folder, "a" * 64).mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be read"):
        files.read("a" * 64)
    with pytest.raises(StorageError, match="remove it by hand"):
        await files.remove(["a" * 64])


async def test_erasing_takes_the_files_that_nobody_else_sent(store: SqlStore, files: PhotoFiles, folder: Path) -> None:
    own, shared = await files.add(ANNA, b"own"), await files.add(ANNA, b"shared")
    await files.add(BORIS, b"shared")
    erased = await photos.erase(store, files, ANNA)
    assert erased.photos == (own.sha256,)
    assert on_disk(folder) == [f"{shared.sha256[:2]}/{shared.sha256}.jpg"]
    assert files.read(shared.sha256)


async def test_who_sends_the_same_photo_during_an_erasure_keeps_it(
    store: SqlStore, files: PhotoFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await files.add(ANNA, b"one")
    erase = store.erase

    async def slow(customer: Customer) -> ErasedOf:
        erased = await erase(customer)
        await files.add(BORIS, b"one")
        return erased

    monkeypatch.setattr(store, "erase", slow)
    assert (await photos.erase(store, files, ANNA)).photos == (photo.sha256,)
    assert files.read(photo.sha256)
    await files.remove_erased()
    assert files.read(photo.sha256)


async def test_an_erasure_that_was_cut_off_is_finished_at_the_next_start(
    store: SqlStore, files: PhotoFiles, folder: Path
) -> None:
    photo = await files.add(ANNA, b"own")
    assert (await store.erase(ANNA)).photos == (photo.sha256,)  # and here the power went
    assert len(on_disk(folder)) == 1
    await files.remove_erased()
    assert on_disk(folder) == []
    # Sent again by somebody, it is a photo like any other.
    await files.add(BORIS, b"own")
    await files.remove_erased()
    assert len(on_disk(folder)) == 1


async def test_a_photo_that_was_fetched_for_an_event_never_brings_an_erased_customer_back(
    store: SqlStore, files: PhotoFiles, folder: Path
) -> None:
    await store.accept([message("1")])
    assert await files.add(ANNA, b"one", event="1")
    await files.add(BORIS, b"shared")
    await photos.erase(store, files, ANNA)
    for late in (b"one", b"shared"):
        with pytest.raises(Erased, match="event 1 of web is not kept any more"):
            await files.add(ANNA, late, event="1")
    # He wrote again: another event of his says nothing of the one that was erased.
    await store.accept([message("2")])
    with pytest.raises(Erased):
        await files.add(ANNA, b"one", event="1")
    shared = hashlib.sha256(b"shared").hexdigest()
    assert on_disk(folder) == [f"{shared[:2]}/{shared}.jpg"]
    assert await store.photo(ANNA, shared) is None


async def test_an_erasure_between_a_photos_row_and_its_size_leaves_no_file(
    store: SqlStore, files: PhotoFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.accept([message("1")])
    write, loop = photos._write, asyncio.get_running_loop()

    def erased_meanwhile(path: Path, data: bytes) -> None:
        asyncio.run_coroutine_threadsafe(photos.erase(store, files, ANNA), loop).result()
        write(path, data)

    monkeypatch.setattr(photos, "_write", erased_meanwhile)
    with pytest.raises(Erased):
        await files.add(ANNA, b"one", event="1")
    assert on_disk(folder) == []
    assert await store.customers() == []
