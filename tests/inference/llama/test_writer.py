"""An answer as it is written, with a model that says what the test wants."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from bot import answer
from inference.llama.grammar import Grammar
from inference.llama.rates import Length
from inference.llama.sampler import Sampler
from inference.llama.settings import Sampling
from inference.llama.writer import Writer, goes_round

#: A vocabulary of single bytes, and some longer tokens; the last is a control token and says nothing.
VOCABULARY = [*(bytes([byte]) for byte in range(256)), b"none", b"look_up", b"null", "颜色".encode(), b"ab", b""]
END = len(VOCABULARY) - 1


def writer(max_tokens: int = 100) -> Writer:
    return Writer(
        Grammar(answer.SCHEMA),
        Sampler(Sampling(greedy=True)),
        bytes_of=VOCABULARY.__getitem__,
        tokenise=lambda text: list(text.encode()),
        max_tokens=max_tokens,
        lead='"reply":"',
    )


def logits(*wanted: int) -> np.ndarray:
    """These tokens, best first, then all others equally."""
    out = np.zeros(len(VOCABULARY), np.float32)
    for rank, token in enumerate(wanted):
        out[token] = 100 - rank
    return out


def write(made: Writer, *tokens: bytes | int) -> list[list[int]]:
    return [made.write(logits(VOCABULARY.index(t) if isinstance(t, bytes) else t)) for t in tokens]


def text_of(tokens: Sequence[int]) -> bytes:
    return b"".join(VOCABULARY[token] for token in tokens)


def test_what_the_form_forces_is_appended_and_never_sampled() -> None:
    made = writer()
    assert text_of(made.begin()) == b'{"action":"'
    steps = write(made, b"none", b"null", "颜色".encode(), b'"')
    assert [text_of(step) for step in steps] == [
        b'none","seen":',
        b'null,"reply":"',
        "颜色".encode(),
        b'"}',
    ]
    assert made.finish == "stop"
    assert json.loads(made.text) == {"action": "none", "seen": None, "reply": "颜色"}
    assert made.length == Length(2, 10 + 11, 1)
    assert made.tokens == sum(len(step) for step in steps) + len('{"action":"')


def test_the_text_comes_in_whole_characters() -> None:
    made = writer()
    made.begin()
    write(made, b"none", b"null")
    made.read()
    first, second, third = "好".encode()
    write(made, first, second)
    assert made.read() == ""
    write(made, third)
    assert made.read() == "好"


def test_an_empty_reply_counts_its_closing_as_the_first_word() -> None:
    made = writer()
    made.begin()
    write(made, b"look_up", b"null", b'"')
    assert made.finish == "stop"
    assert made.length == Length(2, 10 + 11, 0)


def test_a_token_that_says_nothing_is_never_taken() -> None:
    made = writer()
    made.begin()
    tokens = made.write(logits(END, VOCABULARY.index(b"none")))
    assert VOCABULARY[tokens[0]] == b"none"


def test_an_answer_that_is_too_long_is_closed_and_whole() -> None:
    made = writer(max_tokens=40)
    made.begin()
    write(made, b"none", b"null")
    for _ in range(100):
        write(made, b"ab")
        if made.finish:
            break
    assert made.finish == "length"
    assert made.tokens >= 40
    assert json.loads(made.text)["reply"].startswith("ab")


def test_the_end_does_not_come_in_the_middle_of_a_character() -> None:
    made = writer(max_tokens=1)
    made.begin()
    write(made, b"none")
    assert made.finish == "length"
    late = writer(max_tokens=37)
    late.begin()
    write(late, b"none", b"null")
    for byte in "好颜".encode():
        assert late.finish is None
        write(late, byte)
    assert late.tokens > 37
    assert late.finish == "length"
    assert json.loads(late.text)["reply"] == "好颜"


def test_a_reply_that_goes_round_is_stopped() -> None:
    made = writer(max_tokens=1000)
    made.begin()
    write(made, b"none", b"null")
    for _ in range(200):
        for byte in b"again ":
            if not made.finish:
                write(made, byte)
    assert made.finish == "repetition"
    assert len(made.text) < 80
    assert json.loads(made.text)["reply"].startswith("again again")


@pytest.mark.parametrize(
    ("tokens", "round_"),
    [
        ([1] * 23, False),
        ([1] * 24, True),
        ([1, 2] * 12, True),
        ([1, 2] * 11, False),
        (list(range(8)) * 3, False),
        (list(range(8)) * 4, True),
        (list(range(40)) * 4, True),
        (list(range(41)) * 4, False),
        ([9, 9, *range(30)], False),
        ([5, *[1, 2, 3] * 8], True),
        ([*[1, 2, 3] * 8, 5], False),
        ([], False),
    ],
)
def test_a_group_said_often_enough_is_going_round(tokens: list[int], round_: bool) -> None:
    assert goes_round(tokens) is round_


def test_a_character_that_is_forced_in_part_is_sampled() -> None:
    schema = {"enum": ["颜", "颠"]}
    common = b"\xe9\xa2"
    made = Writer(
        Grammar(schema),
        Sampler(Sampling(greedy=True)),
        bytes_of=VOCABULARY.__getitem__,
        tokenise=lambda text: list(text.encode()),
        max_tokens=10,
    )
    assert text_of(made.begin()) == b'"', "not the two bytes that both begin with"
    assert "颜".encode()[:2] == "颠".encode()[:2] == common
    write(made, *"颠".encode())
    assert made.text == '"颠"'
    assert made.finish == "stop"
