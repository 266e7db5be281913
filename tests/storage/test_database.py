from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from bot.errors import StorageError
from storage.database import Database
from storage.store import SqlStore
from tests.storage.values import ANNA, message


def put(value: str) -> Callable[[Connection], str]:
    def job(connection: Connection) -> str:
        connection.exec_driver_sql("INSERT INTO marks VALUES ('test', ?, '', '2026-01-01 00:00:00')", (value,))
        return value

    return job


async def kept(database: Database) -> list[str]:
    query = "SELECT account FROM marks ORDER BY account"
    return list(await database.read(lambda connection: connection.exec_driver_sql(query).scalars().all()))


class Gate:
    """A job that holds the writer, so that what follows comes to stand in one group."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.leave = threading.Event()

    def __call__(self, connection: Connection) -> None:
        self.entered.set()
        assert self.leave.wait(20)


async def grouped(database: Database, *jobs: Callable[[Connection], object]) -> list[object]:
    """The outcomes of jobs that are committed together."""
    gate = Gate()
    first = asyncio.create_task(database.write(gate))
    await asyncio.to_thread(gate.entered.wait, 20)
    tasks = [asyncio.create_task(database.write(job)) for job in jobs]
    await asyncio.sleep(0)
    gate.leave.set()
    await first
    return list(await asyncio.gather(*tasks, return_exceptions=True))


def fails(connection: Connection) -> None:
    put("half")(connection)
    raise ValueError("a job's own fault")


async def test_one_job_that_fails_takes_no_other_with_it(store: SqlStore) -> None:
    one, wrong, two, twice = await grouped(store.database, put("1"), fails, put("2"), put("1"))
    assert (one, two) == ("1", "2")
    assert isinstance(wrong, ValueError)
    assert isinstance(twice, StorageError)
    assert await kept(store.database) == ["1", "2"]


async def test_a_job_alone_that_fails_leaves_nothing(store: SqlStore) -> None:
    with pytest.raises(ValueError, match="own fault"):
        await store.database.write(fails)
    assert await kept(store.database) == []
    assert await store.database.write(put("3")) == "3"


async def test_a_group_is_one_commit(store: SqlStore, file: Path) -> None:
    commits = 0

    def count(_: Connection) -> None:
        nonlocal commits
        commits += 1

    from sqlalchemy import event

    event.listen(store.database._writer, "commit", count)
    await grouped(store.database, *(put(str(number)) for number in range(100)))
    assert commits == 2  # the gate's, and one for the hundred


async def test_a_job_is_answered_only_after_the_commit(store: SqlStore, file: Path) -> None:
    await store.database.write(put("1"))
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("SELECT count(*) FROM marks").fetchone() == (1,)


async def test_when_the_commit_fails_nobody_is_told_that_it_worked(store: SqlStore) -> None:
    def spoil(connection: Connection) -> None:
        # A reference that is only looked at when the transaction ends: the COMMIT itself is refused.
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        connection.exec_driver_sql("INSERT INTO photo_owners VALUES (77, 'none', '2026-01-01 00:00:00')")

    outcomes = await grouped(store.database, put("1"), spoil, put("2"))
    assert all(isinstance(outcome, StorageError) for outcome in outcomes)
    assert await kept(store.database) == []
    assert await store.database.write(put("3")) == "3"


async def test_a_full_disk_is_told_to_all_who_waited(store: SqlStore) -> None:
    def fill(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        connection.exec_driver_sql("INSERT INTO marks VALUES ('big', '', ?, '2026-01-01 00:00:00')", ("x" * 100_000,))

    outcomes = await grouped(store.database, put("1"), fill, put("2"))
    full = [outcome for outcome in outcomes if isinstance(outcome, StorageError)]
    assert full
    assert all("the disk is full; make room" in str(outcome) for outcome in full)
    told = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert await kept(store.database) == told


def room(pages: int | None) -> Callable[[Connection], None]:
    """A job that leaves the file no more room than it takes, or as many pages as there may be."""

    def job(connection: Connection) -> None:
        most = pages or connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={most}")

    return job


@pytest.mark.parametrize("beside", [[], [put("2")]], ids=["alone", "in a group"])
async def test_a_store_that_refuses_says_so_until_something_is_on_the_disk_again(
    store: SqlStore, beside: list[Callable[[Connection], object]]
) -> None:
    assert store.ready() is None
    await store.database.write(room(None))
    *_, refused = await grouped(store.database, *beside, put("x" * 100_000))
    assert isinstance(refused, StorageError)
    assert store.ready() == str(refused)
    assert "the disk is full; make room" in str(refused)
    # Neither a transaction that writes nothing nor one that fails by itself tells that there is room.
    await store.database.write(room(1_000_000))
    await grouped(store.database, fails, fails)
    assert store.ready() == str(refused)
    await store.database.write(put("1"))
    assert store.ready() is None


async def test_what_a_job_does_wrong_is_no_trouble_of_the_store(store: SqlStore) -> None:
    await store.database.write(put("1"))
    for job in (put("1"), fails):
        with pytest.raises((StorageError, ValueError)):
            await store.database.write(job)
        await grouped(store.database, job, job)
    assert store.ready() is None


async def test_who_stops_waiting_does_not_stop_the_job(store: SqlStore) -> None:
    gate = Gate()
    first = asyncio.create_task(store.database.write(gate))
    await asyncio.to_thread(gate.entered.wait, 20)
    second = asyncio.create_task(store.database.write(put("1")))
    await asyncio.sleep(0)
    second.cancel()
    gate.leave.set()
    await first
    with pytest.raises(asyncio.CancelledError):
        await second
    await store.database.write(put("2"))
    assert await kept(store.database) == ["1", "2"]


async def test_closing_commits_what_waits_and_then_refuses(url: str, file: Path) -> None:
    async with Database(file) as database:
        gate = Gate()
        first = asyncio.create_task(database.write(gate))
        await asyncio.to_thread(gate.entered.wait, 20)
        waiting = [asyncio.create_task(database.write(put(str(number)))) for number in range(3)]
        await asyncio.sleep(0)
        gate.leave.set()
    await first
    assert await asyncio.gather(*waiting) == ["0", "1", "2"]
    for late in (database.write(put("9")), database.read(put("9")), database.scrub()):
        with pytest.raises(StorageError, match="closed already"):
            await late
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("SELECT count(*) FROM marks").fetchone() == (3,)


async def test_a_reader_cannot_write(store: SqlStore) -> None:
    with pytest.raises(StorageError, match="may not be written"):
        await store.database.read(put("1"))


async def test_an_error_never_shows_what_a_customer_wrote(store: SqlStore) -> None:
    await store.accept([message("1", "梧桐路十七号")])

    def job(connection: Connection) -> None:
        connection.exec_driver_sql(
            "INSERT INTO audit (id, at, action, counts) VALUES (1, ?, NULL, '')", ("梧桐路十七号",)
        )

    with pytest.raises(StorageError) as caught:
        await store.database.write(job)
    assert "NOT NULL constraint failed" in str(caught.value)
    assert "梧桐路" not in str(caught.value)
    assert "梧桐路" not in str(caught.value.__cause__)


async def test_a_damaged_file_says_so(url: str, file: Path) -> None:
    with file.open("r+b") as damaged:
        damaged.seek(4096)
        damaged.write(b"\xff" * 400_000)
    async with Database(file) as database:
        with pytest.raises(StorageError, match=r"it is damaged; restore a backup with `python -m bot db restore FILE`"):
            await database.read(lambda c: c.exec_driver_sql("SELECT * FROM events").all())


ACCEPT = """
import asyncio, sys
sys.path.insert(0, sys.argv[3])
from storage.store import open_store
from bot.ports import Mark
from tests.storage.values import message

async def main(url, name):
    async with open_store(url) as store:
        number = 0
        async def one(number):
            id_ = f"{name}-{number}"
            await store.accept([message(id_)], Mark(channel="web", account=name, value=str(number)))
            print(id_, flush=True)
        while True:
            await asyncio.gather(*(one(number + at) for at in range(7)))
            number += 7

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


def accepting(url: str, name: str) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    return subprocess.Popen([sys.executable, "-c", ACCEPT, url, name, root], stdout=subprocess.PIPE, text=True)


def read_some(child: subprocess.Popen[str], lines: int) -> list[str]:
    assert child.stdout is not None
    return [child.stdout.readline().strip() for _ in range(lines)]


def stored(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [row[0] for row in connection.execute("SELECT event_id FROM events ORDER BY id")]


@pytest.mark.parametrize("lines", [1, 40, 161])
async def test_kill_9_loses_no_accepted_event_and_keeps_none_twice(url: str, file: Path, lines: int) -> None:
    from storage.store import open_store

    child = accepting(url, "a")
    try:
        told = read_some(child, lines)
    finally:
        child.kill()
        told += child.communicate(timeout=20)[0].split()
    ids = stored(file)
    whole = [id_ for id_ in told if id_ in set(ids)]
    assert whole == told
    assert len(set(ids)) == len(ids)
    async with open_store(url) as store:
        # Delivered again, as a platform does that got no answer.
        assert await store.accept([message(id_) for id_ in ids]) == 0
        assert len(await store.events(ANNA)) == len(ids)
        mark = await store.mark("web", "a")
    assert mark is not None
    assert f"a-{mark}" in ids


def test_two_processes_write_at_once_and_neither_is_locked_out(url: str, file: Path) -> None:
    children = [accepting(url, name) for name in ("a", "b")]
    try:
        told = [id_ for child in children for id_ in read_some(child, 150)]
        assert all(child.poll() is None for child in children)
    finally:
        for child in children:
            child.kill()
            child.communicate(timeout=20)
    assert set(told) <= set(stored(file))


async def test_what_is_confirmed_is_on_the_disk_itself(store: SqlStore) -> None:
    def synchronous(connection: Connection) -> int:
        return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    assert await store.database.write(synchronous) == 2  # FULL: a power cut takes nothing back


def held_up(gate: Gate) -> Callable[[Connection], None]:
    """A job after which the next statement of the writer that takes its time waits at the gate."""

    def job(connection: Connection) -> None:
        raw = connection.connection.driver_connection
        assert raw is not None

        def waits() -> int:
            raw.set_progress_handler(None, 0)
            gate(connection)
            return 0

        raw.set_progress_handler(waits, 1_000)

    return job


async def test_what_arrives_while_the_file_is_built_anew_waits_and_is_kept(store: SqlStore) -> None:
    await store.accept([message(str(number), "在吗" * 99) for number in range(99)])
    async with Database(store.database.file) as another:  # as a command that erases, beside the bot that runs
        for scrubbing, arriving in ((store.database, another), (another, store.database), (another, another)):
            gate = Gate()
            await scrubbing.write(held_up(gate))
            scrub = asyncio.create_task(scrubbing.scrub())
            await asyncio.to_thread(gate.entered.wait, 20)
            assert not scrub.done()
            arrives = asyncio.create_task(arriving.write(put(f"{id(scrubbing)}-{id(arriving)}")))
            done, _ = await asyncio.wait([arrives], timeout=0.2)
            assert not done
            gate.leave.set()
            await arrives
            await scrub
    assert len(await kept(store.database)) == 3


async def test_the_writer_waits_for_minutes_while_another_program_builds_the_file_anew(store: SqlStore) -> None:
    def busy(connection: Connection) -> int:
        return int(connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one())

    assert await store.database.write(busy) >= 60_000
    assert await store.database.scrub()
    assert await store.database.write(busy) >= 60_000
    assert await store.database.read(busy) <= 5_000
