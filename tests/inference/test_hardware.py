"""What is found on a machine, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.burst import MOST_PHOTOS
from bot.config import Config
from inference import models
from inference.hardware import GIB, MIB, Choice, Device, Hardware, Shape, choose, find
from inference.llama.admission import MARGIN, QUESTION
from inference.llama.vision import largest

EIGHT_B = Shape(text=5 * GIB, projector=GIB, layers=36, cell=147_456)
DEMO = Shape(text=6 * MIB, projector=3 * MIB, layers=6, cell=6144, buffers=40 * MIB)


def machine(**changes: object) -> Hardware:
    values: dict[str, object] = {"processor": "A processor", "cores": 8, "allowed": 8.0, "memory": 32 * GIB}
    return Hardware(**{**values, **changes})  # type: ignore[arg-type]


def card(free: int, *, shared: bool = False) -> Device:
    return Device(name="Card", kind="cuda", free=free, shared=shared)


def said(choice: Choice) -> str:
    return " ".join([*choice.reasons, *(f"{trouble.what}: {trouble.fix}" for trouble in choice.troubles)])


@pytest.mark.parametrize(
    ("cores", "allowed", "threads", "most"),
    [(1, 1.0, 1, 1), (2, 2.0, 1, 2), (8, 8.0, 7, 8), (8, 16.0, 7, 8), (8, 2.5, 1, 2), (8, 0.5, 1, 1)],
)
def test_one_core_is_left_for_the_event_loop(cores: int, allowed: float, threads: int, most: int) -> None:
    choice = choose(machine(cores=cores, allowed=allowed), DEMO, n_ctx=8192)
    assert (choice.threads, choice.most_threads) == (threads, most)
    assert choice.gpu_layers == 0


def test_a_container_that_may_use_less_is_said() -> None:
    assert "may use 2.5" in said(choose(machine(allowed=2.5), DEMO, n_ctx=8192))
    assert "may use" not in said(choose(machine(allowed=16.0), DEMO, n_ctx=8192))


@pytest.mark.parametrize(("cores", "tokens"), [(2, 100), (4, 144), (7, 144), (8, 256), (64, 256)])
def test_a_photo_costs_less_on_a_smaller_processor(cores: int, tokens: int) -> None:
    assert choose(machine(cores=cores, allowed=float(cores)), EIGHT_B, n_ctx=8192).visual_tokens == tokens


def test_a_card_that_holds_the_model_takes_it_whole() -> None:
    choice = choose(machine(devices=(card(24 * GIB),)), EIGHT_B, n_ctx=8192)
    assert choice.gpu_layers == 37
    assert (choice.visual_tokens, choice.parallel, choice.most_threads) == (576, 2, 0)
    assert "All layers go to Card: 24.0 GB" in said(choice)


def test_a_small_card_takes_what_fits() -> None:
    choice = choose(machine(devices=(card(4 * GIB),)), EIGHT_B, n_ctx=8192)
    # 4 GB less a projector and its buffers are 2.6 GB; a layer with its context takes 0.166.
    assert choice.gpu_layers == 15
    assert choice.visual_tokens == 256
    assert "15 of 37 layers" in said(choice)


def test_a_full_card_takes_nothing() -> None:
    choice = choose(machine(devices=(card(100 * MIB),)), EIGHT_B, n_ctx=8192)
    assert choice.gpu_layers == 0
    assert "the processor computes" in said(choice)


def test_the_card_with_the_most_room_is_taken() -> None:
    choice = choose(machine(devices=(card(GIB), card(24 * GIB))), EIGHT_B, n_ctx=8192)
    assert choice.gpu_layers == 37


def test_a_card_without_cuda_in_llama_cpp_is_said() -> None:
    assert "nvcc" in said(choose(machine(nvidia=True), DEMO, n_ctx=8192))
    assert "nvcc" not in said(choose(machine(nvidia=True, devices=(card(GIB),)), DEMO, n_ctx=8192))


def test_what_the_owner_set_is_kept() -> None:
    choice = choose(
        machine(devices=(card(24 * GIB),)),
        EIGHT_B,
        n_ctx=8192,
        gpu_layers=3,
        threads=5,
        visual_tokens=64,
        parallel=1,
    )
    assert (choice.gpu_layers, choice.threads, choice.visual_tokens, choice.parallel) == (3, 5, 64, 1)
    assert choice.most_threads == 0
    assert "inference.gpu_layers" in said(choice)
    assert "inference.threads" in said(choice)


@pytest.mark.parametrize(("n_ctx", "parallel"), [(1024, 1), (2048, 1), (4096, 1), (8192, 3), (32_768, 4)])
def test_each_conversation_gets_room_for_four_photos_and_some_turns(n_ctx: int, parallel: int) -> None:
    assert choose(machine(), DEMO, n_ctx=n_ctx).parallel == parallel
    if n_ctx == 32_768:
        assert choose(machine(devices=(card(99 * GIB),)), DEMO, n_ctx=n_ctx).parallel == 8


MACHINES = [
    *(machine(cores=cores, allowed=float(cores)) for cores in (1, 2, 4, 8, 64)),
    *(machine(devices=(card(free * GIB, shared=shared),)) for free in (1, 4, 24, 80) for shared in (False, True)),
]


@pytest.mark.parametrize("name", [row.name for row in models.rows()])
@pytest.mark.parametrize("n_ctx", [2048, 4096, 8192, 16_384, 32_768])
@pytest.mark.parametrize("parallel", [None, 1])
def test_as_many_photos_as_a_message_may_have_fit_every_model_on_every_machine(
    name: str, n_ctx: int, parallel: int | None
) -> None:
    row = next(row for row in models.rows() if row.name == name)
    config = Config()
    for quant in row.quants:
        shape = Shape(
            text=quant.text.bytes,
            projector=quant.projector.bytes,
            layers=row.layers,
            cell=row.kv_bytes_per_cell,
            buffers=row.buffers,
            photo=row.visual_tokens,
        )
        for hardware in MACHINES:
            choice = choose(
                hardware,
                shape,
                n_ctx=n_ctx,
                parallel=parallel,
                photos=MOST_PHOTOS,
                max_tokens=config.inference.max_tokens,
            )
            photo = largest(choice.visual_tokens, square=row.square).cells
            turn = 700 + MOST_PHOTOS * (photo + 2) + QUESTION + config.inference.max_tokens + MARGIN
            assert turn + 100 < n_ctx // choice.parallel
            assert choice.visual_tokens >= 16
            assert "may not fit" not in said(choice)


def test_photos_that_cannot_fit_are_said_with_the_context_that_would_do() -> None:
    choice = choose(machine(), DEMO, n_ctx=8192, parallel=4, visual_tokens=256)
    assert "4 photos wants about 2380 tokens and may not fit: make inference.n_ctx at least 9520" in said(choice)
    assert "4 conversations side by side, 2048 tokens for each" in said(choice)
    assert "may not fit" not in said(choose(machine(), DEMO, n_ctx=9520, parallel=4, visual_tokens=256))
    assert "may not fit" in said(choose(machine(), DEMO, n_ctx=1024))


def test_what_a_photo_costs_is_the_models_or_the_owners_or_chosen_and_said() -> None:
    small = replace(DEMO, photo=16)
    fixed, ignored = choose(machine(), small, n_ctx=8192), choose(machine(), small, n_ctx=8192, visual_tokens=64)
    assert (fixed.visual_tokens, ignored.visual_tokens) == (16, 16)
    assert "A photo costs 16 tokens: this model knows no other size." in said(fixed)
    assert "knows no other size, whatever photos.visual_tokens says." in said(ignored)
    owner = choose(machine(), DEMO, n_ctx=8192, visual_tokens=64)
    assert owner.visual_tokens == 64
    assert "A photo costs at most 64 tokens, as photos.visual_tokens says." in said(owner)
    assert "A photo costs at most 256 tokens: on a plain processor" in said(choose(machine(), EIGHT_B, n_ctx=8192))


def test_photos_cost_less_where_the_owner_wants_more_conversations() -> None:
    choice = choose(machine(), EIGHT_B, n_ctx=8192, parallel=4)
    assert (choice.parallel, choice.visual_tokens) == (4, (2048 - 1356) // 4)


def test_a_longer_answer_or_more_photos_want_more_room() -> None:
    longer = choose(machine(), EIGHT_B, n_ctx=8192, max_tokens=1024)
    more = choose(machine(), EIGHT_B, n_ctx=8192, photos=8)
    assert (longer.parallel, more.parallel) == (2, 2)


def test_a_model_too_big_for_the_memory_is_said_with_the_way_out() -> None:
    choice = choose(machine(memory=4 * GIB), EIGHT_B, n_ctx=8192)
    [trouble] = choice.troubles
    assert not trouble.ok
    assert "7.5 GB" in trouble.what
    assert "smaller model" in trouble.fix
    assert choose(machine(memory=8 * GIB), EIGHT_B, n_ctx=8192).troubles == ()


def test_a_card_with_memory_of_its_own_spares_the_machines() -> None:
    assert choose(machine(memory=2 * GIB, devices=(card(24 * GIB),)), EIGHT_B, n_ctx=8192).troubles == ()
    assert choose(machine(memory=2 * GIB, devices=(card(24 * GIB, shared=True),)), EIGHT_B, n_ctx=8192).troubles


def test_layers_for_a_card_that_is_not_there_are_not_believed() -> None:
    choice = choose(machine(), EIGHT_B, n_ctx=8192, gpu_layers=99)
    assert (choice.gpu_layers, choice.visual_tokens, choice.most_threads) == (0, 256, 8)
    assert "there is no card that llama.cpp can use" in choice.troubles[0].what
    assert choose(machine(), EIGHT_B, n_ctx=8192, gpu_layers=0).troubles == ()


def fake_root(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def hyper_threads(cores: int) -> dict[str, str]:
    at = "sys/devices/system/cpu/cpu"
    return {
        f"{at}{cpu}/topology/{name}": text
        for cpu in range(2 * cores)
        for name, text in (("core_id", str(cpu % cores)), ("physical_package_id", "0"))
    }


def test_physical_cores_are_counted_not_hyper_threads(tmp_path: Path) -> None:
    found = find(root=fake_root(tmp_path, hyper_threads(6)))
    assert found.cores == 6
    assert found.devices == ()


def test_processor_and_memory_are_read(tmp_path: Path) -> None:
    files = {"proc/cpuinfo": "flags: x\nmodel name\t: Very Fast\n", "proc/meminfo": "MemAvailable:   2048 kB\n"}
    found = find(root=fake_root(tmp_path, files))
    assert (found.processor, found.memory) == ("Very Fast", 2 * MIB)


@pytest.mark.parametrize(
    "files",
    [
        {"sys/fs/cgroup/cpu.max": "100000 100000"},
        {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"},
    ],
)
def test_a_containers_share_of_the_processor_counts(tmp_path: Path, files: dict[str, str]) -> None:
    assert find(root=fake_root(tmp_path, files)).allowed == 1.0


@pytest.mark.parametrize("text", ["max 100000", "", "100000 0", "garbage"])
def test_no_limit_is_no_limit(tmp_path: Path, text: str) -> None:
    free = find(root=tmp_path / "nothing").allowed
    assert find(root=fake_root(tmp_path, {"sys/fs/cgroup/cpu.max": text})).allowed == free


@pytest.mark.parametrize(
    ("limit", "used"),
    [("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")],
)
def test_a_containers_share_of_the_memory_counts(tmp_path: Path, limit: str, used: str) -> None:
    files = {
        "proc/meminfo": "MemAvailable: 9000000 kB\n",
        f"sys/fs/cgroup/{limit}": str(500 * MIB),
        f"sys/fs/cgroup/{used}": str(100 * MIB),
    }
    assert find(root=fake_root(tmp_path, files)).memory == 400 * MIB


def test_a_card_in_the_machine_is_seen_by_its_driver(tmp_path: Path) -> None:
    assert find(root=fake_root(tmp_path, {"proc/driver/nvidia/version": "x"})).nvidia


def test_this_machine_can_be_looked_at() -> None:
    found = find()
    assert found.cores >= 1
    assert found.allowed >= 1
    assert found.memory > 0
    assert found.processor
    assert choose(found, DEMO, n_ctx=8192).troubles == ()
