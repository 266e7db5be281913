"""Who holds what in the context: shop prompts, conversations, and those that are parked beside it.

A conversation keeps its last few sequences, each the beginning of the next: the newest holds the last answer, the one
before it ends where the answer's facts begin. A request goes on from the longest that it begins with; so an answer that
was taken back, or a message that another joins, costs what is new and nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from inference.llama.chat import Control, Image, Piece, Words
from inference.llama.parking import Parked, Parking
from inference.llama.sequence import Sequence, cells_of

Pieces = tuple[Piece, ...]


def shared_key(pieces: Pieces) -> str:
    """The key of what all customers share: its text, after a NUL, which no conversation's key has."""
    return "\0" + "".join(piece.text for piece in pieces if isinstance(piece, Control | Words))


class Cells(Protocol):
    """What the memory asks of a context; all of it is about whole sequences."""

    def copy(self, source: int, target: int) -> None: ...
    def drop(self, slot: int) -> None: ...
    def save(self, slot: int) -> bytes: ...
    def restore(self, slot: int, state: bytes) -> bool: ...


@dataclass(slots=True, eq=False)
class Place:
    """A conversation's sequences, shortest first; or a shop's prompt, which has one."""

    key: str
    prefix: bool
    sequences: list[Sequence] = field(default_factory=list)
    #: Whether a request works in it now: then it stays where it is.
    busy: bool = False
    used: int = 0


class Memory:
    def __init__(self, context: Cells, *, cells: int, slots: int, kept: int, parked_bytes: int) -> None:
        """``kept``: sequences that a conversation keeps at most."""
        self._context = context
        self.cells = cells
        self._kept = kept
        self._free = list(range(slots))
        self._places: dict[str, Place] = {}
        self._parking = Parking(parked_bytes)
        self._clock = count(1)

    # --- looking

    @property
    def used(self) -> int:
        """Cells that are taken."""
        return cells_of([sequence for place in list(self._places.values()) for sequence in list(place.sequences)])

    @property
    def free(self) -> int:
        """Sequences that nobody holds."""
        return len(self._free)

    def best(self, key: str, pieces: Pieces) -> Sequence | None:
        """The longest sequence, in the context or parked, that a prompt can go on from. Changes nothing."""
        place = self._places.get(key)
        serving = [s for s in list(place.sequences) if s.serves(pieces)] if place else []
        if serving:
            return serving[-1]
        parked = self._parking.look(key)
        return parked.sequence if parked and parked.sequence.serves(pieces) else None

    def place(self, key: str, *, prefix: bool = False) -> Place:
        """The place of a conversation, or of a prompt; made when there is none."""
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = Place(key, prefix)
        place.used = next(self._clock)
        return place

    # --- taking

    def room(self, *, cells: int, slots: int) -> bool:
        """Makes room by parking or dropping what is least recently used. False when all that is left is in use."""
        while self.free < slots or self.cells - self.used < cells:
            idle = [place for place in self._places.values() if not place.busy and place.sequences]
            if not idle:
                return False
            # A shop's prompt is the last to go: everyone comes back to it.
            self._park(min(idle, key=lambda place: (place.prefix, place.used)))
        return True

    def new(self, place: Place) -> Sequence:
        """An empty sequence."""
        sequence = Sequence(slot=self._slot())
        place.sequences.append(sequence)
        return sequence

    def fork(self, source: Sequence, place: Place) -> Sequence:
        """A copy to go on with; the source stays as it is. Only the newest few of a place are kept."""
        sequence = source.copy(self._slot())
        self._context.copy(source.slot, sequence.slot)
        place.sequences.append(sequence)
        while len(place.sequences) > self._kept:
            self.drop(place, place.sequences[0])
        return sequence

    def resume(self, place: Place, pieces: Pieces) -> Sequence | None:
        """The sequence to go on from, brought back if it was parked; whatever leads elsewhere is dropped."""
        for sequence in list(place.sequences):
            if not sequence.serves(pieces):
                self.drop(place, sequence)
        parked = self._parking.take(place.key)
        if place.sequences:
            return place.sequences[-1]
        if parked and parked.sequence.serves(pieces):
            return self.restore(place, parked.sequence, parked.state)
        return None

    def restore(self, place: Place, sequence: Sequence, state: bytes) -> Sequence | None:
        """Puts a saved state into an empty sequence."""
        slot = self._slot()
        if not self._context.restore(slot, state):
            self._free.append(slot)
            return None
        sequence.slot = slot
        place.sequences.append(sequence)
        return sequence

    def save(self, sequence: Sequence) -> bytes:
        return self._context.save(sequence.slot)

    # --- giving back

    def drop(self, place: Place, sequence: Sequence) -> None:
        self._context.drop(sequence.slot)
        self._free.append(sequence.slot)
        place.sequences.remove(sequence)

    def leave(self, place: Place) -> None:
        """The request that worked in it is done; an empty place is given up."""
        place.busy = False
        if not place.sequences and self._places.get(place.key) is place:
            del self._places[place.key]

    def clear(self, place: Place) -> None:
        """Drops everything of a place, parked or not."""
        for sequence in list(place.sequences):
            self.drop(place, sequence)
        self._parking.take(place.key)
        self._places.pop(place.key, None)

    def forget(self, keys: Iterable[str], photos: frozenset[str]) -> None:
        """Drops these conversations, and every other in which one of these photos was shown."""
        for key in {*keys, *self._showing(photos)}:
            self._parking.take(key)
            if place := self._places.get(key):
                self.clear(place)

    def close(self) -> None:
        """Lets go of all that is kept beside the context, which is freed next."""
        self._places.clear()
        self._parking.clear()

    def _showing(self, photos: frozenset[str]) -> Iterator[str]:
        def shown(sequence: Sequence) -> bool:
            return any(isinstance(piece, Image) and piece.photo.sha256 in photos for piece in sequence.pieces)

        for place in self._places.values():
            if any(shown(sequence) for sequence in place.sequences):
                yield place.key
        for key, parked in self._parking.items():
            if shown(parked.sequence):
                yield key

    def _park(self, place: Place) -> None:
        """Moves a conversation out. Only its newest sequence goes along; a prompt's state is on disk already."""
        newest = place.sequences[-1]
        if not place.prefix and (state := self._context.save(newest.slot)):
            whole = Sequence(slot=-1, pieces=newest.pieces, positions=newest.positions, owed=newest.owed)
            whole.blocks[0].cells = newest.cells
            self._parking.add(place.key, Parked(whole, state))
        for sequence in list(place.sequences):
            self.drop(place, sequence)
        del self._places[place.key]

    def _slot(self) -> int:
        assert self._free, "room() was asked first"
        return self._free.pop()
