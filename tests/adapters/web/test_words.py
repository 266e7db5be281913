"""The page's own words: there in both languages, with the same variables, and all that the code asks for."""

from __future__ import annotations

import inspect
import json
import re
from typing import get_args

from adapters.web.server import HERE
from bot import writing
from bot.errors import PhotoFault
from bot.guard import Reason

WORDS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (HERE / "words").glob("*.json")}
CODE = "".join(path.read_text(encoding="utf-8") for path in (HERE / "static").glob("*.js"))


def test_both_languages_say_the_same_things_with_the_same_variables() -> None:
    assert set(WORDS) == {"zh", "en"}
    assert WORDS["zh"].keys() == WORDS["en"].keys()
    for key, text in WORDS["zh"].items():
        assert variables(text) == variables(WORDS["en"][key]), key
        assert len(text) > 0
        assert type(text) is type(WORDS["en"][key])


def variables(text: object) -> set[str]:
    return set(re.findall(r"\{\w+\}", json.dumps(text)))


def test_every_key_that_the_code_names_has_words() -> None:
    asked = set(re.findall(r"""(?:words|list|line)\(\s*"([\w.]+)\"""", CODE))
    asked |= set(re.findall(r"""(?:text|label|placeholder): "([\w.]+)\"""", CODE))
    assert asked - WORDS["zh"].keys() == set()


def test_every_word_is_used() -> None:
    built = ("reason.", "guard.", "step.", "quality.")
    unused = {key for key in WORDS["zh"] if f'"{key}"' not in CODE and not key.startswith(built)}
    assert unused - {"noscript"} == set()


def test_every_reason_has_a_sentence() -> None:
    named = {"line", "pace", "long", "many", "empty", "photo", "origin", "token", "storage"}
    for reason in {*get_args(PhotoFault), *named}:
        assert f"reason.{reason}" in WORDS["zh"]
    # The writing also stops what is no answer at all, for reasons that it names itself.
    named = set(re.findall(r'(?:passed, |finish == |return |reason or )"(\w+)"', inspect.getsource(writing)))
    assert {"repetition", "length", "form"} <= named
    for guard in {*(reason.value for reason in Reason), *named}:
        assert f"guard.{guard}" in WORDS["zh"]


def test_chinese_words_have_full_width_punctuation() -> None:
    text = json.dumps(WORDS["zh"], ensure_ascii=False)
    assert re.findall(r"[\u4e00-\u9fff][,;:?!()]|[,;:?!()][\u4e00-\u9fff]", text) == []
