"""Choosing a token: the drawn one if it may come, else the likeliest that may."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from bot.errors import EngineError
from inference.llama.sampler import Sampler
from inference.llama.settings import Sampling

LOGITS = np.array([0.0, 3.0, 2.0, 1.0, -5.0], np.float32)


def draws(sampling: Sampling, logits: np.ndarray = LOGITS, times: int = 300) -> Counter[int]:
    sampler = Sampler(sampling)
    return Counter(sampler.choose(logits, lambda token: token)[0] for _ in range(times))


def test_greedy_takes_the_likeliest() -> None:
    assert draws(Sampling(greedy=True)) == {1: 300}
    assert draws(Sampling(temperature=0.0)) == {1: 300}


def test_a_refused_token_gives_way_to_the_next_likely() -> None:
    sampler = Sampler(Sampling(greedy=True))
    assert sampler.choose(LOGITS, lambda token: f"after {token}" if token in (4, 3) else None) == (3, "after 3")


def test_the_whole_vocabulary_is_searched_before_giving_up() -> None:
    logits = np.arange(10_000, dtype=np.float32)
    sampler = Sampler(Sampling(greedy=True))
    asked: list[int] = []

    def last(token: int) -> bool | None:
        asked.append(token)
        return token == 0 or None

    assert sampler.choose(logits, last) == (0, True)
    assert len(asked) == len(set(asked)) + 1 == 10_001, "each once, and the drawn one twice"
    with pytest.raises(EngineError, match="no token"):
        sampler.choose(logits, lambda token: None)


def test_top_k_and_top_p_bound_the_choice() -> None:
    assert set(draws(Sampling(seed=1, top_k=2, top_p=1.0, temperature=5.0))) == {1, 2}
    assert set(draws(Sampling(seed=1, top_k=5, top_p=0.5, temperature=1.0))) == {1}
    assert set(draws(Sampling(seed=1, top_k=50, top_p=1.0, temperature=50.0))) == {0, 1, 2, 3, 4}


def test_likelier_tokens_are_drawn_more_often() -> None:
    drawn = draws(Sampling(seed=1, top_p=1.0, temperature=1.0), times=2000)
    assert drawn[1] > drawn[2] > drawn[3] > drawn[0]
    assert 0.55 < drawn[1] / 2000 < 0.75, "softmax gives 0.64"


def test_a_seed_repeats_a_run() -> None:
    sampling = Sampling(seed=7, top_p=1.0, temperature=5.0)
    first, second = Sampler(sampling), Sampler(sampling)
    assert [first.choose(LOGITS, int)[0] for _ in range(50)] == [second.choose(LOGITS, int)[0] for _ in range(50)]
