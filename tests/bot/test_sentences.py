"""Whole sentences come out of words that are still being written, the same whatever the pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sentences import Sentences, clauses, repeats, split

TEXT = st.text(st.sampled_from(list("您好。！？!?；…\n. ”）a1。,，. ")), max_size=40)


def cut(text: str, sizes: list[int]) -> list[str]:
    cutter, at, out = Sentences(), 0, []
    for size in sizes:
        out += cutter.feed(text[at : at + size])
        at += size
    return [*out, *cutter.feed(text[at:]), *cutter.flush()]


@given(TEXT, st.lists(st.integers(1, 5), max_size=40))
def test_any_cut_gives_the_same_sentences(text: str, sizes: list[int]) -> None:
    assert cut(text, sizes) == split(text)


@given(TEXT)
def test_the_sentences_joined_are_the_text(text: str) -> None:
    assert "".join(split(text)).rstrip() == text.rstrip()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("您好。这款89元。", ["您好。", "这款89元。"]),
        ("真的吗？！是的。", ["真的吗？！", "是的。"]),
        ("等等……好了。", ["等等……", "好了。"]),
        ("他说“好。”然后走了。", ["他说“好。”", "然后走了。"]),
        ("您说「好？」。是吗", ["您说「好？」。", "是吗"]),
        ("有（缺货。）别的。", ["有（缺货。）", "别的。"]),
        (
            "It is 19.9 yuan. See a.example.com for more. Bye",
            ["It is 19.9 yuan. ", "See a.example.com for more. ", "Bye"],
        ),
        ("一\n二", ["一\n", "二"]),
        ("a; b；c", ["a; b；", "c"]),
        ("没有句号", ["没有句号"]),
        ("", []),
        ("  \n ", []),
        ("好！\n\n再见", ["好！\n\n", "再见"]),
    ],
)
def test_where_a_sentence_ends(text: str, sentences: list[str]) -> None:
    assert split(text) == sentences


@pytest.mark.parametrize("size", [1, 4])
def test_a_full_stop_behind_another_end_belongs_to_it(size: int) -> None:
    assert cut("no?. yes", [size] * 8) == ["no?. ", "yes"]


def test_a_sentence_waits_for_what_may_still_belong_to_it() -> None:
    cutter = Sentences()
    assert cutter.feed("好") == []
    assert cutter.feed("。") == []
    assert cutter.feed("再") == ["好。"]
    assert cutter.flush() == ["再"]
    assert cutter.flush() == []


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        ("", "图里有1，图里有1，图里有1，鞋子。"),
        ("鞋子是皮的。好。鞋子是皮的。", "鞋子是皮的。"),
        ("", "It is. It is. It is."),
    ],
)
def test_words_that_turn_in_circles_are_known(before: str, sentence: str) -> None:
    assert repeats(before, sentence)


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        ("好的。", "好的。"),
        ("", "哈哈哈哈"),
        ("", "红色T恤89元，蓝色T恤89元，白色T恤99元。"),
        ("", "您的订单号是ZG000000。"),
        ("在。在。", "。"),
    ],
)
def test_words_that_only_look_alike_may_be_said(before: str, sentence: str) -> None:
    assert not repeats(before, sentence)


def test_a_comma_in_a_figure_ends_no_clause() -> None:
    assert clauses("红的1,299元，蓝的99元, but the cap is 39") == ["红的1,299元", "蓝的99元", " ", " the cap is 39"]
