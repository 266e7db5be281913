"""Who is served next: plain values in, plain values out."""

from __future__ import annotations

from dataclasses import dataclass

from inference.llama.scheduler import Need, Scheduler, Step


@dataclass(eq=False)
class Task:
    name: str
    need: Need
    priority: int = 0
    yields: bool = False


def scheduler(*running: Task, parallel: int = 4, mixes: bool = True) -> Scheduler[Task]:
    made: Scheduler[Task] = Scheduler(parallel=parallel, batch=512, slice_=128, mixes=mixes)
    made.running.extend(running)
    return made


def shown(step: Step[Task] | None) -> tuple[str, list[tuple[str, int]]] | None:
    return (step.kind, [(task.name, cells) for task, cells in step.parts]) if step else None


def answer(name: str = "answer", cells: int = 1) -> Task:
    return Task(name, Need(kind="answer", cells=cells))


def prompt(name: str = "prompt", cells: int = 700, priority: int = 0) -> Task:
    return Task(name, Need(kind="prompt", cells=cells), priority)


def test_nobody_there_means_nothing_to_do() -> None:
    assert scheduler().step() is None


def test_all_who_write_share_one_decode() -> None:
    assert shown(scheduler(answer("a"), answer("b", 5)).step()) == ("decode", [("a", 1), ("b", 5)])


def test_a_prompt_alone_takes_the_whole_batch() -> None:
    assert shown(scheduler(prompt()).step()) == ("decode", [("prompt", 512)])


def test_prompts_fill_the_batch_in_order() -> None:
    step = scheduler(prompt("later", 100, priority=1), prompt("first", 300), prompt("second", 300)).step()
    assert shown(step) == ("decode", [("first", 300), ("second", 212)])


def test_a_slice_of_a_prompt_rides_along_with_those_who_write() -> None:
    assert shown(scheduler(answer(), prompt()).step()) == ("decode", [("answer", 1), ("prompt", 128)])


def test_a_hybrid_model_computes_prompts_apart_and_in_turn() -> None:
    made = scheduler(answer(), prompt(), mixes=False)
    assert [shown(made.step()) for _ in range(3)] == [
        ("decode", [("prompt", 128)]),
        ("decode", [("answer", 1)]),
        ("decode", [("prompt", 128)]),
    ]


def test_a_photo_and_those_who_write_take_turns() -> None:
    made = scheduler(answer(), Task("photo", Need(kind="encode")))
    assert [shown(made.step()) for _ in range(3)] == [
        ("encode", [("photo", 0)]),
        ("decode", [("answer", 1)]),
        ("encode", [("photo", 0)]),
    ]


def test_a_photos_rows_come_whole_unless_others_write() -> None:
    rows = Task("photo", Need(kind="show", cells=576))
    assert shown(scheduler(rows).step()) == ("show", [("photo", 512)])
    assert shown(scheduler(rows, answer()).step()) == ("show", [("photo", 128)])


def test_a_long_forced_text_comes_in_parts() -> None:
    assert shown(scheduler(answer(cells=400), parallel=2).step()) == ("decode", [("answer", 256)])


def test_the_sooner_and_then_the_earlier_are_admitted_while_there_is_a_place() -> None:
    made = scheduler(parallel=2)
    tasks = {name: prompt(name, priority=p) for name, p in (("work", 1), ("first", 0), ("second", 0))}
    for task in tasks.values():
        made.add(task)
    made.admit(lambda task: True)
    assert made.running == [tasks["first"], tasks["second"]]
    assert made.waiting == [tasks["work"]]


def test_one_that_finds_no_room_is_not_overtaken() -> None:
    made = scheduler()
    big, small = prompt("big"), prompt("small")
    made.add(big)
    made.add(small)
    made.admit(lambda task: task is small)
    assert made.waiting == [big, small]


def test_one_that_is_done_at_once_does_not_run() -> None:
    made = scheduler()
    first, second = prompt("first"), prompt("second")
    made.add(first)
    made.add(second)

    def start(task: Task) -> bool:
        if task is first:
            made.remove(task)
        return True

    made.admit(start)
    assert (made.waiting, made.running) == ([], [second])


def test_removing_reaches_both_lists_and_nobody_else() -> None:
    made = scheduler(answer("a"))
    waiting = prompt("b")
    made.add(waiting)
    made.remove(waiting)
    made.remove(made.running[0])
    made.remove(waiting)
    assert (made.waiting, made.running) == ([], [])


def look(name: str = "look") -> Task:
    return Task(name, Need(kind="encode"), priority=1, yields=True)


def test_an_answer_takes_the_place_of_a_photo_that_nobody_asked_about_yet() -> None:
    first, second = look("first"), look("second")
    made = scheduler(first, parallel=1)
    made.add(second)
    made.add(prompt("answer", 10))
    made.admit(lambda task: True)
    assert made.waiting == [second]
    assert shown(made.step()) == ("decode", [("answer", 10)])
    made.remove(made.running[-1])
    assert shown(made.step()) == ("encode", [("first", 0)])


def test_a_photo_that_nobody_asked_about_yet_takes_a_place_that_is_free_and_no_other() -> None:
    made = scheduler(answer(), parallel=2)
    made.add(look("first"))
    made.add(look("second"))
    made.admit(lambda task: True)
    assert [task.name for task in made.running] == ["answer", "first"]
    made.add(prompt("third"))
    made.add(prompt("fourth"))
    made.admit(lambda task: True)
    assert [task.name for task in made.running] == ["answer", "first", "third"]
    assert [task.name for task in made.waiting] == ["second", "fourth"]


def test_one_that_begins_anew_comes_before_all_others() -> None:
    made = scheduler()
    early, back = prompt("early"), prompt("back")
    made.add(early)
    made.again(back)
    made.admit(lambda task: True)
    assert made.running == [back, early]
