"""The engine's face to the event loop: :class:`bot.ports.Engine` over the model's thread."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace

from bot.errors import BotError, EngineBusy, EngineError
from bot.model import Photo
from bot.ports import Chunk, EngineInfo, Estimate, Message, Request
from inference.llama import chat
from inference.llama.context import BATCH
from inference.llama.estimate import Work, work
from inference.llama.grammar import Grammar
from inference.llama.job import Event, Job, Prompt, sort_of
from inference.llama.memory import Pieces, shared_key
from inference.llama.runner import Runner
from inference.llama.settings import Settings
from inference.llama.vision import grid
from inference.llama.worker import Worker

#: Seconds that leaving waits for the model's thread: an encoding that runs cannot be interrupted.
_PATIENCE = 2.0


class LlamaEngine:
    """A GGUF pair in this process. Raises :class:`~bot.errors.ModelError` on entering when it cannot be used."""

    def __init__(self, settings: Settings, read_photo: Callable[[str], bytes]) -> None:
        """``read_photo``: SHA-256 → the normalised JPEG; called on the model's thread."""
        self._settings = settings
        self._worker = Worker(settings, read_photo)

    @property
    def info(self) -> EngineInfo:
        return self._settings.info

    async def __aenter__(self) -> LlamaEngine:
        self._worker.start()
        try:
            await asyncio.wrap_future(self._worker.ready)
        except asyncio.CancelledError:
            self._worker.stop()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._worker.stop()
        await asyncio.wait([asyncio.wrap_future(self._worker.stopped)], timeout=_PATIENCE)

    def ready(self) -> str | None:
        return self._worker.trouble

    async def answer(self, request: Request) -> AsyncGenerator[Chunk, None]:
        if sum(job.request is not None for job in list(self._runner.scheduler.waiting)) >= self._settings.waiting:
            raise EngineBusy(f"{self._settings.waiting} requests are waiting already")
        job, events = self._job(Prompt.of(request.messages), request=request, priority=request.priority)
        self._worker.do(lambda runner: runner.add(job), job.post)
        try:
            while True:
                event = await events.get()
                if isinstance(event, BotError):
                    raise event
                assert event is not None, "only a preparation ends without a chunk"
                yield event
                if event.done:
                    return
        finally:
            self._cancel(job)

    async def warm(self, system: Message, photos: Sequence[Photo] = ()) -> None:
        shared = (*chat.opening(system), *chat.closing(system))
        prompt = Prompt(shared=shared, trunk=(), tail=())
        job, events = self._job(prompt, photos=deque(photos), priority=1)
        self._worker.do(lambda runner: runner.add(job), job.post)
        try:
            if isinstance(event := await events.get(), BotError):
                raise event
        finally:
            self._cancel(job)

    def _cancel(self, job: Job) -> None:
        with contextlib.suppress(EngineError):
            self._worker.do(lambda runner: runner.cancel(job))

    async def forget(self, conversations: Sequence[str], photos: Sequence[str]) -> None:
        done: Future[None] = Future()
        # Whoever gives up waiting does not take the erasure back.
        done.set_running_or_notify_cancel()

        def forget(runner: Runner) -> None:
            runner.forget(conversations, photos)
            done.set_result(None)

        try:
            self._worker.do(forget, done.set_exception)
            await asyncio.wrap_future(done)
        except EngineError:
            if not self._worker.ended:
                raise
            # A thread that is gone has let go of everything.

    def estimate(self, request: Request) -> Estimate:
        """Reads what the model's thread last left: a value that is a step old makes it a little off, no more."""
        scheduler, rates = self._runner.scheduler, self._runner.rates
        running = [job for job in list(scheduler.running) if job.key != request.conversation]
        waiting = [job for job in list(scheduler.waiting) if job.key != request.conversation]
        before = [*running, *(job for job in waiting if job.priority <= request.priority)]
        ahead = sum(job.request is not None for job in before)
        prompt = Prompt.of(chat.without(request.messages, self._runner.lost))
        works = [*map(self._left, before), self._fresh(prompt, request.conversation)]
        # What the form forces at the beginning rides along with the prompt.
        form = Grammar(request.schema)
        works.append(Work(prompt=(rates.tokens(len(form.forced(form.start)[0])),)))
        parallel = self._settings.parallel
        lead, rest = rates.writing(rates.lengths[sort_of(request.messages)].usual, min(ahead + 1, parallel))
        # Whoever finds all places taken waits until as many answers are written as stand before him.
        queue = max(0, ahead + 1 - parallel) * (lead + rest) / parallel
        first, pace = sum(each.seconds(rates, BATCH) for each in works) + queue + lead, rates.pace.now
        return Estimate(first_s=first * pace, whole_s=(first + rest) * pace, ahead=ahead)

    def _left(self, job: Job) -> Work:
        """What a job before this one still has to compute."""
        seat = job.seat
        if seat is None:
            return self._fresh(job.prompt, job.key or "")
        left = self._work([tuple(part.piece for part in leg.parts) for leg in list(job.legs)])
        return replace(left, prompt=(*left.prompt, 0.0 if job.writing else float(seat.sequence.owing)))

    def _fresh(self, prompt: Prompt, key: str) -> Work:
        """What a request has to compute, by what its conversation holds now."""
        memory = self._runner.memory
        held = memory.best(key, prompt.trunk) or memory.best(shared_key(prompt.shared), prompt.trunk)
        known = len(held.pieces) if held else 0
        if held is None and prompt.shared and self._runner.admission.kept(prompt.shared):
            known = len(prompt.shared)
        fresh = self._work([prompt.trunk[known:], prompt.tail])
        return replace(fresh, prompt=(float(held.owing) if held else 0.0, *fresh.prompt))

    def _work(self, legs: list[Pieces]) -> Work:
        runner, s = self._runner, self._settings
        return work(
            legs,
            runner.rates,
            lambda image: grid(image.photo, s.visual_tokens, runner.admission.unit, square=s.square).cells,
            runner.album.__contains__,
        )

    @property
    def _runner(self) -> Runner:
        if not self._worker.ready.done() or self._worker.stopped.done():
            raise EngineError("the engine is not running")
        return self._worker.ready.result()

    def _job(
        self,
        prompt: Prompt,
        *,
        request: Request | None = None,
        photos: deque[Photo] | None = None,
        priority: int = 0,
    ) -> tuple[Job, asyncio.Queue[Event]]:
        """A job, and the queue in which what comes of it arrives."""
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Event] = asyncio.Queue()

        def post(event: Event) -> None:
            # The loop may be gone before the thread is: then nobody listens any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(events.put_nowait, event)

        return Job(post=post, prompt=prompt, request=request, photos=photos or deque(), priority=priority), events
