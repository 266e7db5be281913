"""How long an answer will take, from what is to be computed and the measured rates."""

from __future__ import annotations

import pytest

from inference.llama.chat import Control, Image, Words, Written
from inference.llama.estimate import Work, work
from inference.llama.rates import Rates
from tests.inference.llama.conftest import photo


def rates() -> Rates:
    out = Rates()
    out.encode.add(100, 4.0)
    out.show.add(100, 3.0)
    out.decode.add(10, 1.0)
    out.decode.add(512, 8.0)
    out.text(1, 3)
    return out


def test_photos_are_encoded_once_and_shown_each_time() -> None:
    known = Image(photo(1))
    legs = [(Control("a"), known, Words("颜色"), Image(photo(2)), Image(photo(2))), (Words("好"), Written("{}}"))]
    got = work(legs, rates(), lambda image: 100, {photo(1).sha256}.__contains__)
    assert got.encode == (100,)
    assert got.show == (100, 100, 100)
    assert got.prompt == pytest.approx((3, 2, 2))


def test_the_parts_add_up() -> None:
    got = Work(encode=(100, 100), show=(100,), prompt=(10.0, 1034.0))
    assert got.seconds(rates(), 512) == pytest.approx(4 + 4 + 3 + 1 + 2 * 8 + 1)
    assert Work().seconds(rates(), 512) == 0


def test_before_the_first_photo_its_rows_cost_what_tokens_cost() -> None:
    bare = Rates()
    bare.decode.add(100, 3.0)
    assert Work(show=(100,)).seconds(bare, 512) == pytest.approx(3.0)
