"""The answer's form: read while it is written, written back as it was, and refused when it is another."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answer import QUALITIES, SCHEMA, Reader, dump, load
from bot.errors import EngineError
from bot.model import Action, Answer, Defect, Seen

SCHEMA_FILE = Path(__file__).parent / "golden" / "schema.json"
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=24)
DEFECTS = st.builds(Defect, what=WORDS, where=WORDS)
SEEN = st.builds(
    Seen,
    kind=WORDS,
    colour=WORDS,
    pattern=WORDS,
    count=st.integers(1, 9),
    defects=st.lists(DEFECTS, max_size=3).map(tuple),
    quality=st.sampled_from(QUALITIES),
)
ANSWERS = st.builds(
    Answer,
    action=st.sampled_from(Action),
    seen=st.none() | SEEN,
    reply=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60),
)


def read(text: str, sizes: list[int]) -> tuple[str, Reader]:
    """Feeds a text in pieces of these sizes, the rest at the end."""
    reader, at, out = Reader(), 0, ""
    for size in sizes:
        out += reader.feed(text[at : at + size])
        at += size
    return out + reader.feed(text[at:]), reader


def test_the_schema_is_the_golden_one() -> None:
    """Its order and lengths are what the shipped model was trained to write: a change here costs a training.

    After an intended one: ``UPDATE_GOLDEN=1 python -m pytest tests/bot/test_answer.py``.
    """
    text = json.dumps(SCHEMA, ensure_ascii=False, indent=2) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        SCHEMA_FILE.write_text(text, encoding="utf-8")
    assert text == SCHEMA_FILE.read_text(encoding="utf-8")


@given(ANSWERS)
def test_an_answer_survives_being_written_and_read(answer: Answer) -> None:
    assert load(dump(answer)) == answer
    assert dump(load(dump(answer))) == dump(answer)


@given(ANSWERS)
def test_a_dump_is_compact_json_in_the_schemas_order(answer: Answer) -> None:
    text = dump(answer)
    raw = json.loads(text)
    assert list(raw) == list(SCHEMA["properties"])
    if raw["seen"] is not None:
        assert list(raw["seen"]) == list(SCHEMA["properties"]["seen"]["anyOf"][1]["properties"])
    assert text == json.dumps(raw, ensure_ascii=False, separators=(",", ":"))


@given(ANSWERS, st.lists(st.integers(1, 7), max_size=80), st.booleans())
def test_the_reader_gives_the_reply_however_the_text_is_cut(answer: Answer, sizes: list[int], ascii_only: bool) -> None:
    text = dump(answer)
    if ascii_only and answer.reply.isascii():  # \uXXXX, as a server without our grammar may write
        text = json.dumps(json.loads(text), separators=(",", ":"))
    out, reader = read(text, sizes)
    assert out == json.loads(text)["reply"]
    assert reader.closed
    assert (reader.reply, reader.text) == (out, text)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_the_reader_resolves_every_escape_in_every_cut(size: int) -> None:
    reply = 'a"b\\c/d\ne\tf\rg\bh\fi\u4f60\x01'
    text = '{"action":"none","seen":null,"reply":"a\\"b\\\\c\\/d\\ne\\tf\\rg\\bh\\fi\\u4f60\\u0001"}'
    assert read(text, [size] * len(text))[0] == reply == json.loads(text)["reply"]


def test_a_reply_cut_off_in_an_escape_holds_it_back() -> None:
    assert read('{"action":"none","seen":null,"reply":"好\\', [])[0] == "好"
    assert read('{"action":"none","seen":null,"reply":"好\\u4f6', [])[0] == "好"
    out, reader = read('{"action":"none","seen":null,"reply":"好', [])
    assert (out, reader.closed) == ("好", False)


def test_an_escape_is_given_as_soon_as_it_is_whole() -> None:
    assert read('{"reply":"好\\n', [])[0] == "好\n"
    assert read('{"reply":"好\\u4f60', [])[0] == "好你"


def test_a_servers_own_blanks_are_no_part_of_the_reply() -> None:
    assert read('{\n  "reply" : "好"\n}', [])[0] == "好"


def test_what_an_escape_cannot_mean_is_left_out() -> None:
    """Half a surrogate pair, four characters that are no number, an unknown letter: none of them can be shown."""
    assert read('{"action":"none","seen":null,"reply":"a\\ud83db\\uzzzzc\\xd"}', [])[0] == "abcd"
    assert read('{"reply":"\\ud7ff\\ud800\\udfff\\ue000"}', [])[0] == "\ud7ff\ue000", "and their neighbours can"


def test_the_key_inside_an_earlier_string_is_not_the_reply() -> None:
    seen = Seen(kind='"reply":"x', colour='reply":"', pattern="", count=1, quality="clear")
    answer = Answer(action=Action.LOOK_UP, seen=seen, reply="好")
    assert read(dump(answer), [])[0] == "好"


def test_what_follows_the_reply_is_not_part_of_it() -> None:
    out, reader = read('{"reply":"好","action":"none","seen":"更多"}', [3])
    assert out == "好"
    assert reader.feed('更多"') == ""


GOOD: dict[str, Any] = json.loads(
    dump(
        Answer(
            action=Action.LOOK_UP,
            seen=Seen(
                kind="杯子",
                colour="红色",
                pattern="条纹",
                count=1,
                defects=(Defect(what="裂痕", where="左边"),),
                quality="clear",
            ),
            reply="",
        )
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "好的",
        json.dumps(GOOD | {"action": "dance"}),
        json.dumps(GOOD | {"seen": {}}),
        json.dumps(GOOD | {"reply": None}),
        json.dumps(GOOD | {"reply": 7}),
        json.dumps(GOOD | {"seen": GOOD["seen"] | {"kind": None}}),
        json.dumps(GOOD | {"seen": "杯子"}),
        json.dumps(GOOD | {"seen": GOOD["seen"] | {"count": "viele"}}),
        json.dumps(GOOD | {"seen": GOOD["seen"] | {"defects": ["x"]}}),
        json.dumps({key: value for key, value in GOOD.items() if key != "reply"}),
        json.dumps({key: value for key, value in GOOD.items() if key != "seen"}),
    ],
)
def test_an_answer_of_another_form_is_an_engine_error(text: str) -> None:
    with pytest.raises(EngineError, match="agreed form"):
        load(text)
