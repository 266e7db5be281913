"""The system text's state on disk, so that a restart computes nothing of it.

llama.cpp ends the process on a state that was cut off and loads a damaged one silently. So the file has a head of our
own: magic, key, length, SHA-256 of what follows. Whatever does not match is as good as not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import struct
from pathlib import Path

import llama_cpp

from bot.errors import ModelError

log = logging.getLogger(__name__)

_MAGIC = b"ZGSTATE1"
#: Magic, SHA-256 of the key, length of the state, SHA-256 of the state.
_HEAD = struct.Struct("<8s32sQ32s")
#: States kept; several shops have one each, and an edited prompt leaves its old one behind.
_KEPT = 4
_ENDS = 1 << 20


def identity(*files: Path) -> str:
    """Names model files without reading them whole: size, time, and the hash of both ends.

    Raises :class:`ModelError` when one cannot be read.
    """
    out = [f"llama-cpp-python {llama_cpp.__version__}"]
    for path in files:
        try:
            with path.open("rb") as file:
                about = os.fstat(file.fileno())
                ends = hashlib.sha256(file.read(_ENDS))
                file.seek(max(0, about.st_size - _ENDS))
                ends.update(file.read(_ENDS))
        except OSError as exc:
            raise ModelError(f"{path}: cannot be read ({exc.strerror})") from exc
        out.append(f"{about.st_size} {about.st_mtime_ns} {ends.hexdigest()}")
    return "\n".join(out)


class StateFiles:
    """States by key, in one folder; a key says everything that a state depends on."""

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder = folder
        self._identity = identity

    def load(self, text: str) -> bytes | None:
        """The state of a system text, if it is there and whole."""
        try:
            data = self._path(text).read_bytes()
        except OSError:
            return None
        if len(data) < _HEAD.size:
            return None
        magic, key, length, digest = _HEAD.unpack_from(data)
        state = data[_HEAD.size :]
        whole = (
            magic == _MAGIC
            and key == self._key(text)
            and length == len(state)
            and digest == hashlib.sha256(state).digest()
        )
        if not whole:
            log.warning("the kept state of the shop's prompt is damaged; it is computed anew")
            return None
        return state

    def has(self, text: str) -> bool:
        """Whether there is a file for it; only :meth:`load` says whether it is whole."""
        return self._path(text).exists()

    def save(self, text: str, state: bytes) -> None:
        """Never fails the caller: without the file the next start is slower, no more."""
        path = self._path(text)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(_HEAD.pack(_MAGIC, self._key(text), len(state), hashlib.sha256(state).digest()))
                file.write(state)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            self._tidy()
        except OSError as exc:
            log.warning("the state of the shop's prompt could not be kept (%s)", exc.strerror)
            with contextlib.suppress(OSError):
                part.unlink()

    def _tidy(self) -> None:
        kept = sorted(self._folder.glob("*.state"), key=lambda path: path.stat().st_mtime_ns)
        for path in kept[:-_KEPT]:
            path.unlink(missing_ok=True)

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(f"{self._identity}\n{text}".encode("utf-8", "replace")).digest()

    def _path(self, text: str) -> Path:
        return self._folder / f"{self._key(text).hex()[:24]}.state"
