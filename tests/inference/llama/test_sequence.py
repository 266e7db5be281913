"""A sequence: append-only, positions and cells counted apart, shared cells counted once."""

from __future__ import annotations

import pytest

from inference.llama.chat import Image, Words, Written
from inference.llama.sequence import Grid, Sequence, cells_of
from tests.inference.llama.conftest import photo


def filled(*words: int, slot: int = 0) -> Sequence:
    """A sequence of text pieces of so many tokens each, all decoded."""
    sequence = Sequence(slot=slot)
    for at, count in enumerate(words):
        sequence.extend(Words(str(at)), range(count))
    sequence.pay(sequence.owing)
    return sequence


def test_a_photo_takes_cells_by_its_area_and_positions_by_its_longer_side() -> None:
    sequence = Sequence(slot=0)
    sequence.extend(Words("a"), [1, 2, 3])
    sequence.extend(Image(photo(1)), photo=photo(1), grid=Grid(columns=4, rows=6))
    sequence.extend(Words("b"), [4])
    assert sequence.owing == 3 + 24 + 1
    assert sequence.next_tokens(10) == [1, 2, 3]
    sequence.pay(3)
    assert sequence.next_tokens(10) == []
    span = sequence.next_photo
    assert span is not None
    sequence.pay(10)
    assert (sequence.positions, span.left) == (3, 14), "a photo's position counts when it is whole"
    sequence.pay(14)
    assert (sequence.positions, sequence.cells) == (9, 27)
    assert sequence.next_tokens(10) == [4]


def test_tokens_come_in_slices_across_pieces() -> None:
    sequence = Sequence(slot=0)
    sequence.extend(Words("a"), [1, 2, 3])
    sequence.extend(Words(""))
    sequence.extend(Words("b"), [4, 5])
    assert sequence.next_tokens(2) == [1, 2]
    sequence.pay(2)
    assert sequence.next_tokens(2) == [3, 4]
    assert sequence.next_tokens(9) == [3, 4, 5]


def test_a_prompt_that_begins_with_it_is_served() -> None:
    sequence = filled(2, 3)
    assert sequence.serves([Words("0"), Words("1"), Words("2")])
    assert sequence.serves([Words("0"), Words("1")])
    assert not sequence.serves([Words("0")])
    assert not sequence.serves([Words("0"), Words("x"), Words("2")])


def test_copies_share_the_cells_so_far_and_no_others() -> None:
    first = filled(10)
    second = first.copy(1)
    second.extend(Words("b"), range(5))
    second.pay(5)
    first.extend(Words("c"), range(7))
    first.pay(7)
    assert (first.cells, second.cells) == (17, 15)
    assert cells_of([first, second]) == 22
    assert second.pieces == (Words("0"), Words("b"))


def test_what_is_copied_with_every_customer_does_not_grow() -> None:
    prompt = filled(3)
    copies = [prompt.copy(slot) for slot in range(1, 101)]
    assert len(prompt.blocks) == 2
    assert len(copies[-1].blocks) == 2
    assert cells_of([prompt, *copies]) == 3


def test_what_is_owed_cannot_be_copied() -> None:
    sequence = Sequence(slot=0)
    sequence.extend(Words("a"), [1])
    with pytest.raises(AssertionError):
        sequence.copy(1)


def test_only_what_was_not_begun_is_retracted() -> None:
    sequence = filled(4)
    sequence.write([7])
    sequence.sign(Written("{}"))
    base = len(sequence.pieces)
    for text in "abc":
        sequence.extend(Words(text), [1, 2])
    sequence.pay(1 + 1)
    sequence.retract(base)
    assert sequence.pieces == (Words("0"), Written("{}"), Words("a")), "its first token was decoded"
    assert sequence.owing == 1
    sequence.pay(1)
    sequence.extend(Words("d"), [1])
    sequence.retract(3)
    assert sequence.pieces == (Words("0"), Written("{}"), Words("a"))


def test_the_rest_of_an_answer_is_never_retracted() -> None:
    sequence = filled(4)
    sequence.write([7, 8])
    sequence.sign(Written("{}"))
    sequence.extend(Words("a"), [1])
    sequence.retract(2)
    assert sequence.pieces == (Words("0"), Written("{}"))
    assert sequence.next_tokens(9) == [7, 8]
