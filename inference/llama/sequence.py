"""One sequence of the context: what it holds, piece by piece, and what it still owes.

Append-only. Nothing that was decoded is ever cut, since a hybrid model cannot be cut: a sequence is extended, copied
whole onto an empty one, or dropped whole. A conversation is therefore remembered as the pieces of its prompt; a request
whose pieces begin with them goes on where they end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence as Listed
from dataclasses import dataclass, field

from bot.model import Photo
from inference.llama.chat import Piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A photo as the model sees it: columns × rows of visual tokens."""

    columns: int
    rows: int

    @property
    def cells(self) -> int:
        """Places in the context's memory."""
        return self.columns * self.rows

    @property
    def positions(self) -> int:
        """Steps of the position counter (M-RoPE): fewer than cells."""
        return max(self.columns, self.rows)


@dataclass(slots=True, kw_only=True)
class Span:
    """Tokens, or one photo, that belong to a sequence and are not wholly decoded."""

    #: Pieces that stand before it.
    at: int
    tokens: Listed[int] = ()
    photo: Photo | None = None
    grid: Grid | None = None
    #: Cells that are decoded already.
    done: int = 0

    @property
    def cells(self) -> int:
        return self.grid.cells if self.grid else len(self.tokens)

    @property
    def left(self) -> int:
        return self.cells - self.done


@dataclass(slots=True, eq=False)
class Block:
    """Cells that were decoded together with respect to copying: sequences that share them count them once."""

    cells: int = 0


@dataclass(slots=True, eq=False, kw_only=True)
class Sequence:
    #: Its number in the context; ``-1`` while it is parked.
    slot: int
    #: All that it holds, decoded or owed.
    pieces: tuple[Piece, ...] = ()
    #: The position of the next token.
    positions: int = 0
    blocks: list[Block] = field(default_factory=lambda: [Block()])
    owed: deque[Span] = field(default_factory=deque)

    @property
    def cells(self) -> int:
        return sum(block.cells for block in self.blocks)

    @property
    def owing(self) -> int:
        """Cells still to be decoded. The estimate asks from another thread: a copy is made in one piece."""
        return sum(span.left for span in list(self.owed))

    def serves(self, pieces: Listed[Piece]) -> bool:
        """Whether a prompt of these pieces can go on from here."""
        return tuple(pieces[: len(self.pieces)]) == self.pieces

    def extend(
        self, piece: Piece, tokens: Listed[int] = (), photo: Photo | None = None, grid: Grid | None = None
    ) -> None:
        span = Span(at=len(self.pieces), tokens=tokens, photo=photo, grid=grid)
        self.pieces += (piece,)
        if span.cells:
            self.owed.append(span)

    def write(self, tokens: Listed[int]) -> None:
        """Adds tokens of the answer that is being written; its piece follows when it is whole (:meth:`sign`)."""
        if tokens:
            self.owed.append(Span(at=len(self.pieces), tokens=tokens))

    def sign(self, answer: Piece) -> None:
        """The answer is whole; what of it is still owed is decoded with whatever comes next."""
        self.pieces += (answer,)

    def retract(self, base: int) -> None:
        """Gives up pieces after the first ``base`` that were not begun: they cost nothing and may never come."""
        while self.owed and self.owed[-1].at >= base and not self.owed[-1].done:
            self.pieces = self.pieces[: self.owed.pop().at]

    def next_tokens(self, limit: int) -> list[int]:
        """The next tokens to decode, at most ``limit``; none when a photo is next."""
        out: list[int] = []
        for span in self.owed:
            if span.photo or len(out) >= limit:
                break
            out += span.tokens[span.done : span.done + limit - len(out)]
        return out

    @property
    def next_photo(self) -> Span | None:
        return self.owed[0] if self.owed and self.owed[0].photo else None

    def pay(self, cells: int) -> None:
        """So many cells were decoded."""
        self.blocks[-1].cells += cells
        while cells:
            span = self.owed[0]
            paid = min(cells, span.left)
            span.done += paid
            cells -= paid
            if span.grid is None:
                self.positions += paid
            elif not span.left:
                self.positions += span.grid.positions
            if not span.left:
                self.owed.popleft()

    def copy(self, slot: int) -> Sequence:
        """The same content under another number; the cells so far are shared, those to come are not."""
        assert not self.owed, "only what is decoded can be copied"
        # The shop's prompt is copied with every new conversation: what it holds nothing in must not pile up.
        shared = [block for block in self.blocks if block.cells]
        self.blocks = [*shared, Block()]
        return Sequence(slot=slot, pieces=self.pieces, positions=self.positions, blocks=[*shared, Block()])


def cells_of(sequences: Listed[Sequence]) -> int:
    """Cells that these take together, shared ones counted once."""
    return sum({id(block): block.cells for sequence in sequences for block in sequence.blocks}.values())
