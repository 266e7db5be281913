"""Customers' words: every language says the same things, and Chinese is set as Chinese."""

from __future__ import annotations

import re
import string
from itertools import pairwise
from typing import get_args

import pytest

from bot import words
from bot.errors import PhotoFault
from bot.model import Language

HAN = "\u3400-\u9fff\u3000-\u303f\uff00-\uffef"


def variables(language: Language, key: str) -> set[str]:
    text = words._table(language)[key]
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_every_language_has_the_same_keys(language: Language) -> None:
    assert words.keys(language) == words.keys("zh")


@pytest.mark.parametrize("key", sorted(words.keys("zh")))
def test_a_key_has_the_same_variables_in_every_language(key: str) -> None:
    assert {frozenset(variables(language, key)) for language in words.LANGUAGES} == {frozenset(variables("zh", key))}


@pytest.mark.parametrize("key", sorted(words.keys("zh")))
def test_chinese_words_have_chinese_punctuation(key: str) -> None:
    text = words._table("zh")[key]
    assert not re.search(rf"[{HAN}}}][,:;?!()]|[,:;?!()][{HAN}{{]", text)
    assert not re.search(r"亲亲|！", text)
    if key not in ("notice.seconds", "notice.minutes", "mark.refusal"):  # parts of sentences
        assert text[-1] in "。？"


@pytest.mark.parametrize("key", sorted(words.keys("en")))
def test_english_words_hold_no_chinese(key: str) -> None:
    assert not re.search(f"[{HAN}]", words._table("en")[key])


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_every_fault_of_a_photo_has_its_sentence(language: Language) -> None:
    for fault in (*get_args(PhotoFault), "gone"):
        assert words.say(language, f"photo.{fault}")


def test_an_unknown_key_is_an_error_of_ours() -> None:
    with pytest.raises(KeyError):
        words.say("zh", "answer.nothing")


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (0, " 5 秒", "5 seconds"),
        (4.9, " 5 秒", "5 seconds"),
        (5.1, " 10 秒", "10 seconds"),
        (25, " 25 秒", "25 seconds"),
        (30, " 30 秒", "30 seconds"),
        (30.1, " 40 秒", "40 seconds"),
        (42, " 50 秒", "50 seconds"),
        (90, " 90 秒", "90 seconds"),
        (90.5, " 2 分钟", "2 min"),
        (120, " 2 分钟", "2 min"),
        (121, " 3 分钟", "3 min"),
    ],
)
def test_a_time_is_rounded_upwards_as_one_says_it(seconds: float, zh: str, en: str) -> None:
    assert words.duration("zh", seconds) == zh
    assert words.duration("en", seconds) == en


def test_durations_never_go_down() -> None:
    said = [int(re.findall(r"\d+", words.duration("en", s))[0]) for s in range(91)]
    assert all(a <= b for a, b in pairwise(said))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("多少钱", "zh"),
        ("这个T-shirt多少钱", "zh"),
        ("how much", "en"),
        ("ok", "zh"),
        ("hey", "en"),
        ("？？", "zh"),
        ("", "zh"),
        ("😂", "zh"),
        ("123", "zh"),
        ("㐀", "zh"),
        ("https://item.taobao.com/item.htm?id=123456", "zh"),
        ("http://example.com/" + "a" * 400, "zh"),
        ("TS-ST-RD", "zh"),
        ("hello@qq.com", "zh"),
        ("SF1234567890", "zh"),
        ("https://shop.example/1 is this in stock", "en"),
        ("T-shirt", "en"),
        ("What's this? I'd like it.", "en"),
    ],
)
def test_the_script_tells_the_language_or_nothing_does(text: str, language: Language) -> None:
    assert words.language_of(text, "zh") == language


def test_words_that_say_nothing_keep_the_language_that_was_spoken() -> None:
    assert words.language_of("??", "en") == "en"
