"""One request on its way through the engine."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.errors import BotError
from bot.model import Photo, Timings, Tokens
from bot.ports import Chunk, Message, Request
from inference.llama import chat
from inference.llama.rates import Sort
from inference.llama.scheduler import Need
from inference.llama.sequence import Grid, Sequence

if TYPE_CHECKING:
    from inference.llama.context import Floats
    from inference.llama.memory import Pieces, Place
    from inference.llama.writer import Writer

#: What reaches the one who asked: chunks, ``None`` when a preparation is done, or what went wrong.
Event = Chunk | BotError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A request's pieces, cut where sequences begin: what all share │ up to the fork │ the rest."""

    shared: Pieces
    trunk: Pieces
    tail: Pieces

    @classmethod
    def of(cls, messages: tuple[Message, ...]) -> Prompt:
        shared: Pieces = ()
        if messages[0].role == "system":
            shared = (*chat.opening(messages[0]), *chat.closing(messages[0]))
        pieces = list(chat.pieces(messages))
        fork = pieces.index(chat.Fork())
        return cls(shared=shared, trunk=tuple(pieces[:fork]), tail=tuple(pieces[fork + 1 :]))


@dataclass(frozen=True, slots=True)
class Part:
    """A piece, taken apart: its tokens, or the layout of its photo."""

    piece: chat.Piece
    tokens: tuple[int, ...] = ()
    grid: Grid | None = None

    @property
    def cells(self) -> int:
        return self.grid.cells if self.grid else len(self.tokens)


@dataclass(frozen=True, slots=True)
class Leg:
    """What is appended to one sequence of a place."""

    place: Place
    parts: tuple[Part, ...]


def sort_of(messages: tuple[Message, ...]) -> Sort:
    newest = messages[-1]
    if _shown(newest):
        return "photo"
    return "words" if newest.body else "facts"


def _shown(message: Message) -> tuple[Photo, ...]:
    return tuple(part for part in message.body if isinstance(part, Photo))


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a job works now."""

    place: Place
    sequence: Sequence
    #: Pieces that the sequence held before: a cancelled job gives back what it did not begin.
    base: int


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """A request, or (``request`` is ``None``) a preparation: a shop's prompt and photos that will be asked about."""

    post: Callable[[Event], None]
    prompt: Prompt
    request: Request | None = None
    #: Photos to encode that stand in no prompt yet.
    photos: deque[Photo] = field(default_factory=deque)
    priority: int = 0
    asked: float = field(default_factory=time.monotonic)

    # Set when it starts.
    began: float = 0.0
    seat: Seat | None = None
    #: What is to be appended in sequences to come; each begins as a copy of the one before.
    legs: deque[Leg] = field(default_factory=deque)
    writer: Writer | None = None
    #: Whether the prompt is decoded and tokens are chosen.
    writing: bool = False
    #: Rows of the photo that is being put in.
    rows: Floats | None = None
    #: Cells that it may come to take beyond what it held when it began, and that it took so far.
    promised: int = 0
    spent: int = 0
    prompt_tokens: int = 0
    reused: int = 0
    image_s: float = 0.0
    first_s: float | None = None

    @property
    def key(self) -> str | None:
        return self.request.conversation if self.request else None

    @property
    def yields(self) -> bool:
        """Whether it only looks at photos for a question that nobody asked yet: an answer takes its place."""
        return self.request is None and self.seat is None

    @property
    def sequence(self) -> Sequence:
        assert self.seat is not None, "a job that computes has its seat"
        return self.seat.sequence

    @property
    def need(self) -> Need:
        """What it needs next; the runner sees to it that there is something, or that it ends."""
        if self.seat is None:
            return Need(kind="encode")
        sequence = self.seat.sequence
        if span := sequence.next_photo:
            return Need(kind="encode") if self.rows is None else Need(kind="show", cells=span.left)
        cells = len(sequence.next_tokens(sequence.owing))
        return Need(kind="answer" if self.writing else "prompt", cells=cells)

    @property
    def next_photo(self) -> Photo:
        """The photo to encode now: the prompt's next, or one that will be asked about."""
        photo = self.sequence.owed[0].photo if self.seat else self.photos[0]
        assert photo is not None, "only a job that needs one is asked"
        return photo

    def pay(self, cells: int) -> None:
        """So many cells of it were computed."""
        self.sequence.pay(cells)
        self.spent += cells

    @property
    def given(self) -> tuple[Photo, ...]:
        """All photos that it was given."""
        messages = self.request.messages if self.request else ()
        return (*(photo for message in messages for photo in _shown(message)), *self.photos)

    @property
    def photo_hashes(self) -> frozenset[str]:
        return frozenset(photo.sha256 for photo in self.given)

    def asks_about(self, photo: Photo) -> bool:
        """Whether the photo is of the question itself, or is all that there is to do; an earlier one can be missed."""
        return self.request is None or photo.sha256 in {shown.sha256 for shown in _shown(self.request.messages[-1])}

    def anew(self, prompt: Prompt) -> None:
        """Back to where it was before it began, with another prompt."""
        self.prompt, self.writer, self.rows = prompt, None, None
        self.promised = self.spent = self.prompt_tokens = self.reused = 0

    @property
    def unspent(self) -> int:
        return max(0, self.promised - self.spent)

    def last_chunk(self, text: str) -> Chunk:
        """The end of an answer, with its figures."""
        assert self.writer is not None, "only a request has one"
        now = time.monotonic()
        return Chunk(
            text=text,
            done=True,
            finish=self.writer.finish,
            timings=Timings(
                queue_s=self.began - self.asked,
                image_s=self.image_s,
                first_token_s=(self.first_s or now) - self.asked,
                total_s=now - self.asked,
            ),
            tokens=Tokens(prompt=self.prompt_tokens, reused=self.reused, reply=self.writer.tokens),
        )
