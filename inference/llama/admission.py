"""Where a job goes on: from what its conversation holds, from the shop's prompt, or from nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Sequence as Listed
from enum import Enum, auto
from typing import Any

from bot.errors import TooLong
from bot.ports import Request
from inference.llama import chat, grammar
from inference.llama.context import Model
from inference.llama.job import Job, Leg, Part, Seat
from inference.llama.memory import Memory, Pieces, Place, shared_key
from inference.llama.rates import Rates
from inference.llama.sampler import Sampler
from inference.llama.sequence import Sequence
from inference.llama.settings import Settings
from inference.llama.statefile import StateFiles
from inference.llama.vision import grid
from inference.llama.writer import Writer

#: Cells beyond an answer's tokens: what the form forces at its end.
MARGIN = 64
#: Cells of a short question with the head of its conversation and a few facts.
QUESTION = 160


class Start(Enum):
    """How the attempt to start a job ended."""

    BEGUN = auto()
    #: Others must end first.
    NO_ROOM = auto()
    #: Making room took away what the job was to go on from: another attempt begins with what is left.
    AGAIN = auto()


class Admission:
    def __init__(
        self, settings: Settings, model: Model, memory: Memory, files: StateFiles, rates: Rates, unit: int
    ) -> None:
        """``unit``: pixels along the side of one visual token."""
        self._settings, self._model, self._rates, self.unit = settings, model, rates, unit
        self.memory, self._files = memory, files
        self._sampler = Sampler(settings.sampling)
        #: Cells that one conversation may take.
        self.share = min(settings.n_ctx // settings.parallel, model.trained)

    def start(self, job: Job, running: Listed[Job]) -> Start:
        """Gives a job its sequence and its legs; one that does not begin has taken nothing.

        Raises :class:`TooLong` when the conversation does not fit into its share. ``running``: those under way, who
        were promised cells and sequences that they did not take yet.
        """
        if job.request is None:
            return self._prepare(job, running)
        request, prompt = job.request, job.prompt
        held = self.memory.best(request.conversation, prompt.trunk)
        shared = self._shared(prompt.shared)
        if held is None and shared is not None and shared.busy:
            return Start.NO_ROOM
        trunk = self._parts(prompt.trunk[len(held.pieces if held else prompt.shared) :], request)
        tail = self._parts(prompt.tail, request)
        fresh = _cells(trunk) + _cells(tail) + request.max_tokens + MARGIN
        opening = () if held else self._parts(prompt.shared, request)
        before = held.cells + held.owing if held else _cells(opening)
        if before + fresh > self.share:
            raise TooLong(
                f"a conversation of {before + fresh} tokens does not fit into its share of {self.share}: "
                "make inference.n_ctx larger or inference.parallel smaller"
            )
        # What the others share takes no cells a second time; a sequence that was parked does.
        resident = held is None and shared is not None and bool(shared.sequences)
        wanted = fresh if resident or (held and held.slot >= 0) else before + fresh
        # The answer's sequence, the conversation's own unless it is there, the shop's prompt likewise.
        slots = 1 + (held is None or held.slot < 0) + (held is None and shared is not None and not shared.sequences)
        place = self.memory.place(request.conversation)
        place.busy = True
        if not self._room(wanted, slots, running):
            self.memory.leave(place)
            return Start.NO_ROOM
        sequence = self.memory.resume(place, prompt.trunk)
        own_lost = held is not None and sequence is None
        shared_lost = resident and shared is not None and not shared.sequences
        if own_lost or shared_lost:
            # Each attempt finds less to go on from than the one before, in the end nothing: there is a last one.
            self.memory.leave(place)
            return Start.AGAIN
        job.legs.append(Leg(place, trunk))
        job.legs.append(Leg(place, tail))
        job.writer = self._writer(request)
        job.promised = fresh + (held.owing if held else 0)
        job.prompt_tokens = before + _cells(trunk) + _cells(tail)
        if sequence is None and shared is not None:
            if not shared.sequences and not self._open(job, shared, opening):
                job.promised += _cells(opening)
                return Start.BEGUN
            sequence = self.memory.fork(shared.sequences[0], place)
        job.reused = sequence.cells if sequence else 0
        self._sit(job, place, sequence or self.memory.new(place), job.legs.popleft().parts)
        return Start.BEGUN

    def go_on(self, job: Job) -> None:
        """The next leg, in a copy of the sequence that the last one ended in."""
        leg = job.legs.popleft()
        self._sit(job, leg.place, self.memory.fork(job.sequence, leg.place), leg.parts)
        if not job.legs and job.writer is not None:
            job.sequence.write(job.writer.begin())

    def opened(self, job: Job) -> None:
        """The job has computed a shop's prompt: it is kept, and everyone may copy it."""
        assert job.seat is not None, "it was computed somewhere"
        job.seat.place.busy = False
        self._files.save(shared_key(job.prompt.shared), self.memory.save(job.sequence))

    @staticmethod
    def _sit(job: Job, place: Place, sequence: Sequence, parts: Iterable[Part]) -> None:
        job.seat = Seat(place, sequence, len(sequence.pieces))
        for part in parts:
            photo = part.piece.photo if isinstance(part.piece, chat.Image) else None
            sequence.extend(part.piece, part.tokens, photo, part.grid)

    def _room(self, cells: int, slots: int, running: Listed[Job]) -> bool:
        """Whether there is so much beyond what those who run were promised."""
        return self.memory.room(
            cells=cells + sum(other.unspent for other in running),
            slots=slots + sum(len(other.legs) for other in running),
        )

    def _prepare(self, job: Job, running: Listed[Job]) -> Start:
        """A shop's prompt, unless it is there; then only the photos are left. Raises :class:`TooLong` when the prompt
        leaves no room for a question and its answer.
        """
        shared = self._shared(job.prompt.shared)
        if shared is None or shared.sequences:
            return Start.NO_ROOM if shared is not None and shared.busy else Start.BEGUN
        opening = self._parts(job.prompt.shared, None)
        needed = _cells(opening) + QUESTION + self._settings.max_tokens + MARGIN
        if needed > self.share:
            raise TooLong(
                f"a prompt of {_cells(opening)} tokens with a question and its answer takes {needed}, and a "
                f"conversation has {self.share}: shorten the prompt, make inference.n_ctx larger or inference.parallel "
                "smaller"
            )
        if not self._room(_cells(opening), 1, running):
            return Start.NO_ROOM
        self._open(job, shared, opening)
        return Start.BEGUN

    def _open(self, job: Job, shared: Place, opening: tuple[Part, ...]) -> bool:
        """Brings a shop's prompt back from its file, or lets the job compute it; whether it is there now."""
        cells = _cells(opening)
        state = self._files.load(shared_key(job.prompt.shared))
        if state is not None:
            sequence = Sequence(slot=-1, pieces=job.prompt.shared, positions=cells)
            sequence.blocks[0].cells = cells
            if self.memory.restore(shared, sequence, state):
                return True
        shared.busy = True
        self._sit(job, shared, self.memory.new(shared), opening)
        return False

    def kept(self, shared: Pieces) -> bool:
        """Whether a shop's prompt need not be computed, as far as can be told without reading it."""
        return self._files.has(shared_key(shared))

    def _shared(self, pieces: Pieces) -> Place | None:
        if not pieces:
            return None
        return self.memory.place(shared_key(pieces), prefix=True)

    def _writer(self, request: Request) -> Writer:
        last, of = list(request.schema["properties"].items())[-1]
        return Writer(
            grammar.Grammar(request.schema),
            self._sampler,
            bytes_of=self._model.bytes_of,
            tokenise=lambda text: self._model.tokenise(text, special=False),
            max_tokens=request.max_tokens,
            lead=f'"{last}":"' if of.get("type") == "string" else "",
        )

    def _parts(self, pieces: Pieces, request: Request | None) -> tuple[Part, ...]:
        return tuple(self._part(piece, request.schema if request else None) for piece in pieces)

    def _part(self, piece: chat.Piece, schema: dict[str, Any] | None) -> Part:
        match piece:
            case chat.Control(text):
                return Part(piece, tuple(self._model.tokenise(text, special=True)))
            case chat.Words(text):
                tokens = tuple(self._model.tokenise(text, special=False))
                self._rates.text(len(tokens), len(text.encode("utf-8", "replace")))
                return Part(piece, tokens)
            case chat.Written(text):
                cuts = (self._model.tokenise(cut, special=False) for cut in _cuts(text, schema))
                return Part(piece, tuple(token for cut in cuts for token in cut))
            case chat.Image(photo):
                s = self._settings
                return Part(piece, grid=grid(photo, s.visual_tokens, self.unit, square=s.square))
            case chat.Fork():
                return Part(piece)


def _cuts(text: str, schema: dict[str, Any] | None) -> list[str]:
    """An earlier answer cut as it was written; as one piece when it does not have the form (another model's, say)."""
    if schema is None:
        return [text]
    try:
        cuts = [cut for cut, _ in grammar.segments(schema, json.loads(text))]
    except (ValueError, KeyError, TypeError, StopIteration, RuntimeError):
        return [text]
    return cuts if "".join(cuts) == text else [text]


def _cells(parts: Iterable[Part]) -> int:
    return sum(part.cells for part in parts)
