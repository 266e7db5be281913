from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import StorageError
from bot.model import (
    Answer,
    Conversation,
    Customer,
    Event,
    Exchange,
    Knowledge,
    Offer,
    Order,
    Photo,
    Reply,
    Seen,
    Trace,
    Turn,
)
from storage import codec

VALUES = (Answer, Conversation, Customer, Event, Exchange, Knowledge, Offer, Order, Photo, Reply, Seen, Trace, Turn)

st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(Decimal, st.decimals(allow_nan=False, allow_infinity=False, places=2))
st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))


@pytest.mark.parametrize("kind", VALUES)
def test_every_value_survives_its_way_through_json(kind: type[Any]) -> None:
    @settings(max_examples=30, deadline=None)
    @given(st.from_type(kind))
    def survives(value: Any) -> None:
        assert codec.load(kind, json.loads(codec.text(codec.dump(value)))) == value

    survives()


def test_money_keeps_the_cents_as_the_shop_wrote_them() -> None:
    offer = Offer(product="1", name="帽子", price=Decimal("59.90"), stock=1)
    assert str(codec.load(Offer, codec.dump(offer)).price) == "59.90"


def test_words_are_kept_readable_and_half_a_surrogate_pair_stops_nothing() -> None:
    assert codec.text(["红色 👕"]) == '["红色 👕"]'
    assert codec.text(["\ud83d"]) == '["?"]'


def test_a_field_that_an_older_version_did_not_write_takes_its_default() -> None:
    assert codec.load(Trace, {"model": "demo"}) == Trace(model="demo")


def test_a_field_that_is_gone_from_the_value_is_passed_over() -> None:
    assert codec.load(Trace, {"model": "demo", "mood": "fine"}) == Trace(model="demo")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Photo, {"sha256": "aa"}),
        (Photo, {"sha256": 5, "media_type": "", "width": 1, "height": 1}),
        (Photo, None),
        (Trace, []),
        (Trace, {"action": "dance"}),
        (Trace, {"steps": [["guard"]]}),
        (Trace, {"seen": "a hat"}),
        (Trace, {"stopped": "price"}),
        (Offer, {"product": "1", "name": "", "price": "cheap", "stock": 1}),
        (Exchange, {"body": [{"sha256": "aa"}]}),
        (Turn, {"speaker": "cat", "text": "", "at": "2026-01-01T00:00:00+00:00"}),
        (Turn, {"speaker": "bot", "text": "", "at": "yesterday"}),
    ],
)
def test_a_damaged_row_is_named_without_telling_what_was_in_it(kind: type[Any], data: Any) -> None:
    with pytest.raises(StorageError, match=rf"a stored {kind.__name__} cannot be read") as caught:
        codec.load(kind, data)
    assert "cheap" not in str(caught.value)


def test_a_damaged_list_is_named_too() -> None:
    with pytest.raises(StorageError, match="a stored Photo"):
        codec.load_all(Photo, 5)


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        codec.dump({"a set": {1}})
    with pytest.raises(StorageError):
        codec.load(set, [])


def test_json_could_not_tell_two_objects_apart_so_no_value_may_offer_both() -> None:
    with pytest.raises(StorageError):
        codec.load_all(Photo | Offer, [{}])  # type: ignore[arg-type]
