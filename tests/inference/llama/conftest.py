"""A random pair, made once per session, and engines on it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import random_pair
from bot import answer
from bot.model import Photo
from bot.ports import Chunk, EngineInfo, Message, Request
from inference.llama.engine import LlamaEngine
from inference.llama.settings import Sampling, Settings

INFO = EngineInfo(model="random", title="Random", notes={}, prompt="brief", fact_lines=2)
SYSTEM = Message(role="system", body=("你是小店的客服，说话简短。" + "满99元包邮，不满收8元运费。" * 6,))


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return random_pair.write("tiny", tmp_path_factory.mktemp("pair"))


@pytest.fixture
def settings(pair: tuple[Path, Path], tmp_path: Path) -> Settings:
    model, projector = pair
    return Settings(
        model=model,
        projector=projector,
        info=INFO,
        state_dir=tmp_path / "state",
        n_ctx=4096,
        parallel=2,
        visual_tokens=36,
        sampling=Sampling(greedy=True),
    )


class Pictures:
    """A photo store: pictures drawn from their number; counts how often each was read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, sha256: str) -> bytes:
        self.read.append(sha256)
        colours = np.random.default_rng(int(sha256, 16)).integers(0, 255, (6, 6, 3), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(colours).resize((192, 192)).save(out, "JPEG")
        return out.getvalue()


@pytest.fixture
def pictures() -> Pictures:
    return Pictures()


@pytest.fixture
def engine(settings: Settings, pictures: Pictures) -> Callable[..., LlamaEngine]:
    """Makes an engine; keywords change its settings, ``read_photo`` its photo store."""
    return lambda read_photo=pictures, **changes: LlamaEngine(replace(settings, **changes), read_photo)


def photo(number: int) -> Photo:
    return Photo(sha256=f"{number:064x}", media_type="image/jpeg", width=192, height=192)


def user(*body: str | Photo, facts: str = "") -> Message:
    return Message(role="user", body=body, facts=facts)


def assistant(text: str) -> Message:
    return Message(role="assistant", body=(text,))


def request(
    conversation: str, *messages: Message, max_tokens: int = 24, priority: int = 0, system: Message = SYSTEM
) -> Request:
    return Request(
        conversation=conversation,
        messages=(system, *messages),
        schema=answer.SCHEMA,
        max_tokens=max_tokens,
        priority=priority,
    )


async def ask(engine: LlamaEngine, wanted: Request) -> tuple[str, Chunk]:
    """The whole answer, and its last chunk."""
    chunks = [chunk async for chunk in engine.answer(wanted)]
    assert [chunk.done for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    return "".join(chunk.text for chunk in chunks), chunks[-1]


async def talk(engine: LlamaEngine, conversation: str, *questions: Message) -> list[tuple[str, Chunk]]:
    """Asks one after the other, each answer standing in the next prompt."""
    messages: list[Message] = []
    out = []
    for question in questions:
        messages.append(question)
        text, last = await ask(engine, request(conversation, *messages))
        messages.append(assistant(text))
        out.append((text, last))
    return out


def reused(answers: Sequence[tuple[str, Chunk]]) -> list[int]:
    return [last.tokens.reused for _, last in answers if last.tokens]


def prompts(answers: Sequence[tuple[str, Chunk]]) -> list[int]:
    return [last.tokens.prompt for _, last in answers if last.tokens]


async def until(true: Callable[[], bool]) -> None:
    """Waits until something holds on the model's thread, which has no news of it for this side."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)
