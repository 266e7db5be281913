"""One running bot on one SQLite file: a lock that the kernel gives back however the process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from bot.errors import StorageError


class Held(StorageError):
    """Another process has the lock."""


class RunLock:
    """Use as ``with``. Raises :class:`Held`, naming the other process, when one runs already, and
    :class:`~bot.errors.StorageError` when the file cannot be written.

    The file holds the process id for people to read; the lock is the kernel's, so that ``kill -9`` frees it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> RunLock:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise StorageError(f"{self._path}: cannot be written ({exc.strerror}); mend the folder's rights") from exc
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            pid = _pid(descriptor)
            os.close(descriptor)
            raise _held(self._path, pid) from exc
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(self, *exc: object) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def free(path: Path) -> None:
    """Raises :class:`Held`, as :class:`RunLock` would, when a bot runs. Changes nothing."""
    if (pid := holder(path)) is not None:
        raise _held(path, pid)


def _held(path: Path, pid: int) -> Held:
    return Held(
        f"{path.parent}: a bot runs on this data already{f' (process {pid})' if pid else ''}; "
        "stop it first, or give this one a [storage] of its own"
    )


def holder(path: Path) -> int | None:
    """The process that holds the lock; 0 when it has not said who it is yet, ``None`` when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


def _pid(descriptor: int) -> int:
    text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdigit() else 0
