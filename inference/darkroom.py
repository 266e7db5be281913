"""Where customers' pictures are developed: a process of its own, begun with the first picture and ended when idle.

A picture is the one thing that strangers hand to C libraries here (libjpeg, libwebp, libheif …). In a child a decoder
that crashes, hangs or swallows memory costs one picture and not the bot, and the memory of a 48-megapixel photo is
really given back. One picture at a time; the event loop only copies bytes.

On the wire: ``REQUEST`` + picture → ``REPLY`` + JPEG, or + a JSON object with ``reason`` and ``detail``. A child says
``HELLO`` once it can work.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import PhotoError, Unkept

log = logging.getLogger(__name__)

#: Bytes of the picture, pixels of the shorter side, most bytes of the JPEG.
REQUEST = struct.Struct(">III")
#: 1 for a JPEG and 0 for a fault, width, height, bytes that follow.
REPLY = struct.Struct(">BIII")
HELLO = b"ready\n"

#: Seconds that a child whose pipe is closed has to end by itself.
_GRACE = 2.0

_ROOT = Path(__file__).resolve().parent.parent
#: ``-P`` keeps the working folder off the path (the child's is the repository, for its packages).
COMMAND = (
    sys.executable,
    "-c",
    "import sys; sys.path.insert(0, sys.argv[1]); from inference.photos import serve; serve()",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalised:
    """A picture as the bot keeps it: upright, sRGB, on white, without any metadata."""

    jpeg: bytes
    #: Pixels of the JPEG.
    width: int
    height: int


class Darkroom:
    """Makes the JPEG that is kept from what a customer sent. Use as ``async with``; leaving ends the process.

    ``seconds`` is the most that one picture may take by the clock on the wall, which runs on while others have the
    processor (what it may compute is bounded in the child); ``idle_seconds`` how long an unused process stays.
    """

    def __init__(
        self,
        *,
        short_side: int,
        max_bytes: int,
        max_upload_bytes: int,
        seconds: float = 120.0,
        idle_seconds: float = 60.0,
        command: Sequence[str] = (*COMMAND, str(_ROOT)),
    ) -> None:
        self._short_side = short_side
        self._max_bytes = max_bytes
        self._max_upload_bytes = max_upload_bytes
        self._seconds = seconds
        self._idle_seconds = idle_seconds
        self._command = tuple(command)
        self._one = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._idle: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Darkroom:
        return self

    async def __aexit__(self, *exc: object) -> None:
        async with self._one:
            self._stay()
            await self._end()

    @property
    def pid(self) -> int | None:
        """The child's, while there is one."""
        return None if self._child is None else self._child.pid

    @property
    def alive(self) -> bool:
        """Whether there is a child, and it has not ended by itself."""
        return self._child is not None and self._child.returncode is None

    async def normalise(self, data: bytes) -> Normalised:
        """The picture as it is kept. Raises :class:`PhotoError`, and :class:`Unkept` when no child will start."""
        if len(data) > self._max_upload_bytes:
            raise PhotoError("too_big", f"{len(data)} bytes, at most {self._max_upload_bytes} are taken")
        async with self._one:
            self._stay()
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._develop(data)
            except TimeoutError as exc:
                await self._end()
                log.warning("a picture of %d bytes was given up after %.0f s", len(data), self._seconds)
                raise PhotoError("broken", f"not decoded after {self._seconds:.0f} s") from exc
            except (asyncio.IncompleteReadError, BrokenPipeError, ConnectionResetError) as exc:
                code = await self._end(by_itself=True)
                log.warning("the decoder died of a picture of %d bytes (exit %s)", len(data), code)
                raise PhotoError("broken", f"the decoder died of it (exit {code})") from exc
            except asyncio.CancelledError:
                # What is still under way would be taken for the answer to the next picture.
                await self._end()
                raise
            finally:
                if self._child is not None:
                    self._idle = asyncio.create_task(self._leave())

    async def _develop(self, data: bytes) -> Normalised:
        reader, writer = await self._streams()
        writer.write(REQUEST.pack(len(data), self._short_side, self._max_bytes))
        writer.write(data)
        await writer.drain()
        good, width, height, size = REPLY.unpack(await reader.readexactly(REPLY.size))
        body = await reader.readexactly(size)
        if good:
            return Normalised(jpeg=body, width=width, height=height)
        fault = json.loads(body)
        raise PhotoError(fault["reason"], fault["detail"])

    async def _streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._child is not None and not self.alive:
            # It ended between two pictures: nobody's picture is to blame.
            await self._end()
        if self._child is None:
            pipe = asyncio.subprocess.PIPE
            try:
                # A session of its own: Ctrl-C is for the bot, which then ends the child.
                self._child = child = await asyncio.create_subprocess_exec(
                    *self._command, stdin=pipe, stdout=pipe, start_new_session=True
                )
            except OSError as exc:
                raise self._no_start(exc.strerror) from exc
            assert child.stdout is not None
            if await child.stdout.readline() != HELLO:
                raise self._no_start(f"exit {await self._end(by_itself=True)}")
        child = self._child
        assert child.stdin is not None
        assert child.stdout is not None
        return child.stdout, child.stdin

    def _no_start(self, why: str | None) -> Unkept:
        return Unkept(
            f"photos cannot be read: the process that decodes them did not start ({why}); "
            "./start.sh installs what is missing"
        )

    async def _end(self, *, by_itself: bool = False) -> int | None:
        """The exit code. ``by_itself``: its pipe is closed, so that it is ending already; a signal now could collect
        the child before asyncio does, and the code would be lost.
        """
        child, self._child = self._child, None
        if child is None:
            return None
        if by_itself:
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(child.wait(), _GRACE)
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        return await child.wait()

    async def _leave(self) -> None:
        await asyncio.sleep(self._idle_seconds)
        async with self._one:
            await self._end()

    def _stay(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
