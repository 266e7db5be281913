"""How the store reaches SQLite: one thread that writes, a few that read, and the event loop waits for neither.

The writer takes all jobs that wait and commits them together: under load a commit is shared by many, alone a job waits
for nobody. Each job stands in a savepoint of its own, so one that fails takes no other with it, and it is answered
only after the COMMIT. A job is a function of a connection; it must do nothing that a rollback would not undo.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from bot.errors import StorageError
from storage import codec

T = TypeVar("T")
Job = Callable[[Connection], T]

#: Most jobs in one commit: bounds what a failing commit takes back, and how long the first of them waits.
_GROUP = 256
_READERS = 2
#: Milliseconds that a statement waits for another process's write.
_BUSY_MS = 5_000
#: The same for an open database's writes: a command beside it that erases builds the file anew (see ``scrub``),
#: which takes a second for some 150 MB. Only the writer's thread waits, and nobody is refused.
_SCRUBBED_MS = 120_000


def file_of(url: str) -> Path:
    """The database file that a ``sqlite:///`` address names. Raises :class:`StorageError` for any other address."""
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise StorageError("storage.url is no database address; it looks like sqlite:///data/bot.db") from exc
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise StorageError("storage.url must name a file: sqlite:///data/bot.db")
    return Path(str(parsed.database))


def engine_of(file: Path, *, write: bool, busy_ms: int = _BUSY_MS) -> Engine:
    """An engine on one file, set as the house needs it. ``write``: every transaction takes the write lock at once.

    A transaction that reads first and then writes is refused by SQLite when another process wrote in between, however
    long it would wait; BEGIN IMMEDIATE never is.
    """
    engine = sa.create_engine(
        URL.create("sqlite", database=str(file)),
        isolation_level=None,
        json_serializer=codec.text,
        hide_parameters=True,  # what an error prints may stand in a log: no customer's words
        pool_size=1 if write else _READERS,
        max_overflow=0,
    )
    begin = "BEGIN IMMEDIATE" if write else "BEGIN"

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # SQLAlchemy begins transactions, not the driver by guessing
        for pragma in (
            f"busy_timeout={busy_ms}",
            *(["journal_mode=WAL"] if write else []),  # once set it stays; who only reads changes nothing
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",  # what is erased is overwritten, not only unlinked
            "temp_store=MEMORY",
            f"query_only={'OFF' if write else 'ON'}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


@contextmanager
def translated(file: Path) -> Iterator[None]:
    """Turns what the database raises into :class:`StorageError` with a sentence for the owner."""
    try:
        yield
    except SQLAlchemyError as exc:
        raise StorageError(f"{file}: {_sentence(exc)}") from exc
    except sqlite3.Error as exc:
        raise StorageError(f"{file}: {_sentence(exc)}") from exc


#: What SQLite says → what happened and what to do now.
_SENTENCES = {
    "disk is full": "the disk is full; make room, nothing that was confirmed is lost",
    "locked": "another program keeps it locked; end that program and try again",
    "readonly": "it may not be written; give this user the right to write the file and its folder",
    "unable to open": "it cannot be opened; check that the folder exists and that this user may write it",
    "malformed": "it is damaged; restore a backup with `python -m bot db restore FILE`",
    "not a database": "this is not a database of this program; restore a backup or set storage.url to another file",
    "no such table": "it is empty or of another program; run `python -m bot db upgrade`",
    "disk i/o error": "the disk failed; check it, then run `python -m bot db check`",
}


def _sentence(exc: SQLAlchemyError | sqlite3.Error) -> str:
    said = str(exc.orig if isinstance(exc, DBAPIError) else exc).partition("\n")[0]
    for sign, sentence in _SENTENCES.items():
        if sign in said.lower():
            return sentence
    return f"the database refused ({said})"


@dataclass(frozen=True, slots=True)
class _Waiting:
    job: Job[Any]
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Scrub:
    future: asyncio.Future[bool]


@dataclass(frozen=True, slots=True)
class _Outcome:
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None
    #: Whether rows were changed: a job that found nothing to write succeeds on a full disk too.
    wrote: bool = False


class Database:
    """One open database. Use as ``async with``; leaving commits what still waits and closes the file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._writer = engine_of(file, write=True, busy_ms=_SCRUBBED_MS)
        self._reader = engine_of(file, write=False)
        self._jobs: queue.SimpleQueue[_Waiting | _Scrub | None] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        self._thread = threading.Thread(target=self._write, name="store-write", daemon=True)
        self._closed = False
        #: What the last write met that the database refused; ``None`` again with the next that is on the disk.
        self.trouble: str | None = None

    async def __aenter__(self) -> Database:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._closed = True
        self._jobs.put(None)
        await asyncio.shield(self._loop.run_in_executor(self._threads, self._thread.join))
        self._threads.shutdown()
        self._reader.dispose()
        self._writer.dispose()

    async def write(self, job: Job[T]) -> T:
        """Runs a job in the next commit; its result, once the commit is on the disk. Raises :class:`StorageError`.

        A caller that is cancelled meanwhile does not stop the job.
        """
        self._open()
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Waiting(job, future))
        return await future

    async def read(self, job: Job[T]) -> T:
        """Runs a job that only reads, beside the writer; it sees what was committed. Raises :class:`StorageError`."""
        self._open()
        return await self._loop.run_in_executor(self._threads, self._read, job)

    async def scrub(self) -> bool:
        """Builds the file anew and empties the log beside it: what was deleted is in neither any more.

        ``secure_delete`` alone leaves pieces of rows that SQLite moved between pages while they lived. Whether it was
        done; a program that reads all the while can be in the way. Raises :class:`StorageError`.
        """
        self._open()
        future: asyncio.Future[bool] = self._loop.create_future()
        self._jobs.put(_Scrub(future))
        return await future

    def _open(self) -> None:
        if self._closed:
            raise StorageError(f"{self.file}: the store is closed already")

    def _read(self, job: Job[T]) -> T:
        with translated(self.file), self._reader.begin() as connection:
            return job(connection)

    # --- the writer's thread

    def _write(self) -> None:
        end: _Waiting | _Scrub | None
        while True:
            end = self._jobs.get()
            group: list[_Waiting] = []
            while isinstance(end, _Waiting):
                group.append(end)
                if len(group) == _GROUP:
                    break
                try:
                    end = self._jobs.get_nowait()
                except queue.Empty:
                    break
            outcomes = self._commit(group) if group else []
            if isinstance(end, _Scrub):
                outcomes.append(self._scrub(end))
            self._loop.call_soon_threadsafe(_deliver, outcomes)
            if end is None:
                return

    def _commit(self, group: list[_Waiting]) -> list[_Outcome]:
        try:
            with translated(self.file), self._writer.begin() as connection:
                outcomes = [self._run(connection, waiting, alone=len(group) == 1) for waiting in group]
        except BaseException as exc:  # whatever it was, it belongs to those who wait
            outcomes = [_Outcome(waiting.future, error=exc) for waiting in group]
        refusals = [str(outcome.error) for outcome in outcomes if _refused(outcome.error)]
        if refusals:
            self.trouble = refusals[-1]
        elif any(outcome.wrote for outcome in outcomes):
            self.trouble = None
        return outcomes

    def _run(self, connection: Connection, waiting: _Waiting, *, alone: bool) -> _Outcome:
        """One job of a group. Raises only when the whole group must be taken back."""
        before = _changes(connection)
        if alone:
            result = waiting.job(connection)
            return _Outcome(waiting.future, result=result, wrote=_changes(connection) > before)
        connection.exec_driver_sql("SAVEPOINT job")
        try:
            with translated(self.file):
                result = waiting.job(connection)
        except BaseException as exc:  # a job's failure is its caller's, and must not end the thread
            try:
                connection.exec_driver_sql("ROLLBACK TO job")
                connection.exec_driver_sql("RELEASE job")
            except SQLAlchemyError:
                raise exc from exc.__cause__  # a full disk takes back the whole transaction, savepoints and all
            return _Outcome(waiting.future, error=exc)
        connection.exec_driver_sql("RELEASE job")
        return _Outcome(waiting.future, result=result, wrote=_changes(connection) > before)

    def _scrub(self, waiting: _Scrub) -> _Outcome:
        try:
            with translated(self.file), self._writer.connect() as connection:
                raw = connection.connection.driver_connection
                assert raw is not None
                raw.execute("PRAGMA temp_store=FILE")  # the copy is as large as the database
                try:
                    raw.execute("VACUUM")
                finally:
                    raw.execute("PRAGMA temp_store=MEMORY")
                raw.execute(f"PRAGMA busy_timeout={_BUSY_MS}")  # one who reads for long must not hold up who writes
                try:
                    busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                finally:
                    raw.execute(f"PRAGMA busy_timeout={_SCRUBBED_MS}")
        except StorageError as exc:
            return _Outcome(waiting.future, error=exc)
        return _Outcome(waiting.future, result=busy == 0)


def _changes(connection: Connection) -> int:
    """Rows that were changed since the connection was opened."""
    raw = connection.connection.driver_connection
    assert raw is not None
    return int(raw.total_changes)


def _refused(error: BaseException | None) -> bool:
    """Whether the database itself could not do it. What one job did wrong says nothing of the next."""
    cause = error.__cause__ if isinstance(error, StorageError) else None
    said = cause.orig if isinstance(cause, DBAPIError) else cause
    # Not their subclasses: a broken constraint or a wrong value is the job's own.
    return type(said) in (sqlite3.OperationalError, sqlite3.DatabaseError)


def _deliver(outcomes: Sequence[_Outcome]) -> None:
    for outcome in outcomes:
        if outcome.future.cancelled():
            continue
        if outcome.error is not None:
            outcome.future.set_exception(outcome.error)
        else:
            outcome.future.set_result(outcome.result)
