"""Downloads against both hubs on loopback, with the faults that real lines have."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from bot.errors import ModelError
from inference.hub import SOURCES, Hub, SourceName, _reason, safe
from inference.models import Lock, ModelRow, find
from tests.fakes.hub import REVISION, FakeHub

REPO = "Qwen/Qwen3-VL-2B-Instruct-GGUF"
TEXT, PROJECTOR = "Qwen3VL-2B-Instruct-Q4_K_M.gguf", "mmproj-Qwen3VL-2B-Instruct-Q8_0.gguf"
#: Larger than the pieces that arrive at once, so that a cut leaves something behind.
SIZE = 600_000


def noise(seed: int, size: int = SIZE) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def test_a_name_that_nobody_knows_is_said_without_the_systems_number() -> None:
    unknown = httpx.ConnectError("[Errno -2] Name or service not known")
    unknown.__cause__ = OSError("all attempts failed")
    unknown.__cause__.__context__ = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert _reason(unknown) == "its name cannot be looked up: is this machine on the network?"
    assert _reason(httpx.ConnectError("[Errno 111] Connection refused")) == "Connection refused"
    assert _reason(httpx.ReadTimeout("")) == "ReadTimeout"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub(repo=REPO, files={TEXT: noise(1), PROJECTOR: noise(2, 90_000)}).serving() as hub:
        yield hub


@pytest.fixture
def row() -> ModelRow:
    return find("qwen3-vl-2b")[0]


def client(hub: FakeHub, source: SourceName = "huggingface", attempts: int = 3) -> Hub:
    return Hub(SOURCES[source], env=hub.env, attempts=attempts, pause_s=0.01)


async def pull(hub: FakeHub, row: ModelRow, dest: Path, source: SourceName = "huggingface") -> Lock:
    return await client(hub, source).pull(row, row.quants[0], dest)


async def refused(hub: FakeHub, row: ModelRow, dest: Path, source: SourceName = "huggingface") -> str:
    with pytest.raises(ModelError) as caught:
        await pull(hub, row, dest, source)
    return str(caught.value)


def whole(hub: FakeHub, dest: Path) -> None:
    for name, data in hub.files.items():
        assert (dest / name).read_bytes() == data
    assert not list(dest.glob("*.part"))


def names(dest: Path) -> list[str]:
    return sorted(path.name for path in dest.iterdir())


def parts(dest: Path) -> list[Path]:
    return sorted(dest.glob("*.part"))


# ------------------------------------------------------------------------------------------------ the good way


@pytest.mark.parametrize("source", ["huggingface", "modelscope"])
async def test_both_files_and_their_lock_arrive(
    hub: FakeHub, row: ModelRow, tmp_path: Path, source: SourceName
) -> None:
    dest = tmp_path / "models"
    lock = await pull(hub, row, dest, source)
    whole(hub, dest)
    assert (lock.model, lock.quant, lock.source, lock.repo) == ("qwen3-vl-2b", "Q4_K_M", source, REPO)
    text, projector = lock.files
    assert (text.name, text.bytes, text.sha256) == (TEXT, SIZE, hub.sha256(TEXT))
    assert (projector.name, projector.sha256) == (PROJECTOR, hub.sha256(PROJECTOR))
    assert text.revision == REVISION
    assert text.mtime_ns == (dest / TEXT).stat().st_mtime_ns
    assert Lock.read(dest / "qwen3-vl-2b-Q4_K_M.lock.json") == lock


async def test_a_file_has_its_name_only_once_it_is_on_the_disk(
    hub: FakeHub, row: ModelRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name over half a file after a power cut would be taken for the whole."""
    synced: list[list[str]] = []
    monkeypatch.setattr("inference.download.os.fsync", lambda fd: synced.append(names(tmp_path)))
    await pull(hub, row, tmp_path)
    first, second = (Path(part.name).name for part in (row.quants[0].text, row.quants[0].projector))
    assert [first in there for there in synced[:2]] == [False, True]
    assert second not in synced[1]


async def test_progress_counts_both_files_up_to_all(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    told: list[tuple[int, int, float]] = []
    await client(hub).pull(row, row.quants[0], tmp_path, lambda *now: told.append(now))
    total = sum(map(len, hub.files.values()))
    assert told[0] == (0, total, 0.0)
    assert told[-1][:2] == (total, total)
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert all(rate > 0 for _, _, rate in told[1:])


async def test_what_is_there_is_not_pulled_again(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    await pull(hub, row, tmp_path)
    (tmp_path / "qwen3-vl-2b-Q4_K_M.lock.json").unlink()
    before = len(hub.ranges)
    await pull(hub, row, tmp_path)
    assert len(hub.ranges) == before
    assert Lock.read(tmp_path / "qwen3-vl-2b-Q4_K_M.lock.json")


async def test_a_file_of_the_same_size_that_differs_is_pulled_again(
    hub: FakeHub, row: ModelRow, tmp_path: Path
) -> None:
    (tmp_path / TEXT).write_bytes(noise(9))
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)


async def test_a_file_may_come_without_a_redirect(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.leads_to = "/cdn/{name}"
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)


# ------------------------------------------------------------------------------------------------ cuts


async def test_a_cut_line_goes_on_where_it_stopped(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.cuts = [200_000, 200_000]
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in hub.ranges if asked]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < SIZE


async def test_a_cut_that_looks_like_the_end_is_noticed(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.cuts, hub.unsized = [200_000], True
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)
    assert hub.ranges[1] == "bytes=200000-"


async def test_another_process_goes_on_even_from_the_other_hub(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.cuts = [300_000, 0, 0, 0]
    assert "what arrived is kept" in await refused(hub, row, tmp_path)
    (part,) = parts(tmp_path)
    there = part.stat().st_size
    assert there > 100_000
    hub.cuts = []
    hub.seen.clear()
    told: list[int] = []
    await client(hub, "modelscope").pull(row, row.quants[0], tmp_path, lambda done, *_: told.append(done))
    whole(hub, tmp_path)
    assert hub.ranges[0] == f"bytes={there}-"
    assert told[0] == there


async def test_a_whole_part_only_needs_its_name(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    (tmp_path / f"{TEXT}.{hub.sha256(TEXT)[:16]}.part").write_bytes(hub.files[TEXT])
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)
    assert not any(TEXT in path for path, _ in hub.seen)


async def test_a_part_that_is_too_long_is_begun_anew(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    (tmp_path / f"{TEXT}.{hub.sha256(TEXT)[:16]}.part").write_bytes(hub.files[TEXT] + b"more")
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)


async def test_a_part_of_an_older_file_is_left_alone_and_then_removed(
    hub: FakeHub, row: ModelRow, tmp_path: Path
) -> None:
    (tmp_path / f"{TEXT}.{'0' * 16}.part").write_bytes(noise(5, 1000))
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)


async def test_a_server_without_ranges_sends_all_again(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.cuts, hub.ignores_range = [200_000], True
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)


async def test_a_refused_range_begins_anew(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.cuts, hub.refuses_range = [200_000], True
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)


async def test_a_wrong_range_is_never_glued_on(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.cuts, hub.shifted = [200_000], 7
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)


@pytest.mark.parametrize("told", ["bytes */600000", "bytes ²-599999/600000", f"bytes {'9' * 5000}-1/600000"])
async def test_a_range_that_is_none_begins_anew(hub: FakeHub, row: ModelRow, tmp_path: Path, told: str) -> None:
    hub.cuts, hub.content_range = [200_000], told
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)


async def test_tries_begin_anew_while_something_comes(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.cuts = [100_000] * 5
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)


async def test_a_hub_that_makes_us_begin_anew_again_and_again_is_given_up(
    hub: FakeHub, row: ModelRow, tmp_path: Path
) -> None:
    hub.cuts, hub.shifted = [200_000] * 50, 7
    assert "keeps breaking off" in await refused(hub, row, tmp_path)
    assert len(hub.cuts) > 40


async def test_patience_ends_when_nothing_comes(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.cuts = [0] * 10
    said = await refused(hub, row, tmp_path)
    assert "--from modelscope" in said
    assert "HF_ENDPOINT" in said
    assert len(hub.ranges) == 3


async def test_an_interrupted_pull_leaves_its_part(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.pause_s = 0.05
    begun = asyncio.Event()

    def told(done: int, *_: object) -> None:
        if done > 50_000:
            begun.set()

    task = asyncio.create_task(client(hub).pull(row, row.quants[0], tmp_path, told))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (part,) = parts(tmp_path)
    assert part.stat().st_size >= 50_000
    hub.pause_s = 0
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)


async def test_two_pulls_do_not_write_into_one_part(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.pause_s = 0.02
    begun = asyncio.Event()
    first = asyncio.create_task(
        client(hub).pull(row, row.quants[0], tmp_path, lambda done, *_: begun.set() if done else None)
    )
    await begun.wait()
    assert "already" in await refused(hub, row, tmp_path)
    hub.pause_s = 0
    await first
    whole(hub, tmp_path)


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize("source", ["huggingface", "modelscope"])
async def test_wrong_bytes_are_removed_and_named(
    hub: FakeHub, row: ModelRow, tmp_path: Path, source: SourceName
) -> None:
    hub.wrong = {TEXT: noise(7)}
    said = await refused(hub, row, tmp_path, source)
    assert TEXT in said
    assert "removed" in said
    assert names(tmp_path) == []


async def test_a_damaged_part_is_found_out(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    (tmp_path / f"{TEXT}.{hub.sha256(TEXT)[:16]}.part").write_bytes(b"x" + hub.files[TEXT][1:1000])
    assert "removed" in await refused(hub, row, tmp_path)
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)


async def test_another_size_than_announced_is_refused_before_it_is_read(
    hub: FakeHub, row: ModelRow, tmp_path: Path
) -> None:
    hub.wrong = {TEXT: noise(7, SIZE + 5)}
    said = await refused(hub, row, tmp_path)
    assert f"announces {SIZE} bytes" in said
    assert str(SIZE + 5) in said


async def test_more_than_was_announced_is_not_written_on_and_on(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.tail, hub.unsized = noise(3, 4_000_000), True
    told: list[int] = []
    with pytest.raises(ModelError, match="removed"):
        await client(hub).pull(row, row.quants[0], tmp_path, lambda done, *_: told.append(done))
    assert told[-1] < SIZE + 1_000_000
    assert names(tmp_path) == []


async def test_without_a_lock_nothing_is_installed_by_half(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.wrong = {PROJECTOR: noise(7, 90_000)}
    await refused(hub, row, tmp_path)
    assert names(tmp_path) == [TEXT]


@pytest.mark.parametrize("source", ["huggingface", "modelscope"])
async def test_an_unknown_repository_names_the_other_hub(
    hub: FakeHub, row: ModelRow, tmp_path: Path, source: SourceName
) -> None:
    said = await refused(hub, replace(row, repo="Qwen/Nothing"), tmp_path, source)
    assert "Qwen/Nothing" in said
    assert ("--from modelscope" if source == "huggingface" else "--from huggingface") in said


async def test_a_missing_file_is_named(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    del hub.files[PROJECTOR]
    assert PROJECTOR in await refused(hub, row, tmp_path)


async def test_a_file_that_vanished_after_the_list_is_named(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.statuses = [200, 404]
    assert TEXT in await refused(hub, row, tmp_path)


async def test_an_odd_answer_is_told_with_its_number(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.statuses = [451]
    assert "451" in await refused(hub, row, tmp_path)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_busy_hub_is_asked_again(hub: FakeHub, row: ModelRow, tmp_path: Path, status: int) -> None:
    hub.statuses = [status, 200, status, 200]
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)


async def test_a_hub_that_names_its_time_is_given_it(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.statuses, hub.retry_after = [429], "1"
    began = asyncio.get_running_loop().time()
    await pull(hub, row, tmp_path)
    assert asyncio.get_running_loop().time() - began >= 1


async def test_a_hub_that_asks_for_hours_is_asked_again_sooner(
    hub: FakeHub, row: ModelRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("inference.hub.asyncio.sleep", sleep)
    hub.statuses, hub.retry_after = [429], "7200"
    await pull(hub, row, tmp_path)
    assert waited == [60.0]


@pytest.mark.parametrize("when", ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "²", "nan", "1e9"])
async def test_a_time_that_is_no_number_of_seconds_is_not_waited_for(
    hub: FakeHub, row: ModelRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("inference.hub.asyncio.sleep", sleep)
    hub.statuses, hub.retry_after = [503], when
    await pull(hub, row, tmp_path)
    assert waited == [0.01]


async def test_a_hub_that_falls_silent_is_no_try_without_end(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.pause_s = 1.0
    silent = Hub(SOURCES["huggingface"], env=hub.env, attempts=1, pause_s=0.01, silence_s=0.2)
    with pytest.raises(ModelError, match="cannot be reached or keeps breaking off"):
        await silent.pull(row, row.quants[0], tmp_path)


async def test_the_bytes_are_asked_for_as_they_were_hashed(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    await pull(hub, row, tmp_path)
    assert set(hub.encodings) == {"identity"}


async def test_nobody_there_is_a_sentence(row: ModelRow, tmp_path: Path) -> None:
    nobody = Hub(SOURCES["modelscope"], env={"MODELSCOPE_ENDPOINT": "http://127.0.0.1:9"}, attempts=2, pause_s=0.01)
    with pytest.raises(ModelError, match="cannot be reached") as caught:
        await nobody.pull(row, row.quants[0], tmp_path)
    assert "--from huggingface" in str(caught.value)
    assert "MODELSCOPE_ENDPOINT" in str(caught.value)


@pytest.mark.parametrize(
    "listing", [b"<html>please log in</html>", b"{}", b"[1, 2]", b'[{"type": "file"}]', b'{"Data": null}', b"null"]
)
@pytest.mark.parametrize("source", ["huggingface", "modelscope"])
async def test_a_login_page_is_not_a_list(
    hub: FakeHub, row: ModelRow, tmp_path: Path, source: SourceName, listing: bytes
) -> None:
    hub.listing = listing
    said = await refused(hub, row, tmp_path, source)
    assert "does not answer as" in said or "has no" in said


@pytest.mark.parametrize("size", ["1e999", "-1e999", "NaN", "9" * 400, "9" * 5000, str(2**63), "[[]]", '"²"'])
@pytest.mark.parametrize("source", ["huggingface", "modelscope"])
async def test_a_size_that_no_file_has_is_no_answer_of_a_hub(
    hub: FakeHub, row: ModelRow, tmp_path: Path, source: SourceName, size: str
) -> None:
    hub.announced = {TEXT: 123_123_123}
    listing = json.dumps(hub.huggingface() if source == "huggingface" else hub.modelscope())
    hub.listing = listing.replace("123123123", size).encode()
    assert "does not answer as" in await refused(hub, row, tmp_path, source)
    assert names(tmp_path) == []


@pytest.mark.parametrize("nested", [b"[", b'{"Data":'])
async def test_a_list_in_a_list_without_end_is_no_answer_of_a_hub(
    hub: FakeHub, row: ModelRow, tmp_path: Path, nested: bytes
) -> None:
    hub.listing = nested * 200_000
    assert "does not answer as" in await refused(hub, row, tmp_path)


@pytest.mark.parametrize("none", ["", None, 7, "../x"])
async def test_a_file_without_a_hash_is_not_taken(hub: FakeHub, row: ModelRow, tmp_path: Path, none: object) -> None:
    files = hub.modelscope()
    for file in files["Data"]["Files"]:
        file["Sha256"] = none
    hub.listing = json.dumps(files).encode()
    assert "no SHA-256" in await refused(hub, row, tmp_path, "modelscope")


@pytest.mark.parametrize("target", ["http://example.invalid/{name}", "file:///etc/{name}", "ftp://{name}"])
async def test_a_redirect_leads_to_https_or_stays(hub: FakeHub, row: ModelRow, tmp_path: Path, target: str) -> None:
    hub.leads_to = target
    assert "not safe" in await refused(hub, row, tmp_path)


@pytest.mark.parametrize(
    ("target", "endpoint", "may"),
    [
        ("https://cdn.example/x", "https://hub.example", True),
        ("https://cdn.example/x", "http://hub.example", True),
        ("http://hub.example/x", "http://hub.example", True),
        ("http://hub.example/x", "https://hub.example", False),
        ("http://hub.example:81/x", "http://hub.example", False),
        ("http://cdn.example/x", "http://hub.example", False),
    ],
)
def test_a_redirect_never_leaves_what_is_encrypted(target: str, endpoint: str, may: bool) -> None:
    assert safe(httpx.URL(target), httpx.URL(endpoint)) is may


async def test_a_circle_of_redirects_ends(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.leads_to = f"{{base}}/{REPO}/resolve/main/{{name}}"
    assert "in circles" in await refused(hub, row, tmp_path)


async def test_the_shipped_model_is_not_pulled(hub: FakeHub, tmp_path: Path) -> None:
    row = find("demo")[0]
    assert "comes with the program" in await refused(hub, row, tmp_path)


async def test_a_proxy_that_cannot_be_spoken_to_is_a_sentence(
    hub: FakeHub, row: ModelRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    assert "HTTPS_PROXY" in await refused(hub, row, tmp_path)


# ------------------------------------------------------------------------------------------------ the disk


async def test_too_little_room_is_said_before_the_first_byte(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    hub.announced = {TEXT: 10**15}
    said = await refused(hub, row, tmp_path)
    assert f"{10**15 + 90_000} bytes" in said
    assert "free" in said
    assert not hub.ranges


async def test_what_arrived_counts_as_room(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    """Only what is still missing must fit."""
    part = tmp_path / f"{TEXT}.{hub.sha256(TEXT)[:16]}.part"
    with part.open("wb") as file:
        file.truncate(10**12)  # a hole: takes no room
    hub.announced = {TEXT: 10**12 + 10**15}
    assert f"{10**15 + 90_000} bytes" in await refused(hub, row, tmp_path)


FULL = """
import asyncio, resource, sys
from pathlib import Path
from bot.errors import ModelError
from inference.hub import SOURCES, Hub
from inference.models import find

resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
row, _ = find("qwen3-vl-2b")
hub = Hub(SOURCES["huggingface"], env={"HF_ENDPOINT": sys.argv[1]}, attempts=2, pause_s=0.01)
try:
    asyncio.run(hub.pull(row, row.quants[0], Path(sys.argv[2])))
except ModelError as exc:
    print(exc)
"""


async def test_a_disk_that_fills_up_is_a_sentence_and_the_part_stays(
    hub: FakeHub, row: ModelRow, tmp_path: Path
) -> None:
    """A limit on the size of files stands in for a full disk: the same call fails, in another process."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", FULL, hub.base, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    assert "the disk is full" in done.stdout
    (part,) = parts(tmp_path)
    assert part.stat().st_size == 300_000
    await pull(hub, row, tmp_path)
    whole(hub, tmp_path)


HALF = """
import resource, sys
from pathlib import Path
from inference.download import Download, Part, Remote

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
remote = Remote(name="a", size=1500, sha256="0" * 64, revision="", url="")
with Part(Download(remote=remote, path=Path(sys.argv[1]) / "a")) as part:
    try:
        part.append(bytes(1500))
    except OSError as exc:
        print(exc.strerror, part.bytes)
"""


def test_a_piece_of_which_only_the_beginning_was_written_is_no_piece(tmp_path: Path) -> None:
    """The system writes what fits and says no to the rest only when it is asked again."""
    done = subprocess.run(
        [sys.executable, "-c", HALF, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    assert done.stdout.split() == ["File", "too", "large", "1000"]


async def test_a_folder_that_cannot_be_made_is_a_sentence(hub: FakeHub, row: ModelRow, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert "cannot be written" in await refused(hub, row, tmp_path / "file" / "models")


# ------------------------------------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    ("env", "address"),
    [
        ({}, "https://huggingface.co"),
        ({"HF_ENDPOINT": ""}, "https://huggingface.co"),
        ({"HF_ENDPOINT": "https://hf-mirror.com/"}, "https://hf-mirror.com"),
        ({"HF_ENDPOINT": "hf-mirror.com"}, "https://hf-mirror.com"),
    ],
)
def test_a_mirror_may_be_named_in_the_environment(env: dict[str, str], address: str) -> None:
    assert SOURCES["huggingface"].endpoint(env) == address


@pytest.mark.parametrize("address", ["https://[::1", "http://\x00", "gopher://x"])
async def test_an_address_that_is_none_is_a_sentence(row: ModelRow, tmp_path: Path, address: str) -> None:
    hub = Hub(SOURCES["huggingface"], env={"HF_ENDPOINT": address}, attempts=2, pause_s=0.01)
    with pytest.raises(ModelError, match="HF_ENDPOINT"):
        await hub.pull(row, row.quants[0], tmp_path)


async def test_names_are_quoted_in_addresses() -> None:
    assert SOURCES["modelscope"].file("a/b", "x y&z.gguf").endswith("FilePath=x%20y%26z.gguf")
    assert SOURCES["huggingface"].file("a/b", "x y?.gguf") == "/a/b/resolve/main/x%20y%3F.gguf"
