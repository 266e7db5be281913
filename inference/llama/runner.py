"""The loop's body: add → schedule → run a step → follow up. On the model's thread only."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Sequence as Listed
from contextlib import ExitStack, contextmanager, suppress

import numpy as np
from numpy.typing import NDArray

from bot.errors import BotError, EngineError, Erased
from bot.model import Photo
from bot.ports import Chunk
from inference import gguf
from inference.llama import chat, probe
from inference.llama.admission import Admission, Start
from inference.llama.context import BATCH, Context, Floats, Model, Slice
from inference.llama.job import Job, Prompt, sort_of
from inference.llama.memory import Memory
from inference.llama.rates import Curve, RatesFile
from inference.llama.scheduler import Scheduler, Step
from inference.llama.sequence import Grid
from inference.llama.settings import Settings
from inference.llama.statefile import StateFiles, identity
from inference.llama.vision import Album, Projector, grid, pixels

log = logging.getLogger(__name__)

#: Tokens of a prompt, or rows of a photo, that may come between two words of someone else's answer.
SLICE = 128


class _Unreadable(EngineError):
    """A photo is not in the store any more, or cannot be decoded."""


class Runner:
    def __init__(self, settings: Settings, read_photo: Callable[[str], bytes]) -> None:
        """Loads the pair and measures what was never measured. Raises :class:`ModelError`."""
        s = self._settings = settings
        self._read_photo = read_photo
        gguf.pair(gguf.read(s.model), gguf.read(s.projector))
        key = identity(s.model, s.projector)
        self._file = RatesFile(s.state_dir / "rates.json", f"{key}\n{s.threads} {s.gpu_layers} {s.visual_tokens}")
        rates = self.rates = self._file.load()
        with ExitStack() as opened:
            model = opened.enter_context(Model(s))
            # A hybrid model's sequences cost tens of MiB each from the start; an attention model's cost nothing.
            kept = 2 if model.recurrent else 3
            slots = 2 + kept * s.parallel if model.recurrent else min(64, 2 + kept * max(s.parallel, s.n_ctx // 512))
            self.context = opened.enter_context(Context(model, s, slots))
            rates.threads = rates.threads or probe.threads(self.context, s.threads, s.most_threads)
            self.context.threads(rates.threads)
            self._projector = opened.enter_context(Projector(model, s, rates.threads))
            probe.measure(self.context, self._projector, rates, s.visual_tokens, square=s.square)
            self._opened = opened.pop_all()
        self._file.save(rates)
        self.album = Album(s.photo_bytes)
        self.memory = Memory(self.context, cells=s.n_ctx, slots=slots, kept=kept, parked_bytes=s.parked_bytes)
        self.admission = Admission(s, model, self.memory, StateFiles(s.state_dir, key), rates, self._projector.unit)
        self.scheduler: Scheduler[Job] = Scheduler(
            parallel=s.parallel, batch=BATCH, slice_=SLICE, mixes=not model.recurrent
        )
        #: Photos of earlier messages that could not be read; a value that is replaced, for the event loop reads it.
        self.lost: frozenset[str] = frozenset()
        #: Conversations that were erased; their keys never come again for anyone else.
        self._forgotten: set[str] = set()
        #: Steps in a row that took far longer than usual.
        self._slow = 0

    def close(self, why: str = "the engine was stopped") -> None:
        """Tells all who wait, and frees everything."""
        for job in self._jobs():
            job.post(EngineError(why))
        self.album.clear()
        self.memory.close()
        self._file.save(self.rates)
        self._opened.close()

    # --- what others ask for

    def add(self, job: Job) -> None:
        if job.request is None:
            self._make_way()
        elif job.request.conversation in self._forgotten:
            job.post(Erased("the customer was erased: nothing of this conversation is answered any more"))
            return
        else:
            for other in self._jobs():
                if other.key == job.key:
                    other.post(EngineError("a newer message of the same customer took this answer's place"))
                    self.cancel(other)
            if self.lost:
                self._look_again(job)
                job.prompt = Prompt.of(chat.without(job.request.messages, self.lost))
        self.scheduler.add(job)

    def _make_way(self) -> None:
        """Gives up the oldest photos that wait to be looked at when there are too many: it was a favour."""
        looks = [job for job in self.scheduler.waiting if job.request is None and job.photos]
        for job in looks[: max(0, len(looks) + 1 - self._settings.looks)]:
            self.cancel(job)
            job.post(None)

    def cancel(self, job: Job) -> None:
        """Gives back at once what a job took: an answer begun is dropped, a prompt stays as far as it came."""
        self.scheduler.remove(job)
        seat, legs = job.seat, list(job.legs)
        job.seat = None
        job.legs.clear()
        for leg in legs:
            self.memory.leave(leg.place)
        if seat is None:
            return
        if seat.place.prefix:
            self.memory.clear(seat.place)
        elif legs:
            seat.sequence.retract(seat.base)
        else:
            self.memory.drop(seat.place, seat.sequence)
        self.memory.leave(seat.place)

    def forget(self, conversations: Iterable[str], photos: Iterable[str]) -> None:
        """Drops all that is held of conversations and photos; an answer that is being made for them ends."""
        keys, hashes = frozenset(conversations), frozenset(photos)
        for job in self._jobs():
            if job.key in keys:
                job.post(Erased("the customer was erased while this answer was made"))
                self.cancel(job)
            elif hashes & job.photo_hashes:
                job.post(EngineError("a photo was erased while it was looked at"))
                self.cancel(job)
        self._forgotten |= keys
        self.lost -= hashes
        self.memory.forget(keys, hashes)
        for sha256 in hashes:
            self.album.forget(sha256)

    def _jobs(self) -> list[Job]:
        return [*self.scheduler.running, *self.scheduler.waiting]

    # --- a step

    def step(self) -> bool:
        """Runs one step; False when there is nothing to do."""
        self.scheduler.admit(self._start)
        step = self.scheduler.step()
        if step is None:
            return False
        jobs = [job for job, _ in step.parts]
        with self._answering_for(jobs):
            started, writing = time.monotonic(), all(job.writing for job in jobs)
            self._run(step)
            self._measure(step, time.monotonic() - started, writing=writing)
        return True

    @contextmanager
    def _answering_for(self, jobs: Listed[Job]) -> Iterator[None]:
        """What goes wrong inside costs these jobs, not the thread on which all others depend."""
        try:
            yield
        except BotError as exc:
            self._fail(jobs, exc if isinstance(exc, EngineError) else EngineError(str(exc)))
        except Exception:
            # A mistake of ours. The log has it; the customer's turn ends as with any other failure.
            log.exception("a step of the model failed")
            self._fail(jobs, EngineError("the model failed on this request; the log has more"))

    def _fail(self, jobs: Listed[Job], error: EngineError) -> None:
        for job in jobs:
            seat = job.seat
            self.cancel(job)
            if seat is not None:
                # What a failed step left in the context is not known.
                self.memory.clear(seat.place)
            job.post(error)

    def _start(self, job: Job) -> bool:
        """Whether there was room for a job; one that failed at once is answered, and gone from those that wait."""
        with self._answering_for([job]):
            while (start := self.admission.start(job, self.scheduler.running)) is Start.AGAIN:
                pass
            if start is Start.NO_ROOM:
                return False
            job.began = job.began or time.monotonic()
            self._follow(job)
        return True

    def _run(self, step: Step[Job]) -> None:
        job, cells = step.parts[0]
        if step.kind == "encode":
            self._encode(job)
        elif step.kind == "show":
            self._show(job, cells)
        else:
            self._decode(step.parts)

    def _encode(self, job: Job) -> None:
        photo = job.next_photo
        started = time.monotonic()
        rows = self.album.get(photo.sha256)
        if rows is None:
            try:
                rows = self._rows(photo)
            except _Unreadable:
                if job.asks_about(photo):
                    raise
                self._miss(job, photo)
                return
            self._learn(self.rates.encode, len(rows), time.monotonic() - started)
            self.album.put(photo.sha256, rows)
        job.image_s += time.monotonic() - started
        if job.seat is not None:
            job.rows = rows
        else:
            job.photos.popleft()
            self._follow(job)

    def _rows(self, photo: Photo) -> Floats:
        return self._projector.encode(self._pixels(photo), self._layout(photo))

    def _layout(self, photo: Photo) -> Grid:
        return grid(photo, self._settings.visual_tokens, self._projector.unit, square=self._settings.square)

    def _pixels(self, photo: Photo) -> NDArray[np.uint8]:
        try:
            jpeg = self._read_photo(photo.sha256)
            return pixels(jpeg, self._layout(photo), self._projector.unit, square=self._settings.square)
        except (OSError, ValueError, LookupError, BotError) as exc:
            raise _Unreadable(f"the photo {photo.sha256[:12]} cannot be read from the store") from exc

    def _miss(self, job: Job, photo: Photo) -> None:
        """Has a job begin anew with a word in place of an earlier photo: what came after it can still be answered."""
        assert job.request is not None, "a preparation asks about its photos"
        log.warning("the photo %s cannot be read; its conversation goes on without it", photo.sha256[:12])
        self.lost |= {photo.sha256}
        self.cancel(job)
        job.anew(Prompt.of(chat.without(job.request.messages, self.lost)))
        self.scheduler.again(job)

    def _look_again(self, job: Job) -> None:
        """Photos that were lost and are back, a disk that was away, say, are shown again."""
        for photo in job.given:
            if photo.sha256 in self.lost:
                with suppress(_Unreadable):
                    self._pixels(photo)
                    self.lost -= {photo.sha256}

    def _show(self, job: Job, cells: int) -> None:
        """Puts rows of a photo into the conversation."""
        sequence, started = job.sequence, time.monotonic()
        span = sequence.owed[0]
        assert span.grid is not None, "it is the photo's turn"
        assert job.rows is not None, "which was encoded before"
        rows = job.rows[span.done : span.done + cells]
        self.context.show(sequence.slot, sequence.positions, rows, span.grid, span.done)
        job.pay(cells)
        if not span.left:
            job.rows = None
        job.image_s += time.monotonic() - started
        self._follow(job)

    def _decode(self, parts: Listed[tuple[Job, int]]) -> None:
        slices = [
            Slice(
                slot=job.sequence.slot,
                position=job.sequence.positions,
                tokens=job.sequence.next_tokens(cells),
                # The logits after the last token of a prompt, or of what is written, give the next one.
                read=job.request is not None and not job.legs and cells == job.sequence.owing,
            )
            for job, cells in parts
        ]
        for (job, cells), logits in zip(parts, self.context.decode(slices), strict=True):
            job.pay(cells)
            if logits is not None:
                self._write(job, logits)
            else:
                self._follow(job)

    def _write(self, job: Job, logits: Floats) -> None:
        """One token more of an answer; the last one ends the job."""
        writer, seat, request = job.writer, job.seat, job.request
        assert writer is not None, "a request has a writer"
        assert seat is not None, "and a seat"
        assert request is not None, "and only requests are written"
        job.writing = True
        seat.sequence.write(writer.write(logits))
        job.first_s = job.first_s or time.monotonic()
        text = writer.read()
        if not writer.finish:
            if text:
                job.post(Chunk(text=text))
            return
        seat.sequence.sign(chat.Written(writer.text))
        self.memory.leave(seat.place)
        job.seat = None
        self.scheduler.remove(job)
        job.post(job.last_chunk(text))
        self.rates.lengths[sort_of(request.messages)].add(writer.length)
        self._file.save(self.rates)

    def _follow(self, job: Job) -> None:
        """What comes after a part of a prompt is decoded: the next leg, or the end of a preparation."""
        while job.seat is not None and not job.sequence.owed:
            if job.seat.place.prefix:
                self.admission.opened(job)
            if job.legs:
                self.admission.go_on(job)
            else:
                job.seat = None
        if job.request is None and job.seat is None and not job.photos:
            self.scheduler.remove(job)
            job.post(None)

    def _measure(self, step: Step[Job], seconds: float, *, writing: bool) -> None:
        """Keeps how long a step took. An encoding is measured where it is made: most are remembered, not made."""
        cells = sum(cells for _, cells in step.parts)
        if step.kind == "show":
            self._learn(self.rates.show, cells, seconds)
        elif step.kind == "decode":
            if writing:
                self.rates.step.add(len(step.parts), seconds)
            self._watch(seconds, self.rates.decode.at(cells))
            self._learn(self.rates.decode, cells, seconds)

    def _learn(self, curve: Curve, size: int, seconds: float) -> None:
        self.rates.pace.add(curve.at(size), seconds)
        curve.add(size, seconds)

    def _watch(self, seconds: float, usual: float) -> None:
        """Goes back to fewer threads when another program has taken a core: then they wait for each other."""
        least = self._settings.threads
        self._slow = self._slow + 1 if seconds > 4 * usual else 0
        if self._slow >= 3 and self.rates.threads > least:
            log.info("computing became four times slower: %d threads instead of %d", least, self.rates.threads)
            self.rates.threads = least
            self.context.threads(least)
