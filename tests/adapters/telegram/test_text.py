"""Long texts are cut where a reader pauses, and no part is too long, blank or torn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram.text import MESSAGE, split, units

#: Words as customers and models write them, and what is awkward: joined and coloured emoji, flags, accents, Arabic.
_BITS = st.sampled_from(
    [
        "好",
        "杯子",
        "。",
        "，",
        "！",
        "a",
        "word",
        ". ",
        " ",
        "\n",
        "\r\n",
        "👍",
        "👍🏽",
        "👩‍👩‍👧",
        "🇨🇳",
        "🇫🇷",
        "é",
        "e\u0301",
        "مرحبا",
        "\u3000",
        "1,299.00",
    ]
)
_TEXTS = st.lists(_BITS | st.text(max_size=5), max_size=60).map("".join)


@given(_TEXTS, st.integers(2, 40))
def test_every_part_fits_and_only_space_at_the_cuts_is_lost(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert all(part.strip() == part != "" for part in parts)
    assert all(units(part) <= limit for part in parts)
    at = 0
    for part in parts:
        found = text.index(part, at)
        assert text[at:found].strip() == ""
        at = found + len(part)
    assert text[at:].strip() == ""


@given(_TEXTS)
def test_length_is_counted_in_utf16_units(text: str) -> None:
    assert units(text) == len(text.encode("utf-16-le")) // 2


@given(st.lists(st.sampled_from(["👍🏽", "👩‍👩‍👧", "🇨🇳", "e\u0301"]), min_size=1, max_size=30), st.integers(8, 20))
def test_joined_characters_are_not_torn(letters: list[str], limit: int) -> None:
    assert "".join(split("".join(letters), limit)) == "".join(letters)
    for part in split("".join(letters), limit):
        rest = part
        while rest:
            letter = next((one for one in letters if rest.startswith(one)), None)
            assert letter is not None
            rest = rest.removeprefix(letter)


def test_exactly_4096_units_are_one_message() -> None:
    assert split("好" * MESSAGE) == ("好" * MESSAGE,)
    assert split("👍" * (MESSAGE // 2)) == ("👍" * (MESSAGE // 2),)
    assert len(split("👍" * (MESSAGE // 2) + "好")) == 2


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("", 10, ()),
        (" \n ", 10, ()),
        ("一二三。四五六。七", 8, ("一二三。四五六。", "七")),
        ("他说：“好。”我走了，再见。", 8, ("他说：“好。”", "我走了，再见。")),
        ("one two. three four", 12, ("one two.", "three four")),
        ("cost 19.90 yuan", 8, ("cost", "19.90", "yuan")),
        ("一二三四，五六七八", 7, ("一二三四，", "五六七八")),
        ("一。二三四五六七八九", 6, ("一。二三四五", "六七八九")),
        ("ab\ncdefgh", 5, ("ab", "cdefg", "h")),
        ("abcdef", 4, ("abcd", "ef")),
        ("一二三四。", 4, ("一二三四", "。")),
        ("ab. cd. e", 7, ("ab. cd.", "e")),
        ("🇨🇳🇫🇷", 6, ("🇨🇳", "🇫🇷")),
        ("a" + "\u0301" * 100, 80, ("a" + "\u0301" * 79, "\u0301" * 21)),
    ],
)
def test_the_cut_is_where_a_reader_pauses(text: str, limit: int, parts: tuple[str, ...]) -> None:
    assert split(text, limit) == parts
