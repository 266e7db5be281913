"""How a job starts when what it was to go on from had to make room."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bot.ports import Chunk, Request
from inference.llama.admission import Start
from inference.llama.job import Event, Job, Prompt
from inference.llama.runner import Runner
from inference.llama.settings import Settings
from tests.inference.llama.conftest import Pictures, assistant, photo, request, user


@contextmanager
def loaded(settings: Settings, pictures: Pictures, parked_bytes: int) -> Iterator[Runner]:
    """A runner on this thread whose context holds little more than one conversation."""
    runner = Runner(replace(settings, n_ctx=1024, parallel=1, parked_bytes=parked_bytes), pictures)
    try:
        yield runner
    finally:
        runner.close()


def job_of(wanted: Request) -> tuple[Job, list[Event]]:
    events: list[Event] = []
    return Job(post=events.append, prompt=Prompt.of(wanted.messages), request=wanted), events


def answered(runner: Runner, wanted: Request) -> str:
    job, events = job_of(wanted)
    runner.add(job)
    while runner.step():
        pass
    chunks = [event for event in events if isinstance(event, Chunk)]
    assert len(chunks) == len(events), events
    assert chunks[-1].done
    return "".join(chunk.text for chunk in chunks)


def question(number: int) -> Request:
    return request(f"c{number}", user(photo(number), "多少钱？"))


def returning(runner: Runner) -> Request:
    """Customers come until one is parked, with room for no second; this is his next question."""
    texts: list[str] = []
    for number in range(8):
        texts.append(answered(runner, question(number)))
        for before, text in enumerate(texts):
            first = user(photo(before), "多少钱？")
            wanted = request(f"c{before}", first, assistant(text), user("还有吗？"))
            held = runner.memory.best(wanted.conversation, Prompt.of(wanted.messages).trunk)
            if held is not None and held.slot < 0:
                return wanted
    raise AssertionError("nobody was parked")


def state_bytes(settings: Settings, pictures: Pictures) -> int:
    """What one parked conversation takes."""
    with loaded(settings, pictures, 0) as runner:
        answered(runner, question(0))
        return len(runner.memory.save(runner.memory.place("c0").sequences[-1]))


def test_a_job_whose_ground_was_taken_to_make_room_is_started_again_and_begins(
    settings: Settings, pictures: Pictures
) -> None:
    size = state_bytes(settings, pictures)
    with loaded(settings, pictures, size * 3 // 2) as runner:
        job, _ = job_of(returning(runner))
        assert runner.admission.start(job, 0) is Start.AGAIN
        assert job.seat is None
        assert not job.legs
        assert runner.admission.start(job, 0) is Start.BEGUN


def test_such_a_job_is_answered_as_if_nothing_had_been_held(settings: Settings, pictures: Pictures) -> None:
    size = state_bytes(settings, pictures)
    with loaded(settings, pictures, size * 3 // 2) as runner:
        wanted = returning(runner)
        text = answered(runner, wanted)
    with loaded(settings, pictures, 0) as fresh:
        assert answered(fresh, wanted) == text
    assert json.loads(text)


def test_who_finds_all_in_use_waits(settings: Settings, pictures: Pictures) -> None:
    with loaded(settings, pictures, 0) as runner:
        job, _ = job_of(question(0))
        assert runner.admission.start(job, reserved=1024) is Start.NO_ROOM
        assert job.seat is None
