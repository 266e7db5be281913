"""The process that decodes pictures: it may crash, hang or be killed, and the bot goes on."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import struct
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from bot.errors import PhotoError, StorageError
from inference.darkroom import COMMAND, Darkroom

ROOT = Path(__file__).parents[2]
LIMITS = {"short_side": 64, "max_bytes": 50_000, "max_upload_bytes": 1_000_000}


def picture(colour: str = "red", size: tuple[int, int] = (200, 100)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


#: A small file that announces 12000 × 12000 pixels.
HUGE = b"\x89PNG\r\n\x1a\n" + b"".join(
    struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    for name, body in (
        (b"IHDR", struct.pack(">IIBBBBB", 12_000, 12_000, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    )
)


def room(*, seconds: float = 30, idle_seconds: float = 60, command: Sequence[str] = (*COMMAND, str(ROOT))) -> Darkroom:
    return Darkroom(**LIMITS, seconds=seconds, idle_seconds=idle_seconds, command=command)


def child(script: str) -> tuple[str, ...]:
    return (
        sys.executable,
        "-c",
        f"import os, sys, time\nsys.stdout.buffer.write(b'ready\\n')\nsys.stdout.flush()\n{script}",
    )


@pytest.fixture
async def darkroom() -> AsyncIterator[Darkroom]:
    async with room() as darkroom:
        yield darkroom


def alive(pid: int | None) -> bool:
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - another process tells no event
            await asyncio.sleep(0.01)


async def test_a_picture_comes_back_small(darkroom: Darkroom) -> None:
    kept = await darkroom.normalise(picture())
    assert (kept.width, kept.height) == (128, 64)
    assert Image.open(io.BytesIO(kept.jpeg)).size == (128, 64)


async def test_no_process_is_started_before_the_first_picture(darkroom: Darkroom) -> None:
    assert darkroom.pid is None
    await darkroom.normalise(picture())
    assert darkroom.pid not in (None, os.getpid())


async def test_one_process_serves_all_pictures(darkroom: Darkroom) -> None:
    await darkroom.normalise(picture())
    first = darkroom.pid
    with pytest.raises(PhotoError):
        await darkroom.normalise(b"no picture")
    await darkroom.normalise(picture())
    assert darkroom.pid == first


async def test_pictures_that_come_together_keep_their_owners(darkroom: Darkroom) -> None:
    sizes = [(80 + 10 * i, 70) for i in range(6)]
    kept = await asyncio.gather(*(darkroom.normalise(picture(size=size)) for size in sizes))
    assert [one.width for one in kept] == [round(64 * width / 70) for width, _ in sizes]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no picture", "format"),
        (HUGE, "too_many_pixels"),
        (b"", "broken"),
        (picture()[:60], "broken"),
        (picture(size=(5, 5)), "too_small"),
    ],
)
async def test_the_reason_comes_through(darkroom: Darkroom, data: bytes, reason: str) -> None:
    with pytest.raises(PhotoError) as caught:
        await darkroom.normalise(data)
    assert caught.value.reason == reason
    assert str(caught.value)


async def test_too_many_bytes_never_reach_the_process(darkroom: Darkroom) -> None:
    with pytest.raises(PhotoError) as caught:
        await darkroom.normalise(b"\xff" * 1_000_001)
    assert caught.value.reason == "too_big"
    assert darkroom.pid is None


async def test_a_decoder_that_crashes_costs_one_picture() -> None:
    async with room(command=child("sys.stdin.buffer.read(20)\nos.abort()")) as darkroom:
        for _ in range(2):
            with pytest.raises(PhotoError, match="died") as caught:
                await darkroom.normalise(picture())
            assert caught.value.reason == "broken"
            assert darkroom.pid is None


async def test_a_decoder_that_hangs_is_ended() -> None:
    async with room(seconds=1, command=child("time.sleep(600)")) as darkroom:
        with pytest.raises(PhotoError, match="not decoded after 1 s") as caught:
            await darkroom.normalise(picture())
        assert caught.value.reason == "broken"
        assert darkroom.pid is None


SPINS = """
import sys
sys.path.insert(0, sys.argv[1])
import inference.photos as photos

def normalise(data, **limits):
    while data != b"quick":
        pass
    raise photos.PhotoError("format", "quick")

photos.SECONDS, photos.normalise = 1, normalise
photos.serve()
"""


async def test_what_computes_without_end_is_ended_by_the_kernel() -> None:
    async with room(command=(sys.executable, "-c", SPINS, str(ROOT))) as darkroom:
        with pytest.raises(PhotoError, match=f"exit -{signal.SIGXCPU.value}") as caught:
            await darkroom.normalise(b"slow")
        assert caught.value.reason == "broken"


async def test_many_pictures_do_not_use_up_the_time_of_one() -> None:
    """Each has its own second, though all of them together take longer."""
    busy = "end = time.process_time() + 0.4\n    while time.process_time() < end: pass\n    raise photos"
    script = SPINS.replace("raise photos", busy)
    async with room(command=(sys.executable, "-c", "import time" + script, str(ROOT))) as darkroom:
        for _ in range(6):
            with pytest.raises(PhotoError, match="quick"):
                await darkroom.normalise(b"quick")


async def test_a_process_that_was_killed_meanwhile_is_replaced(darkroom: Darkroom) -> None:
    await darkroom.normalise(picture())
    first = darkroom.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: not darkroom.alive)
    assert (await darkroom.normalise(picture())).width == 128
    assert darkroom.pid != first


@pytest.mark.parametrize("script", ["raise SystemExit(3)", "print('hello', flush=True)"])
async def test_a_process_that_will_not_start_is_no_fault_of_the_picture(script: str) -> None:
    async with room(command=(sys.executable, "-c", script)) as darkroom:
        with pytest.raises(StorageError, match="did not start"):
            await darkroom.normalise(picture())


async def test_a_program_that_is_not_there_is_no_fault_of_the_picture() -> None:
    async with room(command=("/nowhere/python",)) as darkroom:
        with pytest.raises(StorageError, match="did not start"):
            await darkroom.normalise(picture())


async def test_a_caller_who_leaves_does_not_shift_the_answers(darkroom: Darkroom) -> None:
    await darkroom.normalise(picture())
    large = picture(size=(3000, 3000))
    task = asyncio.create_task(darkroom.normalise(large))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await darkroom.normalise(picture(size=(90, 64)))).width == 90


async def test_an_idle_process_goes() -> None:
    async with room(idle_seconds=0.05) as darkroom:
        await darkroom.normalise(picture())
        pid = darkroom.pid
        await until(lambda: not alive(pid))
        assert darkroom.pid is None
        assert (await darkroom.normalise(picture())).width == 128


async def test_leaving_ends_the_process() -> None:
    async with room() as darkroom:
        await darkroom.normalise(picture())
        pid = darkroom.pid
    assert darkroom.pid is None
    assert not alive(pid)


async def test_ctrl_c_is_left_to_the_bot(darkroom: Darkroom) -> None:
    await darkroom.normalise(picture())
    pid = darkroom.pid
    assert pid is not None
    os.kill(pid, signal.SIGINT)
    assert (await darkroom.normalise(picture())).width == 128
    assert darkroom.pid == pid


async def test_the_process_ends_with_the_bot() -> None:
    """However the bot ends: the pipe closes, and the child with it."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, str(ROOT), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert await process.stdout.readline() == b"ready\n"
    process.stdin.write(b"\x00\x00\x10\x00half of a picture")
    process.stdin.close()
    async with asyncio.timeout(30):
        assert await process.wait() == 0


async def test_a_crash_writes_no_photo_to_the_disk() -> None:
    """A core file would hold the customer's picture."""
    script = (
        "from resource import RLIMIT_CORE as core, getrlimit, setrlimit\nimport inference.photos as p\n"
        "setrlimit(core, (getrlimit(core)[1], getrlimit(core)[1]))\np._bound()\nprint(getrlimit(core)[0])"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert out == b"0\n"


async def test_memory_has_an_end() -> None:
    """What no cap foresaw is stopped by the kernel, in the child."""
    script = (
        "import inference.photos as p\np._bound()\n"
        "try:\n    bytearray(p.MEMORY)\nexcept MemoryError:\n    print('stopped')"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert out == b"stopped\n"
