"""Files that cannot be used: one plain sentence, and nothing of C on stderr."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench import random_pair
from bot.errors import ModelError
from inference.llama.engine import LlamaEngine
from inference.llama.settings import Settings
from tests.inference.llama.conftest import Pictures, ask, request, user

Damage = Callable[[Path, Path, Path], tuple[Path, Path]]


def cut(path: Path, folder: Path, keep: float) -> Path:
    out = folder / "cut.gguf"
    out.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    return out


def without_chatml(text: Path, folder: Path) -> Path:
    out = folder / "plain.gguf"
    out.write_bytes(text.read_bytes().replace(b"<|im_start|>", b"<|in_start|>"))
    return out


def other_width(folder: Path) -> Path:
    """The projector of a model of another width."""
    shapes = random_pair.SHAPES
    shapes["narrow"] = replace(shapes["tiny"], width=64)
    out = folder / "narrow.gguf"
    random_pair.write_projector(out, "narrow", 0)
    del shapes["narrow"]
    return out


def text_file(folder: Path) -> Path:
    out = folder / "page.gguf"
    out.write_text("<html>404</html>")
    return out


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda t, p, f: (f / "none.gguf", p), "there is no such file"),
        (lambda t, p, f: (t, f / "none.gguf"), "there is no such file"),
        (lambda t, p, f: (f, p), "cannot be read"),
        (lambda t, p, f: (cut(t, f, 0.9), p), "cut off"),
        (lambda t, p, f: (cut(t, f, 0.005), p), "cut off"),
        (lambda t, p, f: (t, cut(p, f, 0.9)), "cut off"),
        (lambda t, p, f: (cut(t, f, 0.0), p), "cut off"),
        (lambda t, p, f: (text_file(f), p), "not a GGUF"),
        (lambda t, p, f: (p, t), "swapped"),
        (lambda t, p, f: (t, t), "not a projector"),
        (lambda t, p, f: (without_chatml(t, f), p), "ChatML"),
        (lambda t, p, f: (t, other_width(f)), "another model"),
    ],
)
async def test_a_pair_that_cannot_be_used_is_refused_with_a_sentence(
    settings: Settings, tmp_path: Path, damage: Damage, sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    model, projector = damage(settings.model, settings.projector, tmp_path)
    engine = LlamaEngine(replace(settings, model=model, projector=projector), Pictures())
    with pytest.raises(ModelError, match=sentence) as caught:
        async with engine:
            pass
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def scrambled(path: Path, folder: Path, key: bytes) -> Path:
    """The file with the value of one key of its header overwritten."""
    data = bytearray(path.read_bytes())
    at = data.index(key) + len(key) + 4
    data[at : at + 4] = b"\x07\x00\x00\x00"
    out = folder / "scrambled.gguf"
    out.write_bytes(data)
    return out


@pytest.mark.parametrize("key", ["block_count", "attention.head_count_kv", "feed_forward_length"])
async def test_a_header_that_llama_cpp_refuses_is_a_sentence_too(settings: Settings, tmp_path: Path, key: str) -> None:
    broken = scrambled(settings.model, tmp_path, b"qwen3vl." + key.encode())
    engine = LlamaEngine(replace(settings, model=broken), Pictures())
    with pytest.raises(ModelError, match="cannot be loaded"):
        async with engine:
            pass


async def test_a_projector_that_mtmd_refuses_is_a_sentence_too(settings: Settings, tmp_path: Path) -> None:
    broken = scrambled(settings.projector, tmp_path, b"clip.vision.block_count")
    with pytest.raises(ModelError, match="cannot be used with"):
        async with LlamaEngine(replace(settings, projector=broken), Pictures()):
            pass


@pytest.mark.parametrize("keep", [0, 50, 80, 1000, -1])
async def test_a_damaged_state_file_costs_time_and_no_process(settings: Settings, keep: int) -> None:
    answers = []
    for _ in range(2):
        async with LlamaEngine(settings, Pictures()) as engine:
            text, last = await ask(engine, request("c", user("你好")))
            answers.append((text, last.tokens and last.tokens.reused))
        (state,) = settings.state_dir.glob("*.state")
        state.write_bytes(state.read_bytes()[:keep])
    assert answers[0] == answers[1]


async def test_nothing_is_written_to_stderr_while_it_works(
    settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    async with LlamaEngine(settings, Pictures()) as engine:
        await ask(engine, request("c", user("你好")))
    assert capfd.readouterr() == ("", "")


async def test_an_engine_that_was_left_says_so(settings: Settings) -> None:
    engine = LlamaEngine(settings, Pictures())
    with pytest.raises(Exception, match="not running"):
        engine.estimate(request("c", user("你好")))
    async with engine:
        pass
    with pytest.raises(Exception, match="not running"):
        await ask(engine, request("c", user("你好")))
    with pytest.raises(Exception, match="stopped"):
        await engine.warm(request("c", user("你好")).messages[0])


async def test_entering_can_be_given_up(settings: Settings) -> None:
    engine = LlamaEngine(settings, Pictures())
    entering = asyncio.create_task(engine.__aenter__())
    await asyncio.sleep(0)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    await asyncio.wait_for(asyncio.wrap_future(engine._worker.stopped), 60)
