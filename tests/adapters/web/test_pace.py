"""How fast one customer may go."""

from __future__ import annotations

import pytest

from adapters.web.pace import Bucket, Buckets, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_free_and_then_it_goes_by_the_second() -> None:
    clock = Clock()
    bucket = Bucket(Pace(burst=3, per_second=0.5), clock)
    assert [bucket.take() for _ in range(3)] == [0, 0, 0]
    assert bucket.take() == pytest.approx(2.0)
    clock.now += 1
    assert bucket.take() == pytest.approx(1.0)
    clock.now += 1
    assert bucket.take() == 0
    assert bucket.take() == pytest.approx(2.0)


def test_rest_fills_no_more_than_the_burst() -> None:
    clock = Clock()
    bucket = Bucket(Pace(burst=2, per_second=10), clock)
    clock.now += 1000
    assert [bucket.take() > 0 for _ in range(3)] == [False, False, True]


def test_each_customer_has_his_own() -> None:
    clock = Clock()
    buckets = Buckets(Pace(burst=1, per_second=1), clock=clock)
    assert buckets.take("a") == 0
    assert buckets.take("b") == 0
    assert buckets.take("a") > 0


def test_who_was_away_longest_is_forgotten_first() -> None:
    clock = Clock()
    buckets = Buckets(Pace(burst=1, per_second=1), most=2, clock=clock)
    for name in ("a", "b", "a", "c"):
        buckets.take(name)
    assert buckets.take("a") > 0  # still known
    assert buckets.take("b") == 0  # begun anew
