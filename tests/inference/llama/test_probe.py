"""Threads and rates measured on the spot, with a context that takes the time it is told to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.llama import devices, probe
from inference.llama.context import Slice
from inference.llama.rates import Rates
from inference.llama.sequence import Grid


class Timed:
    """Computes nothing, in so many seconds per count of threads."""

    def __init__(self, **seconds: float) -> None:
        self._seconds = {int(name[1:]): value for name, value in seconds.items()}
        self.count = 1
        self.now = 0.0
        self.sizes: list[int] = []
        self.dropped = 0

    def threads(self, count: int) -> None:
        self.count = count

    def decode(self, slices: Sequence[Slice]) -> list[None]:
        self.sizes.append(len(slices[0].tokens))
        self.now += self._seconds.get(self.count, 0.0)
        return [None]

    def drop(self, slot: int) -> None:
        self.dropped += 1


class Eye:
    unit = 32

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def encode(self, rgb: NDArray[np.uint8], layout: Grid) -> None:
        self.shapes.append((*rgb.shape, layout.cells))


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [({"t1": 1.9, "t2": 1.0}, 2), ({"t1": 1.2, "t2": 1.0}, 1), ({"t1": 1.0, "t2": 8.0}, 1)],
)
def test_more_threads_are_taken_when_they_help_here_and_now(seconds: dict[str, float], chosen: int) -> None:
    context = Timed(**seconds)
    assert probe.threads(context, 1, 2, lambda: context.now) == chosen  # type: ignore[arg-type]
    assert context.count == chosen
    assert context.dropped == len(context.sizes), "nothing stays in the context"


@pytest.mark.parametrize("most", [0, 1, 3])
def test_nothing_is_tried_where_there_is_nothing_to_gain(most: int) -> None:
    context = Timed()
    assert probe.threads(context, 3, most) == 3  # type: ignore[arg-type]
    assert context.sizes == []


def test_what_was_never_measured_is_measured_once() -> None:
    context, eye, rates = Timed(), Eye(), Rates()
    probe.measure(context, eye, rates, 16, square=True)  # type: ignore[arg-type]
    assert rates.step
    assert rates.decode
    assert rates.encode
    assert eye.shapes == [(128, 128, 3, 16)]
    assert context.dropped == len(context.sizes)
    before = len(context.sizes)
    probe.measure(context, eye, rates, 16, square=True)  # type: ignore[arg-type]
    assert (len(context.sizes), len(eye.shapes)) == (before, 1)


def test_cards_of_this_build_can_be_listed() -> None:
    for device in devices.find():
        assert device.name
        assert device.free > 0
