"""The answer's grammar: what may come, what must come, and how to end in the middle."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import answer
from bot.model import Action, Answer, Defect, Seen
from inference.llama.grammar import Grammar, State, segments

GRAMMAR = Grammar(answer.SCHEMA)

# Characters that our own grammar escapes or refuses: control characters other than the line break.
_WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.just("\n"), max_size=24)
_SEEN = st.builds(
    Seen,
    kind=_WORDS,
    colour=_WORDS,
    pattern=_WORDS,
    count=st.integers(1, 9),
    defects=st.lists(st.builds(Defect, what=_WORDS, where=_WORDS), max_size=3).map(tuple),
    quality=st.sampled_from(answer.QUALITIES),
)
_ANSWERS = st.builds(Answer, action=st.sampled_from(Action), seen=st.none() | _SEEN, reply=_WORDS)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_ANSWERS)
def test_every_answer_is_accepted_and_its_cuts_are_the_whole(said: Answer) -> None:
    text = answer.dump(said)
    state = GRAMMAR.accept(GRAMMAR.start, text.encode())
    assert state is not None
    assert GRAMMAR.done(state)
    assert "".join(cut for cut, _ in segments(answer.SCHEMA, json.loads(text))) == text


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_ANSWERS, st.data())
def test_an_answer_can_be_ended_anywhere_and_is_whole(said: Answer, data: st.DataObject) -> None:
    written = answer.dump(said).encode()
    head = written[: data.draw(st.integers(0, len(written)))]
    state = GRAMMAR.accept(GRAMMAR.start, head)
    assert state is not None
    whole = head + GRAMMAR.closing(state)
    after = GRAMMAR.accept(state, GRAMMAR.closing(state))
    assert after is not None
    assert GRAMMAR.done(after)
    answer.load(whole.decode())


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_ANSWERS)
def test_what_is_forced_is_what_every_answer_has_there(said: Answer) -> None:
    rest, state, sampled = answer.dump(said).encode(), GRAMMAR.start, 0
    while rest:
        forced, state = GRAMMAR.forced(state)
        assert rest.startswith(forced)
        rest = rest[len(forced) :]
        if rest:
            after = GRAMMAR.accept(state, rest[:1])
            assert after is not None
            state, rest, sampled = after, rest[1:], sampled + 1
    assert GRAMMAR.done(state)


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        (b'{"action":"', b"x"),
        (b'{"action":"none"', b"}"),
        (b'{"action":"none","seen":', b'"'),
        (b'{"action":"none","seen":null,"reply":"', b"\x01"),
        (b'{"action":"none","seen":null,"reply":"', b"\\t"),
        (b'{"action":"none","seen":null,"reply":"', b"\xff"),
        (b'{"action":"none","seen":null,"reply":"', b"\xc0\x80"),
        (b'{"action":"none","seen":null,"reply":"', b"\xed\xa0\x80"),
        (b'{"action":"none","seen":null,"reply":"', b"\xe4\xbd\x22"),
        (b'{"action":"none","seen":null,"reply":"\xe4\xbd', b'"'),
        (b'{"action":"none","seen":null,"reply":""}', b" "),
    ],
)
def test_what_may_not_come_is_refused(written: bytes, wrong: bytes) -> None:
    state = GRAMMAR.accept(GRAMMAR.start, written)
    assert state is not None
    assert GRAMMAR.accept(state, wrong) is None


def test_a_string_has_its_greatest_length_in_characters() -> None:
    grammar = Grammar({"type": "string", "maxLength": 3})
    assert grammar.accept(grammar.start, '"颜色很'.encode()) is not None
    assert grammar.accept(grammar.start, '"颜色很深'.encode()) is None
    full = grammar.accept(grammar.start, '"颜色很'.encode())
    assert full is not None
    assert grammar.forced(full)[0] == b'"'


@pytest.mark.parametrize(
    ("schema", "value", "closing"),
    [
        ({"enum": [1, 22]}, 22, b"1"),
        ({"enum": ["long", "no"]}, "no", b'"no"'),
        ({"type": "array", "maxItems": 2, "items": {"type": "null"}}, [None], b"[]"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, None, b'""'),
    ],
)
def test_the_shortest_whole_value_closes(schema: dict[str, Any], value: object, closing: bytes) -> None:
    grammar = Grammar(schema)
    assert grammar.closing(grammar.start) == closing
    state: State | None = grammar.accept(grammar.start, json.dumps(value).encode())
    assert state is not None
    assert grammar.done(state) or grammar.closing(state) == b""


def test_an_escape_that_was_begun_is_ended() -> None:
    grammar = Grammar({"type": "string"})
    state = grammar.accept(grammar.start, b'"a\\')
    assert state is not None
    assert grammar.closing(state) == b'n"'


def test_a_type_that_is_not_understood_is_said() -> None:
    with pytest.raises(ValueError, match="integer"):
        Grammar({"type": "integer"})


@pytest.mark.parametrize("values", [["one", 2], [None, "none"], []])
def test_an_enum_of_strings_and_others_is_refused_instead_of_written_wrongly(values: list[object]) -> None:
    with pytest.raises(ValueError, match="enum"):
        Grammar({"enum": values})


@pytest.mark.parametrize("value", [1, None, True, ['"']])
def test_an_enum_without_strings_is_written_as_json(value: object) -> None:
    grammar = Grammar({"enum": [value]})
    assert json.loads(grammar.forced(grammar.start)[0]) == value
