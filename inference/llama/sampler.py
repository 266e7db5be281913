"""Chooses a token from logits: the sampled one if it may come, else the likeliest that may."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bot.errors import EngineError
from inference.llama.settings import Sampling

State = TypeVar("State")


class Sampler:
    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._random = np.random.default_rng(sampling.seed)

    def choose(self, logits: NDArray[np.float32], accept: Callable[[int], State | None]) -> tuple[int, State]:
        """A token and what ``accept`` made of it; ``accept`` says ``None`` to a token that may not come.

        Only the token that was drawn is asked about, which nearly always is enough: a model that was trained for the
        form keeps to it. Raises :class:`EngineError` when no token of the vocabulary may come.
        """
        if (state := accept(drawn := self._draw(logits))) is not None:
            return drawn, state
        for token in _falling(logits):
            if (state := accept(token)) is not None:
                return token, state
        raise EngineError("the model has no token that the answer's form allows here")

    def _draw(self, logits: NDArray[np.float32]) -> int:
        s = self._sampling
        if s.greedy or s.temperature <= 0:
            return int(logits.argmax())
        top = _top(logits, s.top_k)
        weights = np.exp((logits[top] - logits[top[0]]) / s.temperature)
        weights /= weights.sum()
        # The smallest head of the list that holds `top_p` of the whole.
        kept = int(np.searchsorted(np.cumsum(weights), s.top_p)) + 1
        weights = weights[:kept] / weights[:kept].sum()
        return int(self._random.choice(top[:kept], p=weights))


def _top(logits: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """The likeliest tokens, best first."""
    if count >= len(logits):
        return np.argsort(-logits)
    best = np.argpartition(logits, -count)[-count:]
    return best[np.argsort(-logits[best])]


def _falling(logits: NDArray[np.float32]) -> Iterator[int]:
    """All tokens by falling logit; sorting the whole vocabulary is left for when a few do not suffice."""
    seen = 0
    for count in (64, 4096, len(logits)):
        for token in _top(logits, count)[seen:]:
            yield int(token)
        seen = min(count, len(logits))
