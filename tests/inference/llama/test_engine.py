"""The engine with real llama.cpp, on a pair of random weights: what is answered, what is computed again."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bot import answer
from bot.errors import EngineBusy, EngineError, Erased, StorageError, TooLong
from bot.model import Action, Answer
from bot.ports import Message, Request
from inference.llama import chat
from inference.llama.engine import LlamaEngine
from inference.llama.job import Prompt
from inference.llama.settings import Settings
from tests.inference.llama.conftest import (
    SYSTEM,
    Pictures,
    ask,
    assistant,
    photo,
    prompts,
    request,
    reused,
    talk,
    until,
    user,
)

Make = Callable[..., LlamaEngine]


async def test_every_answer_has_the_agreed_form(engine: Make) -> None:
    async with engine() as running:
        for number, words in enumerate(("你好", "有红色的吗？", "x" * 300, "")):
            text, last = await ask(running, request(f"c{number}", user(words)))
            assert answer.dump(answer.load(text)) == text
            assert last.finish in ("stop", "length", "repetition")
            assert last.tokens is not None
            assert last.tokens.reply >= 3
            assert last.timings is not None
            assert 0 <= last.timings.queue_s <= last.timings.first_token_s <= last.timings.total_s


async def test_a_follow_up_computes_its_own_words_only(engine: Make, pictures: Pictures) -> None:
    async with engine() as running:
        await running.warm(SYSTEM)
        first, second = await talk(running, "c", user(photo(1), "这是什么颜色的？"), user("有破损吗？"))
    assert first[1].tokens is not None
    assert second[1].tokens is not None
    assert second[1].tokens.reused >= first[1].tokens.prompt
    assert second[1].tokens.prompt - second[1].tokens.reused < 120
    assert pictures.read == [photo(1).sha256]


async def test_customers_in_turn_keep_their_photos(engine: Make, pictures: Pictures) -> None:
    async with engine(n_ctx=8192, parallel=4) as running:
        await running.warm(SYSTEM)
        firsts = {n: await talk(running, f"c{n}", user(photo(n), "多少钱？")) for n in range(4)}
        for _ in range(2):
            for n in range(4):
                text, last = firsts[n][-1]
                wanted = request(f"c{n}", user(photo(n), "多少钱？"), assistant(text), user("还有吗？"))
                again, figures = await ask(running, wanted)
                assert figures.tokens is not None
                assert last.tokens is not None
                assert figures.tokens.reused >= last.tokens.prompt, "nothing of the first turn is computed again"
                assert json.loads(again)
    assert len(pictures.read) == 4


async def test_the_shops_prompt_is_computed_once_for_all(engine: Make) -> None:
    async with engine() as running:
        cold, warm = [await talk(running, name, user("你好")) for name in ("a", "b")]
        assert reused(cold) == [0]
        assert reused(warm)[0] > 100


async def test_after_a_restart_nothing_of_the_prompt_is_computed(engine: Make) -> None:
    async with engine() as running:
        before = await talk(running, "a", user("有红色的吗？"))
    async with engine() as running:
        after = await talk(running, "a", user("有红色的吗？"))
    assert reused(before) == [0]
    assert reused(after)[0] > 100
    assert before[0][0] == after[0][0]


async def test_a_message_that_joins_is_appended_at_the_fork(engine: Make, pictures: Pictures) -> None:
    async with engine() as running:
        await running.warm(SYSTEM)
        alone = user(photo(3), "这是什么？", facts="资料：\n红色T恤 89元")
        await ask(running, request("c", alone))
        joined = user(photo(3), "这是什么？", "多少钱？", facts="资料：\n红色T恤 89元 库存3件")
        text, last = await ask(running, request("c", joined))
        fresh, _ = await ask(running, request("d", joined))
    assert last.tokens is not None
    assert last.tokens.prompt - last.tokens.reused < 100, "the photo and the first words stay"
    assert text == fresh
    assert pictures.read == [photo(3).sha256]


async def test_an_answer_that_was_taken_back_leaves_no_trace(engine: Make) -> None:
    async with engine() as running:
        await running.warm(SYSTEM)
        question = user(photo(4), "有破损吗？")
        await ask(running, request("c", question))
        said = answer.dump(Answer(action=Action.PERSON, seen=None, reply="请稍等，我请同事来看。"))
        text, last = await ask(running, request("c", question, assistant(said), user("好的")))
        fresh, _ = await ask(running, request("d", question, assistant(said), user("好的")))
    assert last.tokens is not None
    assert last.tokens.reused > 130, "the photo is still there"
    assert text == fresh


async def test_a_look_up_goes_on_from_the_first_answer(engine: Make) -> None:
    async with engine() as running:
        question = user(photo(5), "多少钱？")
        text, first = await ask(running, request("c", question))
        _, second = await ask(running, request("c", question, assistant(text), user(facts="资料：无")))
        # A message joins while the second answer is made: the first answer is void.
        _, joined = await ask(running, request("c", user(photo(5), "多少钱？", "还有吗？")))
    assert first.tokens is not None
    assert second.tokens is not None
    assert joined.tokens is not None
    assert second.tokens.reused >= first.tokens.prompt
    assert joined.tokens.prompt - joined.tokens.reused < 60


async def test_answers_side_by_side_are_those_given_alone(engine: Make) -> None:
    questions = {f"c{n}": user(photo(n), "什么颜色？") for n in range(4)}
    async with engine(parallel=1) as running:
        alone = {name: (await ask(running, request(name, q)))[0] for name, q in questions.items()}
    async with engine(n_ctx=8192, parallel=4) as running:
        together = await asyncio.gather(*(ask(running, request(name, q)) for name, q in questions.items()))
    assert [text for text, _ in together] == list(alone.values())


async def test_a_closed_stream_gives_its_sequence_back(engine: Make) -> None:
    async with engine(parallel=1) as running:
        for n in range(30):
            stream = running.answer(request(f"c{n}", user("你好"), max_tokens=500))
            assert (await anext(stream)).text
            await stream.aclose()
        text, _ = await ask(running, request("last", user("你好")))
    assert json.loads(text)


async def test_a_cancelled_question_keeps_what_was_computed_of_it(engine: Make) -> None:
    async with engine() as running:
        stream = running.answer(request("c", user(photo(6), "这是什么？"), max_tokens=500))
        await anext(stream)
        await stream.aclose()
        _, last = await ask(running, request("c", user(photo(6), "这是什么？", "红的")))
    assert last.tokens is not None
    assert last.tokens.prompt - last.tokens.reused < 60


async def test_a_newer_request_takes_the_older_ones_place(engine: Make) -> None:
    async with engine() as running:
        older = running.answer(request("c", user("你好"), max_tokens=500))
        await anext(older)
        newer, _ = await ask(running, request("c", user("你好", "在吗")))
        with pytest.raises(EngineError, match="newer message"):
            async for _ in older:
                pass
    assert json.loads(newer)


async def test_conversations_that_do_not_fit_are_parked_and_come_back(engine: Make, pictures: Pictures) -> None:
    async with engine(n_ctx=1024, parallel=1) as running:
        await running.warm(SYSTEM)
        firsts = [await talk(running, f"c{n}", user(photo(n), "多少钱？")) for n in range(6)]
        for n, ((text, first),) in enumerate(firsts):
            wanted = request(f"c{n}", user(photo(n), "多少钱？"), assistant(text), user("还有吗？"))
            _, last = await ask(running, wanted)
            assert last.tokens is not None
            assert first.tokens is not None
            assert last.tokens.reused >= first.tokens.prompt
    assert len(pictures.read) == 6


async def test_a_parked_conversation_answers_as_if_it_had_stayed(engine: Make) -> None:
    first, then = user(photo(1), "多少钱？"), user("还有吗？")
    async with engine(n_ctx=8192, parallel=1) as running:
        stayed = await talk(running, "c", first, then)
    async with engine(n_ctx=1024, parallel=1) as running:
        ((text, _),) = await talk(running, "c", first)
        for n in range(4):
            await talk(running, f"other{n}", user(photo(2 + n), "多少钱？"))
        returned, _ = await ask(running, request("c", first, assistant(text), then))
    assert returned == stayed[1][0]


async def test_without_memory_for_parking_a_conversation_is_computed_again(engine: Make) -> None:
    async with engine(n_ctx=1024, parallel=1, parked_bytes=0, photo_bytes=0) as running:
        firsts = [await talk(running, f"c{n}", user(photo(n), "多少钱？")) for n in range(4)]
        ((text, first),) = firsts[0]
        _, last = await ask(running, request("c0", user(photo(0), "多少钱？"), assistant(text), user("还有吗？")))
    assert last.tokens is not None
    assert first.tokens is not None
    assert last.tokens.reused < first.tokens.prompt


async def test_a_conversation_beyond_its_share_is_refused(engine: Make) -> None:
    async with engine(n_ctx=2048, parallel=2) as running:
        with pytest.raises(TooLong, match="share of 1024"):
            await ask(running, request("c", user("很长的话。" * 200)))
        text, _ = await ask(running, request("c", user("短的话")))
    assert json.loads(text)


async def test_more_than_may_wait_are_refused(engine: Make) -> None:
    async with engine(parallel=1, waiting=0) as running:
        with pytest.raises(EngineBusy):
            await ask(running, request("c", user("你好")))


async def test_what_is_forgotten_is_computed_again(engine: Make, pictures: Pictures) -> None:
    question = user(photo(1), "多少钱？")
    async with engine() as running:
        await running.warm(SYSTEM)
        await talk(running, "a", question)
        await talk(running, "b", user(photo(2), "多少钱？"))
        await running.forget(["a"], [photo(2).sha256])
        again = [await talk(running, "a2", question), await talk(running, "b", user(photo(2), "多少钱？"))]
    assert all(reused(each)[0] < prompts(each)[0] - 36 for each in again)
    assert pictures.read.count(photo(1).sha256) == 1, "another may have sent the same photo: its rows stay"
    assert pictures.read.count(photo(2).sha256) == 2


async def test_forgetting_ends_the_answer_that_is_being_made(engine: Make) -> None:
    async with engine() as running:
        stream = running.answer(request("a", user("你好"), max_tokens=500))
        await anext(stream)
        await running.forget(["a"], [])
        with pytest.raises(Erased, match="while this answer was made"):
            async for _ in stream:
                pass


async def test_a_conversation_that_was_forgotten_is_never_answered_nor_kept_again(engine: Make) -> None:
    async with engine() as running:
        await talk(running, "a", user("我住在秘密路1号"))
        await running.forget(["a"], [])
        for _ in range(2):
            with pytest.raises(Erased, match="nothing of this conversation"):
                await ask(running, request("a", user("我住在秘密路1号")))
        memory = running._runner.memory
        assert memory.best("a", Prompt.of(request("a", user("我住在秘密路1号")).messages).trunk) is None
        assert "a" not in memory._places
        text, _ = await ask(running, request("b", user("你好")))
    assert json.loads(text)


async def test_a_photo_that_was_erased_ends_the_look_at_it_as_a_failure(engine: Make, pictures: Pictures) -> None:
    go = threading.Event()

    def slow(sha256: str) -> bytes:
        go.wait(60)
        return pictures(sha256)

    async with engine(read_photo=slow) as running:
        looked = asyncio.create_task(running.warm(SYSTEM, [photo(1), photo(2)]))
        await until(lambda: bool(running._runner.scheduler.running))
        forgot = asyncio.create_task(running.forget(["x"], [photo(2).sha256]))
        await asyncio.sleep(0)
        go.set()
        await forgot
        with pytest.raises(EngineError, match="a photo was erased"):
            await looked


async def test_warming_encodes_a_photo_before_it_is_asked_about(engine: Make, pictures: Pictures) -> None:
    async with engine() as running:
        await running.warm(SYSTEM, [photo(1), photo(2)])
        assert pictures.read == [photo(1).sha256, photo(2).sha256]
        await running.warm(SYSTEM, [photo(1)])
        answers = await talk(running, "a", user(photo(1), "多少钱？"))
    assert len(pictures.read) == 2
    assert reused(answers)[0] > 100


async def test_leaving_ends_what_is_running(engine: Make) -> None:
    running = engine()
    async with running:
        stream = running.answer(request("a", user("你好"), max_tokens=500))
        await anext(stream)
    with pytest.raises(EngineError, match="stopped"):
        async for _ in stream:
            pass


async def test_a_lost_photo_costs_its_own_question_only(settings: Settings, pictures: Pictures) -> None:
    def lost(sha256: str) -> bytes:
        if sha256 == photo(9).sha256:
            raise OSError("gone")
        return pictures(sha256)

    async with LlamaEngine(settings, lost) as running:
        with pytest.raises(EngineError, match="cannot be read"):
            await ask(running, request("a", user(photo(9), "多少钱？")))
        text, _ = await ask(running, request("a", user("你好")))
    assert json.loads(text)


@pytest.mark.parametrize("gone", [OSError("gone"), KeyError("gone"), StorageError("the photo is not there")])
async def test_a_lost_photo_of_an_earlier_question_leaves_the_later_ones_answered(
    settings: Settings, pictures: Pictures, gone: Exception
) -> None:
    lost: list[str] = []

    def read(sha256: str) -> bytes:
        if sha256 in lost:
            raise gone
        return pictures(sha256)

    first = user(photo(1), "多少钱？")
    async with LlamaEngine(settings, read) as running:
        text, _ = await ask(running, request("c", first))
    lost.append(photo(1).sha256)
    async with LlamaEngine(settings, read) as running:
        later = [first, assistant(text), user("有货吗？")]
        words, figures = await ask(running, request("c", *later))
        left = [*chat.without(tuple(later), lost)]
        assert words == (await ask(running, request("d", *left)))[0]
        with pytest.raises(EngineError, match="cannot be read"):
            await ask(running, request("e", *later[:2], user(photo(1), "这个呢？")))
        later += [assistant(words), user("好的")]
        again, more = await ask(running, request("c", *later))
        assert figures.tokens is not None
        assert more.tokens is not None
        assert more.tokens.reused >= figures.tokens.prompt, "what was answered without it is gone on from"
        running.estimate(request("c", *later))
        lost.clear()
        later += [assistant(again), user("谢谢")]
        shown, whole = await ask(running, request("c", *later))
        assert whole.tokens is not None
        assert pictures.read.count(photo(1).sha256) >= 2, "a photo that is back is shown again"
        assert running._runner.lost == frozenset()
    assert json.loads(shown)


async def test_a_photo_that_was_erased_is_no_lost_one(settings: Settings) -> None:
    def read(sha256: str) -> bytes:
        raise OSError("gone")

    async with LlamaEngine(settings, read) as running:
        await ask(running, request("c", user(photo(1), "多少钱？"), assistant("{}"), user("有货吗？")))
        assert running._runner.lost == {photo(1).sha256}
        await running.forget(["c"], [photo(1).sha256])
        assert running._runner.lost == frozenset()


async def test_other_schemas_and_other_mens_answers_are_understood(engine: Make) -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string", "maxLength": 8}}}
    wanted = Request(
        conversation="s",
        messages=(Message(role="user", body=("写一个标题",)), assistant("不是 JSON"), user("再来")),
        schema=schema,
        max_tokens=40,
    )
    async with engine() as running:
        text, _ = await ask(running, wanted)
    assert list(json.loads(text)) == ["title"]


def test_nothing_of_a_customer_is_on_disk(engine: Make, tmp_path: Path) -> None:
    async def run() -> None:
        async with engine() as running:
            await talk(running, "customer-7", user(photo(1), "我的电话是13800000000"))

    asyncio.run(run())
    kept = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert {path.suffix for path in kept} == {".state", ".json"}
    assert not any(b"13800000000" in path.read_bytes() or b"customer-7" in path.read_bytes() for path in kept)
