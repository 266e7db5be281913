"""Who holds what: forks, returns, parking, and making room. The context is a counter that fails on misuse."""

from __future__ import annotations

from dataclasses import dataclass, field

from inference.llama.chat import Control, Image, Piece, Words, Written
from inference.llama.memory import Memory, Place, shared_key
from inference.llama.sequence import Sequence
from tests.inference.llama.conftest import photo


@dataclass
class Slots:
    """A context that knows which of its sequences are in use. States are the slot's content by number."""

    held: set[int] = field(default_factory=set)
    broken: bool = False
    saved: int = 0

    def copy(self, source: int, target: int) -> None:
        assert source in self.held
        assert target not in self.held, "a copy goes onto an empty sequence"
        self.held.add(target)

    def drop(self, slot: int) -> None:
        self.held.discard(slot)

    def save(self, slot: int) -> bytes:
        assert slot in self.held
        self.saved += 1
        return b"state" * 20

    def restore(self, slot: int, state: bytes) -> bool:
        assert slot not in self.held
        if not self.broken:
            self.held.add(slot)
        return not self.broken


def memory(cells: int = 100, slots: int = 8, kept: int = 3, parked: int = 1000) -> tuple[Memory, Slots]:
    context = Slots()
    return Memory(context, cells=cells, slots=slots, kept=kept, parked_bytes=parked), context


def fill(held: Memory, context: Slots, key: str, *pieces: Piece, each: int = 10) -> Place:
    place = held.place(key)
    sequence = held.new(place)
    context.held.add(sequence.slot)
    for piece in pieces:
        sequence.extend(piece, range(each))
    sequence.pay(sequence.owing)
    return place


def test_the_longest_that_a_prompt_begins_with_is_resumed() -> None:
    held, context = memory()
    place = fill(held, context, "c", Words("a"))
    trunk = place.sequences[0]
    spare = held.fork(trunk, place)
    spare.extend(Words("facts"), [1])
    spare.pay(1)
    spare.sign(Written("said"))
    assert held.best("c", (Words("a"), Words("facts"), Written("said"), Words("next"))) is spare
    assert held.best("c", (Words("a"), Words("joined"))) is trunk
    assert held.resume(place, (Words("a"), Words("joined"))) is trunk
    assert place.sequences == [trunk], "what leads elsewhere is dropped"
    assert held.resume(place, (Words("other"),)) is None
    assert place.sequences == []
    assert context.held == set()


def test_only_the_newest_few_sequences_of_a_conversation_stay() -> None:
    held, context = memory(kept=2)
    place = fill(held, context, "c", Words("a"))
    second = held.fork(place.sequences[0], place)
    third = held.fork(second, place)
    assert place.sequences == [second, third]
    assert len(context.held) == 2


def test_room_is_made_from_the_least_recently_used() -> None:
    held, context = memory(cells=100)
    for key in "abc":
        fill(held, context, key, Words(key), each=30)
    held.place("a")
    assert held.used == 90
    assert held.room(cells=40, slots=1)
    assert held.used == 60
    assert held.best("b", (Words("b"),)) is not None, "it is parked"
    assert context.saved == 1
    returned = held.resume(held.place("b"), (Words("b"), Words("next")))
    assert returned is not None
    assert (returned.cells, returned.pieces) == (30, (Words("b"),))
    assert held.used == 90


def test_room_that_is_there_costs_nobody_his_place() -> None:
    held, context = memory(cells=100)
    fill(held, context, "a", Words("a"), each=30)
    assert held.room(cells=70, slots=1)
    assert context.saved == 0
    assert held.room(cells=71, slots=1)
    assert context.saved == 1


def test_a_busy_conversation_and_the_shops_prompt_stay_to_the_last() -> None:
    held, context = memory(cells=100)
    shared = fill(held, context, shared_key((Words("shop"),)), Words("shop"), each=30)
    shared.prefix = True
    busy = fill(held, context, "busy", Words("busy"), each=30)
    busy.busy = True
    fill(held, context, "idle", Words("idle"), each=30)
    held.place("idle")
    assert held.room(cells=30, slots=1)
    assert shared.sequences
    assert held.room(cells=60, slots=1)
    assert not shared.sequences
    assert context.saved == 1, "a prompt's state is on disk, not parked"
    assert not held.room(cells=71, slots=1)
    assert busy.sequences


def test_room_is_made_when_sequences_run_out() -> None:
    held, context = memory(slots=3)
    for key in "abc":
        fill(held, context, key, Words(key), each=1)
    assert held.room(cells=1, slots=2)
    assert len(context.held) == 1


def test_what_was_parked_and_leads_elsewhere_is_not_resumed() -> None:
    """A conversation that was folded meanwhile begins with other words: the old ones must not come back."""
    held, context = memory()
    fill(held, context, "c", Words("long ago"))
    assert held.room(cells=100, slots=1)
    place = held.place("c")
    assert held.resume(place, (Words("folded"), Words("next"))) is None
    assert place.sequences == []
    assert held.free == 8
    assert context.held == set()
    assert held.best("c", (Words("long ago"),)) is None, "and nobody asks for it again"


def test_parked_conversations_beyond_the_limit_are_given_up() -> None:
    held, context = memory(cells=100, parked=200)
    for key in "abc":
        fill(held, context, key, Words(key), each=30)
    assert held.room(cells=100, slots=1)
    assert held.best("a", (Words("a"),)) is None
    assert held.best("b", (Words("b"),)) is not None
    assert held.best("c", (Words("c"),)) is not None
    small, other = memory(cells=100, parked=50)
    fill(small, other, "a", Words("a"))
    assert small.room(cells=100, slots=1)
    assert small.best("a", (Words("a"),)) is None


def test_a_state_that_cannot_be_brought_back_is_as_good_as_none() -> None:
    held, context = memory(slots=1)
    fill(held, context, "a", Words("a"))
    assert held.room(cells=100, slots=1)
    context.broken = True
    assert held.resume(held.place("a"), (Words("a"),)) is None
    context.broken = False
    held.new(held.place("b"))
    assert not context.held


def test_forgetting_reaches_what_is_parked_and_all_who_were_shown_the_photo() -> None:
    held, context = memory(cells=100)
    fill(held, context, "named", Words("a"))
    fill(held, context, "shown", Words("a"), Image(photo(1)))
    fill(held, context, "other", Words("a"), Image(photo(2)))
    fill(held, context, "parked", Words("b"), Image(photo(1)))
    for key in ("named", "shown", "other"):
        held.place(key)
    assert held.room(cells=45, slots=1)
    assert context.saved == 1
    held.forget(["named", "unknown"], frozenset({photo(1).sha256}))
    kept = [key for key in ("named", "shown", "other", "parked") if _holds(held, key)]
    assert kept == ["other"]


def _holds(held: Memory, key: str) -> bool:
    prompts: list[tuple[Piece, ...]] = [
        (Words(w), *(Image(photo(n)) for n in numbers)) for w in "ab" for numbers in ((), (1,), (2,))
    ]
    return any(held.best(key, prompt) for prompt in prompts)


def test_an_empty_place_is_given_up_when_its_request_leaves() -> None:
    held, _ = memory()
    place = held.place("c")
    place.busy = True
    held.leave(place)
    assert held.place("c") is not place


def test_the_key_of_what_is_shared_is_no_conversations() -> None:
    key = shared_key((Control("<|im_start|>system\n"), Words("店")))
    assert key == "\0<|im_start|>system\n店"


def test_restoring_gives_a_sequence_its_number() -> None:
    held, context = memory()
    sequence = Sequence(slot=-1, pieces=(Words("a"),))
    assert held.restore(held.place("p", prefix=True), sequence, b"state") is sequence
    assert sequence.slot in context.held


def test_what_was_parked_of_a_conversation_is_given_up_when_it_goes_on_in_the_context() -> None:
    held, context = memory(cells=100)
    fill(held, context, "c", Words("a"), each=30)
    assert held.room(cells=100, slots=1)
    assert held.best("c", (Words("a"),)) is not None, "it is parked"
    place = fill(held, context, "c", Words("a"), Words("b"))
    newer = held.resume(place, (Words("a"), Words("b"), Words("c")))
    assert newer is not None
    held.drop(place, newer)
    assert held.best("c", (Words("a"),)) is None
