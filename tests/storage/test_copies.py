from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.errors import StorageError
from storage import archive, copies, schema
from storage.copies import backup, restore
from storage.photos import PhotoFiles, erase, path_of
from storage.store import open_store
from tests.storage.values import ANNA, BORIS, exchange, message, photo, reply, sent


@dataclass
class Picture:
    jpeg: bytes
    width: int = 8
    height: int = 8


async def normalise(data: bytes) -> Picture:
    return Picture(b"\xff\xd8" + data)


def silent(_: int, __: int) -> None: ...


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return tmp_path / "data" / "photos"


async def live(url: str, photos: Path, words: str = "在吗") -> None:
    async with open_store(url) as store:
        files = PhotoFiles(store.database, photos, normalise)
        for who in (ANNA, BORIS):
            photo = await files.add(who, f"picture of {who.id} {words}".encode())
            await store.accept([message(words, words, customer=who, photos=(photo,))])
            talk = await store.conversation(who, language="zh")
            await store.finish(talk, await store.events(who), [exchange(words)], [reply(customer=who)])


async def told(url: str) -> list[str]:
    async with open_store(url) as store:
        return [row.turn.text for who in (ANNA, BORIS) for row in await store.history(who)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def lose_one(photos: Path) -> None:
    next(photos.rglob("*.jpg")).unlink()


def spoil(file: Path) -> None:
    file.write_bytes(b"\x00rubbish" * 1000)
    file.with_name(f"{file.name}-wal").write_bytes(b"half a log")


def jpegs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.jpg")}


async def test_a_backup_comes_back_whole(url: str, file: Path, photos: Path, tmp_path: Path) -> None:
    await live(url, photos)
    seen: list[tuple[int, int]] = []
    manifest = backup(url, photos, tmp_path / "b.zip", lambda done, whole: seen.append((done, whole)))
    assert (manifest.photos, manifest.missing, manifest.revision) == (2, 0, schema.head())
    assert dict(manifest.rows)["events"] == 2
    assert seen[-1][0] == seen[-1][1] == manifest.database_bytes + manifest.photo_bytes
    assert stat.S_IMODE((tmp_path / "b.zip").stat().st_mode) == 0o600
    assert names(tmp_path) == ["b.zip", "data"]
    kept = jpegs(photos)

    await live(url, photos, "后来")
    restored = restore(tmp_path / "b.zip", url, photos, in_use=False, progress=silent)
    assert restored.manifest == manifest
    assert restored.erased_again == 0
    assert await told(url) == ["在吗", "在的。"] * 2
    assert jpegs(photos) == kept
    # What was there is still there, under another name.
    database_aside = next(path for path in restored.aside if path.name.startswith("bot.db"))
    photos_aside = next(path for path in restored.aside if path.name.startswith("photos"))
    assert "before-restore-" in database_aside.name
    assert await told(f"sqlite:///{database_aside}") == ["在吗", "在的。", "后来", "在的。"] * 2
    assert len(jpegs(photos_aside)) == 4
    assert not list(file.parent.glob("*.restoring*"))


async def test_a_backup_comes_back_on_an_empty_machine(url: str, photos: Path, tmp_path: Path) -> None:
    await live(url, photos)
    backup(url, photos, tmp_path / "b.zip", silent)
    other = tmp_path / "other"
    restored = restore(tmp_path / "b.zip", f"sqlite:///{other}/bot.db", other / "p", in_use=False, progress=silent)
    assert restored.aside == ()
    assert await told(f"sqlite:///{other}/bot.db") == ["在吗", "在的。"] * 2
    assert jpegs(other / "p") == jpegs(photos)


async def test_a_backup_is_of_one_moment_while_the_bot_writes(url: str, photos: Path, tmp_path: Path) -> None:
    async with open_store(url) as store:
        begun = asyncio.Event()

        async def write() -> None:
            for number in range(10_000):
                who = (ANNA, BORIS)[number % 2]
                await store.accept([message(str(number), customer=who), message(f"{number}+", customer=who)])
                begun.set()

        writing = asyncio.create_task(write())
        try:
            await begun.wait()
            manifest = await asyncio.to_thread(backup, url, photos, tmp_path / "b.zip", silent)
            assert not writing.done()
        finally:
            writing.cancel()
    rows = dict(manifest.rows)
    assert rows["events"] == rows["said"] > 0
    assert rows["events"] % 2 == 0


async def test_a_backup_makes_no_folder_that_was_not_meant(url: str, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"copies: there is no such folder; make it, or name another place"):
        backup(url, photos, tmp_path / "copies" / "b.zip", silent)
    assert not (tmp_path / "copies").exists()


async def test_a_photo_that_is_lost_does_not_stop_a_backup(url: str, photos: Path, tmp_path: Path) -> None:
    await live(url, photos)
    lose_one(photos)
    manifest = backup(url, photos, tmp_path / "b.zip", silent)
    assert (manifest.photos, manifest.missing) == (1, 1)
    restore(tmp_path / "b.zip", url, photos, in_use=False, progress=silent)


async def test_a_photo_that_is_still_being_written_is_no_part_of_a_backup_and_not_missing_in_it(
    url: str, photos: Path, tmp_path: Path
) -> None:
    """Its row has no size yet: nobody was told that it is kept, and the same bytes are simply added again."""
    await live(url, photos)
    unwritten, unsized = photo("a"), photo("b")
    async with open_store(url) as store:
        await sent(store, ANNA, unwritten, unsized, size=None)
    path = path_of(photos, unsized.sha256)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\xff\xd8 its file stands, its size does not")
    manifest = backup(url, photos, tmp_path / "b.zip", silent)
    assert (manifest.photos, manifest.missing) == (2, 0)
    with zipfile.ZipFile(tmp_path / "b.zip") as archive_:
        assert archive.photo_name(unsized.sha256) not in archive_.namelist()
    restore(tmp_path / "b.zip", url, photos, in_use=False, progress=silent)
    assert len(jpegs(photos)) == 2


def test_a_backup_is_never_written_over(url: str, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_text("precious")
    with pytest.raises(StorageError, match="exists already"):
        backup(url, photos, tmp_path / "b.zip", silent)
    assert (tmp_path / "b.zip").read_text() == "precious"


def test_a_backup_that_cannot_be_made_leaves_nothing(url: str, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no database to back up"):
        backup(f"{url}.other", photos, tmp_path / "b.zip", silent)

    def broken(_: int, __: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="No space left on device"):
        backup(url, photos, tmp_path / "b.zip", broken)
    assert names(tmp_path) == ["data"]


async def test_restore_is_refused_while_a_bot_runs(url: str, photos: Path, tmp_path: Path) -> None:
    await live(url, photos)
    backup(url, photos, tmp_path / "b.zip", silent)
    with pytest.raises(StorageError, match="a bot runs on this data; stop it first"):
        restore(tmp_path / "b.zip", url, photos, in_use=True, progress=silent)
    assert len(jpegs(photos)) == 2


async def test_who_was_erased_stays_erased_through_a_restore(
    url: str, file: Path, photos: Path, tmp_path: Path
) -> None:
    await live(url, photos, "梧桐路十七号")
    backup(url, photos, tmp_path / "b.zip", silent)
    async with open_store(url) as store:
        erased = await erase(store, PhotoFiles(store.database, photos, normalise), ANNA)
        await store.accept([message("again", "我又来了")])
        numbers = (await store.conversation(ANNA, language="zh")).id
    restored = restore(tmp_path / "b.zip", url, photos, in_use=False, progress=silent)
    assert restored.erased_again == 1
    assert not any(sha256 in name for sha256 in erased.photos for name in jpegs(photos))
    async with open_store(url) as store:
        assert await store.history(ANNA) == []
        assert [row.turn.text for row in await store.history(BORIS)] == ["梧桐路十七号", "在的。"]
        assert set(erased.photos) <= set((await store.tombstones()).photos)
        # Row numbers go on: no engine takes a new conversation for one that it remembers.
        assert (await store.begin(ANNA, language="zh")).id > numbers


async def test_who_came_back_before_the_backup_stays(url: str, photos: Path, tmp_path: Path) -> None:
    await live(url, photos)
    async with open_store(url) as store:
        await store.erase(ANNA)
        await store.accept([message("again", "我又来了")])
    backup(url, photos, tmp_path / "b.zip", silent)
    assert restore(tmp_path / "b.zip", url, photos, in_use=False, progress=silent).erased_again == 0
    assert (await told(url))[0] == "我又来了"


async def test_another_shop_s_backup_is_put_in_place_as_it_is(url: str, photos: Path, tmp_path: Path) -> None:
    await live(url, photos)
    backup(url, photos, tmp_path / "b.zip", silent)
    other = f"sqlite:///{tmp_path}/other/bot.db"
    schema.migrate(other, tmp_path)
    async with open_store(other) as store:
        await store.accept([message("1")])
        await store.erase(ANNA)
    restored = restore(tmp_path / "b.zip", other, tmp_path / "other" / "photos", in_use=False, progress=silent)
    assert restored.erased_again == 0
    assert await told(other) == ["在吗", "在的。"] * 2


async def test_a_number_that_the_backup_gave_away_is_given_to_nobody_else(
    url: str, photos: Path, tmp_path: Path
) -> None:
    """Also in the place of a database that has not come as far: no row tells of the erased who had it."""
    await live(url, photos)
    async with open_store(url) as store:
        given = (await store.begin(BORIS, language="zh")).id
        await store.erase(BORIS)
    backup(url, photos, tmp_path / "b.zip", silent)
    other = f"sqlite:///{tmp_path}/other/bot.db"
    schema.migrate(other, tmp_path)
    async with open_store(other) as store:
        assert (await store.begin(ANNA, language="zh")).id < given
    restore(tmp_path / "b.zip", other, tmp_path / "other" / "photos", in_use=False, progress=silent)
    async with open_store(other) as store:
        assert (await store.begin(ANNA, language="zh")).id > given


async def test_a_damaged_database_can_be_replaced(url: str, file: Path, photos: Path, tmp_path: Path) -> None:
    await live(url, photos)
    backup(url, photos, tmp_path / "b.zip", silent)
    spoil(file)
    restored = restore(tmp_path / "b.zip", url, photos, in_use=False, progress=silent)
    assert any(path.read_bytes() == b"\x00rubbish" * 1000 for path in restored.aside if path.is_file())
    assert await told(url) == ["在吗", "在的。"] * 2


async def test_an_exchange_that_fails_half_way_is_taken_back(
    url: str, file: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live(url, photos)
    backup(url, photos, tmp_path / "b.zip", silent)
    await live(url, photos, "后来")
    kept = jpegs(photos)

    def refuse(_: Path, __: str) -> list[Path]:
        raise OSError(1, "Operation not permitted", str(file))

    monkeypatch.setattr(copies, "_set_aside", refuse)
    with pytest.raises(StorageError, match="Operation not permitted"):
        restore(tmp_path / "b.zip", url, photos, in_use=False, progress=silent)
    assert jpegs(photos) == kept
    assert len(await told(url)) == 8


# ------------------------------------------------------------------------------------------------ hostile and broken


Change = Callable[[dict[str, bytes], dict[str, Any]], None]


def rewritten(source: Path, dest: Path, change: Change, method: int = zipfile.ZIP_STORED) -> Path:
    """A backup with other contents or another manifest; its photos packed by ``method``."""
    with zipfile.ZipFile(source) as archive_:
        files = {name: archive_.read(name) for name in archive_.namelist() if name != archive.MANIFEST}
        manifest = json.loads(archive_.read(archive.MANIFEST))
    change(files, manifest)
    with zipfile.ZipFile(dest, "w") as made:
        for name, data in files.items():
            made.writestr(name, data, zipfile.ZIP_DEFLATED if name == archive.DATABASE else method)
        if manifest:
            made.writestr(archive.MANIFEST, json.dumps(manifest))
    return dest


def no_change(_: dict[str, bytes], __: dict[str, Any]) -> None: ...


def climb(files: dict[str, bytes], _: dict[str, Any]) -> None:
    files["../../evil.jpg"] = b"x"


def absolute(files: dict[str, bytes], _: dict[str, Any]) -> None:
    files["/tmp/evil.jpg"] = b"x"


def disguised(files: dict[str, bytes], _: dict[str, Any]) -> None:
    files[f"photos/ab/{'cd' * 32}.jpg"] = b"x"


def one_more(files: dict[str, bytes], _: dict[str, Any]) -> None:
    files[f"photos/ab/{'ab' * 32}.jpg"] = b"x"


def one_less(files: dict[str, bytes], _: dict[str, Any]) -> None:
    files.pop(next(name for name in files if name.startswith("photos/")))


def swapped(files: dict[str, bytes], _: dict[str, Any]) -> None:
    files[archive.DATABASE] = files[archive.DATABASE][:-1] + b"\x01"


def no_database(files: dict[str, bytes], _: dict[str, Any]) -> None:
    del files[archive.DATABASE]


def bomb(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    files[archive.DATABASE] = bytes(40 << 20)
    manifest["database_bytes"] = 40 << 20


def no_manifest(_: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest.clear()


def strange_manifest(_: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["made"] = "yesterday"


def huge_manifest(_: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["padding"] = "x" * 100_000


def later_format(_: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["format"] = 2


def other_revision(_: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["revision"] = "0000"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (climb, "holds 1 files that no backup has; not unpacked"),
        (absolute, "holds 1 files that no backup has; not unpacked"),
        (disguised, "holds 1 files that no backup has; not unpacked"),
        (one_more, "what is in it is not what its manifest says"),
        (one_less, "what is in it is not what its manifest says"),
        (swapped, "the database in it is not the one that was backed up"),
        (no_database, "holds no database"),
        (bomb, "would unpack to 41,943,040 bytes; not unpacked"),
        (no_manifest, "this is no backup of this program"),
        (strange_manifest, "its manifest cannot be read"),
        (huge_manifest, "its manifest is too large"),
        (later_format, r"made by a newer version of this program \(format 2\)"),
        (other_revision, "not of the revision that its manifest says"),
    ],
)
async def test_a_hostile_archive_is_refused_and_nothing_is_touched(
    url: str, file: Path, photos: Path, tmp_path: Path, change: Change, sentence: str
) -> None:
    await live(url, photos)
    backup(url, photos, tmp_path / "b.zip", silent)
    bad = rewritten(tmp_path / "b.zip", tmp_path / "bad.zip", change)
    await refused(bad, url, photos, sentence)
    assert names(tmp_path) == ["b.zip", "bad.zip", "data"]


async def refused(bad: Path, url: str, photos: Path, sentence: str) -> None:
    before = jpegs(photos)
    with pytest.raises(StorageError, match=sentence):
        restore(bad, url, photos, in_use=False, progress=silent)
    assert jpegs(photos) == before
    assert await told(url) == ["在吗", "在的。"] * 2
    assert not list(photos.parent.glob("*restor*"))


async def test_photos_that_would_swell_are_refused(url: str, photos: Path, tmp_path: Path) -> None:
    await live(url, photos)
    backup(url, photos, tmp_path / "b.zip", silent)
    bad = rewritten(tmp_path / "b.zip", tmp_path / "bad.zip", no_change, zipfile.ZIP_DEFLATED)
    await refused(bad, url, photos, "its photos are packed as no backup packs them")


@pytest.mark.parametrize("more", [1_000, -3])
async def test_a_photo_that_announces_another_size_than_it_has_is_refused(
    url: str, photos: Path, tmp_path: Path, more: int
) -> None:
    """Not packed, so it takes what it is: who believed the announced size would take half a photo for a whole one."""
    await live(url, photos)
    backup(url, photos, tmp_path / "b.zip", silent)

    def announce(_: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest["photo_bytes"] += more

    bad = rewritten(tmp_path / "b.zip", tmp_path / "bad.zip", announce)
    with zipfile.ZipFile(bad, "a") as archive_:
        next(info for info in archive_.infolist() if info.filename.startswith("photos/")).file_size += more
        archive_.comment = b"has the list of contents written anew"
    await refused(bad, url, photos, "its photos are packed as no backup packs them")


async def test_a_name_that_stands_twice_is_refused(url: str, photos: Path, tmp_path: Path) -> None:
    await live(url, photos)
    backup(url, photos, tmp_path / "b.zip", silent)
    with zipfile.ZipFile(tmp_path / "b.zip", "a") as archive_, pytest.warns(UserWarning, match="Duplicate name"):
        archive_.writestr(archive.DATABASE, b"another")
    await refused(tmp_path / "b.zip", url, photos, "holds a name twice")


@pytest.mark.parametrize("keep", [0, 10, 5_000, -30])
async def test_a_file_that_was_cut_off_is_refused(url: str, photos: Path, tmp_path: Path, keep: int) -> None:
    await live(url, photos)
    backup(url, photos, tmp_path / "b.zip", silent)
    whole = (tmp_path / "b.zip").read_bytes()
    (tmp_path / "bad.zip").write_bytes(whole[:keep])
    await refused(tmp_path / "bad.zip", url, photos, "damaged, cut off or no backup")


async def test_a_photo_that_changed_on_the_way_is_refused(url: str, photos: Path, tmp_path: Path) -> None:
    await live(url, photos)
    backup(url, photos, tmp_path / "b.zip", silent)
    whole = (tmp_path / "b.zip").read_bytes()
    (tmp_path / "bad.zip").write_bytes(whole.replace(b"\xff\xd8picture", b"\xff\xd8pictuRe", 1))
    await refused(tmp_path / "bad.zip", url, photos, "damaged, cut off or no backup")


async def test_a_database_of_a_later_version_is_refused(url: str, file: Path, photos: Path, tmp_path: Path) -> None:
    await live(url, photos)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    backup(url, photos, tmp_path / "b.zip", silent)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (schema.head(),))
    await refused(tmp_path / "b.zip", url, photos, "made by a newer version of this program")


async def test_a_database_that_carries_code_is_refused(url: str, file: Path, photos: Path, tmp_path: Path) -> None:
    await live(url, photos)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TRIGGER evil AFTER INSERT ON events BEGIN DELETE FROM marks; END")
    backup(url, photos, tmp_path / "b.zip", silent)
    await refused(tmp_path / "b.zip", url, photos, "the tables are not those of revision")


async def test_too_little_room_is_said_before_anything_is_written(
    url: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live(url, photos)
    backup(url, photos, tmp_path / "b.zip", silent)

    @dataclass
    class Usage:
        free: int = 1000

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage())
    await refused(tmp_path / "b.zip", url, photos, "1,000 are free")


async def test_a_file_that_is_not_there_is_named(url: str, photos: Path, tmp_path: Path) -> None:
    await live(url, photos)
    await refused(tmp_path / "none.zip", url, photos, "there is no such file")
    await refused(tmp_path, url, photos, "cannot be read")
