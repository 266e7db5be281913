"""How a job starts when what it was to go on from had to make room."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bot.errors import TooLong
from bot.ports import Chunk, Message, Request
from inference import gguf
from inference.llama.admission import Start
from inference.llama.job import Event, Job, Leg, Prompt
from inference.llama.runner import Runner
from inference.llama.settings import Settings
from tests.inference.llama.conftest import SYSTEM, Pictures, assistant, photo, request, user


@contextmanager
def loaded(
    settings: Settings, pictures: Pictures, parked_bytes: int, *, n_ctx: int = 1024, parallel: int = 1
) -> Iterator[Runner]:
    """A runner on this thread; by default its context holds little more than one conversation."""
    runner = Runner(replace(settings, n_ctx=n_ctx, parallel=parallel, parked_bytes=parked_bytes), pictures)
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


def taken(runner: Runner) -> list[str]:
    """Places that a request works in: nobody else may have them make room."""
    return [place.key for place in runner.memory._places.values() if place.busy]


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
        assert runner.admission.start(job, ()) is Start.AGAIN
        assert job.seat is None
        assert not job.legs
        assert not taken(runner)
        assert runner.admission.start(job, ()) is Start.BEGUN


def test_such_a_job_is_answered_as_if_nothing_had_been_held(settings: Settings, pictures: Pictures) -> None:
    size = state_bytes(settings, pictures)
    with loaded(settings, pictures, size * 3 // 2) as runner:
        wanted = returning(runner)
        text = answered(runner, wanted)
    with loaded(settings, pictures, 0) as fresh:
        assert answered(fresh, wanted) == text
    assert json.loads(text)


def test_who_was_parked_needs_room_for_what_is_brought_back_too(settings: Settings, pictures: Pictures) -> None:
    size = state_bytes(settings, pictures)
    with loaded(settings, pictures, 20 * size) as runner:
        job, _ = job_of(returning(runner))
        assert runner.admission.start(job, ()) is Start.BEGUN
        fresh = job.promised
    with loaded(settings, pictures, 20 * size) as runner:
        job, _ = job_of(returning(runner))
        held = runner.memory.best("c0", job.prompt.trunk)
        assert held is not None
        running, _ = job_of(question(9))
        running.promised = runner.memory.cells - fresh - held.cells + 1
        assert runner.admission.start(job, [running]) is Start.NO_ROOM
        running.promised -= 1
        assert runner.admission.start(job, [running]) is Start.BEGUN


def test_a_conversation_that_has_grown_beyond_its_share_is_refused(settings: Settings, pictures: Pictures) -> None:
    with loaded(settings, pictures, 0) as runner:
        messages: list[Message] = []
        ends: list[Event] = []
        while not ends or isinstance(ends[-1], Chunk):
            messages.append(user("多少钱？" * 10))
            job, events = job_of(request("c", *messages))
            runner.add(job)
            while runner.step():
                pass
            ends.append(events[-1])
            messages.append(assistant("".join(event.text for event in events if isinstance(event, Chunk))))
    assert isinstance(ends[-1], TooLong)
    assert len(ends) > 2, "each question alone is short enough"


def test_who_finds_all_in_use_waits(settings: Settings, pictures: Pictures) -> None:
    with loaded(settings, pictures, 0) as runner:
        job, _ = job_of(question(0))
        running, _ = job_of(question(1))
        running.promised = 1024
        assert runner.admission.start(job, [running]) is Start.NO_ROOM
        assert job.seat is None
        assert not taken(runner)


def test_while_the_shops_prompt_is_computed_others_wait_for_it(settings: Settings, pictures: Pictures) -> None:
    with loaded(settings, pictures, 0, n_ctx=2048, parallel=2) as runner:
        first, events = job_of(request("first", user("在吗")))
        second, _ = job_of(request("other", user("在吗")))
        look = Job(post=lambda event: None, prompt=Prompt.of((SYSTEM,)))
        runner.add(first)
        runner.scheduler.admit(runner._start)
        promised = first.promised
        assert first.sequence.owing > 0
        assert runner.admission.start(second, [first]) is Start.NO_ROOM
        assert runner.admission.start(look, [first]) is Start.NO_ROOM
        while runner.step():
            pass
        assert isinstance(events[-1], Chunk)
        assert runner.admission.start(look, ()) is Start.BEGUN
        assert runner.admission.start(second, ()) is Start.BEGUN
        assert promised == second.promised + second.reused > second.promised, "the first was promised its cells too"


def test_the_shops_prompt_needs_a_sequence_of_its_own(settings: Settings, pictures: Pictures) -> None:
    with loaded(settings, pictures, 0, n_ctx=2048) as runner:
        job, _ = job_of(request("c", user("在吗")))
        running, _ = job_of(question(1))
        place = runner.memory.place("elsewhere")
        running.legs.extend(Leg(place, ()) for _ in range(runner.memory.free - 2))
        assert runner.admission.start(job, [running]) is Start.NO_ROOM
        running.legs.popleft()
        assert runner.admission.start(job, [running]) is Start.BEGUN


def test_a_conversation_gets_no_more_than_the_model_was_trained_for(settings: Settings, pictures: Pictures) -> None:
    trained = gguf.read(settings.model).context
    with loaded(settings, pictures, 0, n_ctx=2 * trained) as runner:
        assert runner.admission.share == trained


def test_sequences_that_others_were_promised_are_not_given_away(settings: Settings, pictures: Pictures) -> None:
    """Each answer takes two sequences, one after the other; three begin when hardly any is free."""
    with loaded(settings, pictures, 0, n_ctx=3072, parallel=3) as runner:
        earlier = 0
        while not earlier or runner.memory.free > 2:
            answered(runner, request(f"earlier {earlier}", user("在吗")))
            earlier += 1
        jobs = [job_of(request(f"c{number}", user("在吗"))) for number in range(3)]
        for job, _ in jobs:
            runner.add(job)
        while runner.step():
            pass
        ends = [events[-1] for _, events in jobs]
        assert all(isinstance(end, Chunk) and end.done for end in ends), ends


def test_one_who_stays_needs_no_more_than_his_answers_sequence(settings: Settings, pictures: Pictures) -> None:
    with loaded(settings, pictures, 0) as runner:
        first = user("在吗")
        text = answered(runner, request("c", first))
        wanted = request("c", first, assistant(text), user("多少钱？"))
        job, _ = job_of(wanted)
        running, _ = job_of(question(1))
        place = runner.memory.place("elsewhere")
        running.legs.extend(Leg(place, ()) for _ in range(runner.memory.free - 1))
        assert runner.admission.start(job, [running]) is Start.BEGUN
        assert runner.memory.best("c", job.prompt.trunk) is not None


def test_cells_that_others_were_promised_are_not_given_away(settings: Settings, pictures: Pictures) -> None:
    """Three begin, one after the other, when hardly a cell is free: each needs what the others have not taken yet."""
    with loaded(settings, pictures, 0, n_ctx=3072, parallel=3) as runner:
        earlier = 0
        while not earlier or runner.memory.cells - runner.memory.used > 500:
            answered(runner, request(f"earlier {earlier}", user("在吗" * 90)))
            earlier += 1
        jobs = [job_of(request(f"c{number}", user("多少钱？" * 40))) for number in range(3)]
        for job, _ in jobs:
            runner.add(job)
        most = 0
        while runner.step():
            most = max(most, len(runner.scheduler.running))
        ends = [events[-1] for _, events in jobs]
        assert all(isinstance(end, Chunk) and end.done for end in ends), ends
        assert most == 3
