"""The model's thread when something in it goes wrong, and what nobody waits for."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable

import pytest

from bot.errors import EngineBusy, EngineError, ModelError, TooLong
from bot.ports import Message
from inference.llama.engine import LlamaEngine
from inference.llama.settings import Settings
from tests.inference.llama.conftest import SYSTEM, Pictures, ask, assistant, photo, request, talk, until, user

Make = Callable[..., LlamaEngine]


def broken(*_: object, **__: object) -> bool:
    raise RuntimeError("a defect")


async def test_a_command_that_fails_costs_the_one_who_asked(
    engine: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with engine() as running:
        await running.warm(SYSTEM)
        for name in ("add", "forget"):
            monkeypatch.setattr(running._runner, name, broken)
        with pytest.raises(EngineError, match="the log has more"):
            await ask(running, request("a", user("你好")))
        with pytest.raises(EngineError, match="the log has more"):
            await running.warm(SYSTEM)
        with pytest.raises(EngineError, match="the log has more"):
            await running.forget(["a"], [])
        assert caplog.text.count("RuntimeError: a defect") == 3
        monkeypatch.undo()
        assert running.ready() is None
        text, _ = await ask(running, request("a", user("你好")))
    assert json.loads(text)


async def test_a_step_that_failed_takes_all_of_its_conversation_along(
    engine: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a failed step left in the context is not known: also what it went on from is computed anew."""
    async with engine() as running:
        ((text, _),) = await talk(running, "a", user("你好"))
        later = (user("你好"), assistant(text), user("在吗"))
        _, stranger = await ask(running, request("b", *later))
        monkeypatch.setattr(running._runner.context, "decode", broken)
        with pytest.raises(EngineError, match="the log has more"):
            await ask(running, request("a", *later))
        monkeypatch.undo()
        _, again = await ask(running, request("a", *later))
    assert again.tokens is not None
    assert stranger.tokens is not None
    assert again.tokens.reused == stranger.tokens.reused > 0, "the shop's prompt, and no more"


async def test_a_thread_that_cannot_go_on_tells_all_who_wait_and_is_not_ready(
    engine: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with engine() as running:
        await talk(running, "b", user(photo(1), "多少钱？"))
        runner = running._runner
        stream = running.answer(request("a", user("你好"), max_tokens=500))
        await anext(stream)
        monkeypatch.setattr(runner.scheduler, "step", broken)
        with pytest.raises(EngineError, match="stopped by a defect"):
            async for _ in stream:
                pass
        await asyncio.wait_for(asyncio.wrap_future(running._worker.stopped), 60)
        assert "stopped by a defect" in str(running.ready())
        assert "RuntimeError: a defect" in caplog.text
        for refused in (ask(running, request("c", user("你好"))), running.warm(SYSTEM)):
            with pytest.raises(EngineError):
                await refused
        # It has let go of everything: an erasure has nothing left to wait for.
        await asyncio.wait_for(running.forget(["b"], [photo(1).sha256]), 60)
        assert photo(1).sha256 not in runner.album
        assert not runner.memory._places
    assert "stopped by a defect" in str(running.ready())


async def test_it_is_ready_while_it_runs_and_not_before_nor_after(engine: Make) -> None:
    running = engine()
    assert running.ready() == "is not loaded"
    async with running:
        assert running.ready() is None
    assert running.ready() == "stopped"


async def test_who_asked_while_a_model_was_loaded_that_cannot_be_is_told(settings: Settings, engine: Make) -> None:
    running = engine(model=settings.projector)
    entering = asyncio.create_task(running.__aenter__())
    await asyncio.sleep(0)
    warming = asyncio.create_task(running.warm(SYSTEM))
    forgetting = asyncio.create_task(running.forget(["a"], []))
    with pytest.raises(ModelError):
        await entering
    with pytest.raises(EngineError, match="stopped"):
        await asyncio.wait_for(warming, 60)
    await asyncio.wait_for(forgetting, 60)
    assert running.ready() == "is not loaded"


class Slow(Pictures):
    """A photo store that gives a picture when it is let: so long the model's thread is in an encoding."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Semaphore(0)
        self.asked: list[str] = []

    def __call__(self, sha256: str) -> bytes:
        self.asked.append(sha256)
        assert self.go.acquire(timeout=60)
        return super().__call__(sha256)


#: More than any test asks for.
ALL = 100


def look(running: LlamaEngine, *numbers: int) -> asyncio.Task[None]:
    return asyncio.create_task(running.warm(SYSTEM, [photo(n) for n in numbers]))


async def test_looks_that_were_given_up_are_gone(engine: Make) -> None:
    slow = Slow()
    async with engine(read_photo=slow) as running:
        await running.warm(SYSTEM)
        looks = [look(running, n, 100 + n) for n in range(1, 10)]
        await until(lambda: bool(slow.asked))
        for each in looks:
            each.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
        slow.go.release(ALL)
        text, _ = await asyncio.wait_for(ask(running, request("a", user("你好"))), 60)
        assert not running._runner.scheduler.waiting
    assert json.loads(text)
    assert slow.asked == [photo(1).sha256], "no photo is looked at for nobody but the one that was begun"


async def test_looks_do_not_count_among_those_who_wait_and_the_oldest_is_given_up(engine: Make) -> None:
    slow = Slow()
    async with engine(read_photo=slow, parallel=1, waiting=1, looks=3) as running:
        await running.warm(SYSTEM)
        first = look(running, 1)
        await until(lambda: len(slow.asked) == 1)
        looks = [look(running, n) for n in range(2, 7)]
        await asyncio.sleep(0)
        slow.go.release()
        await until(lambda: len(slow.asked) == 2)
        assert len(running._runner.scheduler.waiting) == 2, "one is begun and two wait: the limit is three"
        asked = asyncio.create_task(ask(running, request("a", user("你好"))))
        await asyncio.sleep(0)
        slow.go.release(ALL)
        await asyncio.wait_for(asyncio.gather(asked, first, *looks), 60)
    assert slow.asked == [photo(n).sha256 for n in (1, 4, 5, 6)]


async def test_requests_that_wait_count_beside_a_look(engine: Make) -> None:
    slow = Slow()
    async with engine(read_photo=slow, parallel=1, waiting=1) as running:
        await running.warm(SYSTEM)
        first = asyncio.create_task(ask(running, request("a", user(photo(1), photo(2), "多少钱？"))))
        await until(lambda: len(slow.asked) == 1)
        second = asyncio.create_task(ask(running, request("b", user("你好"))))
        await asyncio.sleep(0)
        slow.go.release()
        await until(lambda: len(slow.asked) == 2)
        with pytest.raises(EngineBusy):
            await ask(running, request("c", user("你好")))
        slow.go.release(ALL)
        await asyncio.wait_for(asyncio.gather(first, second), 60)


async def test_an_answer_takes_the_place_of_a_look_where_there_is_one_place(engine: Make) -> None:
    slow = Slow()
    async with engine(read_photo=slow, parallel=1) as running:
        await running.warm(SYSTEM)
        looking = look(running, *range(1, 5))
        await until(lambda: len(slow.asked) == 1)
        asked = asyncio.create_task(ask(running, request("a", user("你好"))))
        await asyncio.sleep(0)
        slow.go.release()
        await asyncio.wait_for(asked, 60)
        slow.go.release(ALL)
        await asyncio.wait_for(looking, 60)
    assert len(slow.asked) == 4


@pytest.mark.parametrize("n_ctx", [1024, 512])
async def test_a_shops_prompt_that_leaves_no_room_is_refused_at_once(engine: Make, n_ctx: int) -> None:
    long = Message(role="system", body=("满99元包邮，不满收8元运费。" * 40,))
    async with engine(n_ctx=n_ctx, parallel=1) as running:
        with pytest.raises(TooLong, match="shorten the prompt"):
            await asyncio.wait_for(running.warm(long), 60)
        assert running.ready() is None


async def test_a_prompt_between_share_and_context_is_refused_too(engine: Make) -> None:
    async with engine(n_ctx=4096, parallel=4) as running:
        long = Message(role="system", body=("满99元包邮，不满收8元运费。" * 60,))
        with pytest.raises(TooLong, match="a conversation has 1024"):
            await asyncio.wait_for(running.warm(long), 60)
