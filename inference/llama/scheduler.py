"""What is done next: a policy over plain values. It touches no tensor and knows no llama.cpp.

A job waits, runs and is gone. A running one needs one of four things, and each step of the engine gives some of them
what they need: the next token to all who write, beside a slice of a prompt, or one photo's work alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a running job needs next: a photo encoded, a photo's rows put in, prompt or answer tokens decoded."""

    kind: Literal["encode", "show", "prompt", "answer"]
    #: How many rows or tokens.
    cells: int = 0


class Job(Protocol):
    @property
    def priority(self) -> int:
        """Smaller is sooner; equal ones in the order in which they came."""
        ...

    @property
    def yields(self) -> bool:
        """Whether nobody waits for it: it comes last, and pauses when the others take all places."""
        ...

    @property
    def need(self) -> Need: ...


J = TypeVar("J", bound=Job)


def _rank(job: Job) -> tuple[bool, int]:
    return job.yields, job.priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Generic[J]):
    """One step of the engine: a photo's work for one job, or one decode of (job, cells) for several."""

    kind: Literal["encode", "show", "decode"]
    parts: tuple[tuple[J, int], ...]


class Scheduler(Generic[J]):
    def __init__(self, *, parallel: int, batch: int, slice_: int, mixes: bool) -> None:
        """``batch``: most tokens of one decode. ``slice_``: most of a prompt, or rows of a photo, while others write,
        so that their words keep coming. ``mixes``: whether prompt and answers may share a decode (a hybrid model
        computes such a mixture in two passes, which gains nothing).
        """
        self._parallel, self._batch, self._slice, self._mixes = parallel, batch, slice_, mixes
        self.waiting: list[J] = []
        self.running: list[J] = []
        #: Whether the last step was a photo's or a prompt's while others were writing: then it is their turn.
        self._yielded = False

    def add(self, job: J) -> None:
        self.waiting.append(job)

    def again(self, job: J) -> None:
        """A job that ran begins anew, before all others."""
        self.waiting.insert(0, job)

    def remove(self, job: J) -> None:
        if job in self.waiting:
            self.waiting.remove(job)
        if job in self.running:
            self.running.remove(job)

    def admit(self, start: Callable[[J], bool]) -> None:
        """Lets waiting jobs run while there is a place; ``start`` says whether there is room for this one, and removes
        it when there is nothing (more) to run.

        The first that finds no room ends it: a smaller one behind does not overtake, or the big one would never come.
        """
        for job in sorted(self.waiting, key=_rank):
            taken = sum(job.yields or not other.yields for other in self.running)
            if taken >= self._parallel or not start(job):
                return
            if job in self.waiting:
                self.waiting.remove(job)
                self.running.append(job)

    def step(self) -> Step[J] | None:
        """What to do now; ``None`` when nobody needs anything."""
        jobs = sorted(self.running, key=_rank)[: self._parallel]
        needs = [(job, job.need) for job in jobs]
        share = self._batch // self._parallel
        writing = tuple((job, min(need.cells, share)) for job, need in needs if need.kind == "answer")
        heavy = next(((job, need) for job, need in needs if need.kind != "answer"), None)
        if heavy is None:
            return self._decode(writing) if writing else None
        job, need = heavy
        if need.kind == "prompt" and (self._mixes or not writing):
            return self._prompts(writing, [(j, n) for j, n in needs if n.kind == "prompt"])
        if writing and self._yielded:
            return self._decode(writing)
        self._yielded = True
        if need.kind == "encode":
            return Step(kind="encode", parts=((job, 0),))
        most = self._slice if writing else self._batch
        return Step(kind="show" if need.kind == "show" else "decode", parts=((job, min(need.cells, most)),))

    def _decode(self, parts: tuple[tuple[J, int], ...]) -> Step[J]:
        self._yielded = False
        return Step(kind="decode", parts=parts)

    def _prompts(self, writing: tuple[tuple[J, int], ...], prompts: list[tuple[J, Need]]) -> Step[J]:
        """All who write, and as much of the prompts, first come first, as the batch takes."""
        left = self._batch - sum(cells for _, cells in writing)
        if writing:
            left = min(left, self._slice)
        parts = list(writing)
        for job, need in prompts:
            if cells := min(need.cells, left):
                parts.append((job, cells))
                left -= cells
        return self._decode(tuple(parts))
