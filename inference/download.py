"""Files on their way: what is there already, what is still missing, and the part that grows.

A part carries the announced hash in its name. So a download goes on where it stopped, in another process and even from
the other hub, and can never be glued together from two different files.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bot.errors import ModelError
from inference.models import gigabytes

#: (bytes there, bytes in all, bytes a second)
Progress = Callable[[int, int, float], None]
#: Bytes that stay free on the disk.
SPARE = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A file as the hub describes it."""

    name: str
    size: int
    sha256: str
    revision: str
    url: str


@dataclass(slots=True, kw_only=True)
class Download:
    """One file on its way."""

    remote: Remote
    path: Path
    done: bool = False
    #: The commit, when the hub tells it with the file.
    revision: str = ""

    @property
    def part(self) -> Path:
        return self.path.with_name(f"{self.path.name}.{self.remote.sha256[:16]}.part")

    @property
    def arrived(self) -> int:
        if self.done:
            return self.remote.size
        return self.part.stat().st_size if self.part.exists() else 0


def look(downloads: list[Download]) -> None:
    """Finds what is there already, by its bytes."""
    for download in downloads:
        if download.path.exists() and download.path.stat().st_size == download.remote.size:
            with download.path.open("rb") as file:
                download.done = hashlib.file_digest(file, "sha256").hexdigest() == download.remote.sha256


def room(dest: Path, downloads: list[Download]) -> None:
    """Raises :class:`ModelError` when the disk has no room for what is still missing."""
    need = sum(max(0, download.remote.size - download.arrived) for download in downloads)
    free = shutil.disk_usage(dest).free
    if need and need + SPARE > free:
        raise ModelError(
            f"{dest}: {gigabytes(need)} ({need} bytes) are needed and {gigabytes(free)} ({free} bytes) are free; "
            "make room and pull again"
        )


class Meter:
    """Tells how far all files of a model are."""

    def __init__(self, downloads: list[Download], progress: Progress) -> None:
        self._there = {download.remote.name: download.arrived for download in downloads}
        self._total = sum(download.remote.size for download in downloads)
        self._begun, self._before = time.monotonic(), sum(self._there.values())
        self._progress = progress
        progress(self._before, self._total, 0.0)

    def show(self, download: Download, arrived: int) -> None:
        self._there[download.remote.name] = arrived
        done = sum(self._there.values())
        seconds = max(time.monotonic() - self._begun, 1e-3)
        self._progress(done, self._total, max(0, done - self._before) / seconds)


class Part:
    """The file that grows. Held by one process; hashed as it grows."""

    def __init__(self, download: Download) -> None:
        self._download = download
        self._file = download.part.open("a+b", buffering=0)
        self._hash = hashlib.sha256()
        self.bytes = 0

    def __enter__(self) -> Part:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            self._file.close()
            raise ModelError(f"{self._download.path.name} is being pulled by another process already") from exc
        self._file.seek(0)
        while chunk := self._file.read(1 << 20):
            self._hash.update(chunk)
            self.bytes += len(chunk)
        if self.bytes > self._download.remote.size:
            self.restart()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def restart(self) -> None:
        """Forgets all that arrived."""
        if self.bytes:
            self._file.truncate(0)
            self._file.seek(0)
            self._hash, self.bytes = hashlib.sha256(), 0

    def append(self, chunk: bytes) -> None:
        """Raises :class:`OSError` when the disk is full; what was written before counts."""
        view = memoryview(chunk)
        while view:
            # An unbuffered write may take a piece only (a full disk takes what fits, and says no to the next).
            written = self._file.write(view)
            self._hash.update(view[:written])
            self.bytes += written
            view = view[written:]

    def finish(self, title: str, other: str) -> None:
        """Gives the file its name. Raises :class:`ModelError` when the bytes are not those that were announced."""
        remote = self._download.remote
        if self.bytes != remote.size or self._hash.hexdigest() != remote.sha256:
            self._download.part.unlink()
            raise ModelError(
                f"{remote.name}: what arrived is not what {title} announces (SHA-256); "
                f"it was removed: pull again, or {other}"
            )
        os.fsync(self._file.fileno())
        self._download.part.replace(self._download.path)
        # Parts of what the hub held before are of no use any more.
        for stale in self._download.path.parent.glob(f"{remote.name}.*.part"):
            stale.unlink(missing_ok=True)
        self._download.done = True
