"""Who a browser is."""

from __future__ import annotations

import pytest

from adapters.web.customers import bearer, customer_of, event_id, new_token, page_id


def test_a_token_cannot_be_guessed_and_is_not_in_the_customer() -> None:
    one, two = new_token(), new_token()
    assert one != two
    assert len(one) == 43
    customer = customer_of(one, "shop")
    assert one not in str(customer)
    assert customer == customer_of(one, "shop")
    assert customer != customer_of(two, "shop")
    assert len(customer.id) == 32


def test_the_token_of_a_header() -> None:
    token = new_token()
    assert bearer(f"Bearer {token}") == token
    assert bearer(f"bearer {token}") == token


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic " + "x" * 43, "Bearer " + "x" * 42, "Bearer " + "é" * 43]
)
def test_what_is_no_token(header: str) -> None:
    assert bearer(header) is None


def test_ids_of_pages_stand_under_their_customer() -> None:
    one, two = customer_of("a", "shop"), customer_of("b", "shop")
    assert event_id(one, "event-0001") != event_id(two, "event-0001")
    assert page_id(one, event_id(one, "event-0001")) == "event-0001"
    assert page_id(two, event_id(one, "event-0001")) is None
    assert page_id(one, None) is None
