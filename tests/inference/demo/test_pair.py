"""The shipped pair through llama.cpp: floors that a broken export or a changed prompt falls below at once."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from bot import prompt
from inference import gguf
from inference.demo import score, shop
from inference.llama.engine import LlamaEngine

FOLDER = Path(score.__file__).parent


def test_pair_is_small_and_tied_to_the_prompt_that_it_was_trained_on() -> None:
    files = [FOLDER / "demo.gguf", FOLDER / "demo-mmproj.gguf"]
    assert sum(file.stat().st_size for file in files) <= 12_000_000
    assert gguf.read(files[0]).prompt_sha256 == prompt.sha256(shop.system())


@pytest.fixture(scope="module")
def bench() -> score.Bench:
    photos: dict[str, bytes] = {}

    async def run() -> score.Bench:
        with tempfile.TemporaryDirectory() as state:
            settings = score.settings(FOLDER, Path(state), threads=1)
            async with LlamaEngine(settings, photos.__getitem__) as engine:
                bench = score.Bench(engine, shop.system(), photos)
                await score.drawings(bench, 30)
                await score.wrong_items(bench, 30)
                await score.copying(bench, 15)
                return bench

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("figure", "floor"),
    [
        ("colour", 93),
        ("kind", 93),
        ("pattern", 93),
        ("count", 93),
        ("material", 86),
        ("defect", 90),
        ("record", 83),
        ("wrong item", 90),
        ("own drawings not refused", 96),
        ("copied, 1 line", 93),
        ("copied, 2 lines", 80),
    ],
)
def test_pair_sees_and_answers(bench: score.Bench, figure: str, floor: int) -> None:
    marks = bench.right[figure]
    assert 100 * sum(marks) / len(marks) >= floor, [miss for miss in bench.misses if miss.startswith(figure)][:5]
