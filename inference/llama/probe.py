"""Measures on the spot what no file says: how many threads help here, and the rates before the first customer comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from inference.llama.context import Context, Slice
from inference.llama.rates import Rates
from inference.llama.vision import Projector, largest

#: Tokens of a trial: enough that the threads have something to share.
_TRIAL = 16
#: A further thread must gain this much: it takes a core from the event loop.
_GAIN = 1.25


def threads(context: Context, least: int, most: int, clock: Callable[[], float] = time.perf_counter) -> int:
    """``most`` when that computes clearly faster now than ``least``: on a busy or shared machine it does not.

    Threads of llama.cpp wait for each other in a busy loop. With as many of them as cores and any other work beside,
    one decode was seen to take eight times as long; so nothing but a measurement can tell.
    """
    if most <= least:
        return least
    seconds = {}
    for count in (least, most):
        context.threads(count)
        _prompt(context, _TRIAL)
        started = clock()
        _prompt(context, _TRIAL)
        seconds[count] = clock() - started
    chosen = most if seconds[most] * _GAIN < seconds[least] else least
    context.threads(chosen)
    return chosen


def measure(context: Context, projector: Projector, rates: Rates, visual_tokens: int, *, square: bool) -> None:
    """Fills in what was never measured for this model on this machine; sequence 0 must be empty.

    Without it the first customer of all would be told nothing, or the wrong time.
    """
    if not rates.decode:
        _prompt(context, 1)
        for size in (1, 8, 64):
            rates.decode.add(size, _seconds(partial(_prompt, context, size)))
        rates.step.add(1, rates.decode.at(1))
    if not rates.encode:
        layout = largest(visual_tokens, square=square)
        grey = np.full((layout.rows * projector.unit, layout.columns * projector.unit, 3), 128, np.uint8)
        rates.encode.add(layout.cells, _seconds(partial(projector.encode, grey, layout)))


def _prompt(context: Context, size: int) -> None:
    context.decode([Slice(0, 0, [0] * size, read=True)])
    context.drop(0)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
