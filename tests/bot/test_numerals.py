"""Numbers in one spelling, and numerals that are none."""

from __future__ import annotations

import pytest

from bot.numerals import folded, plain


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("八十九元", "89元"),
        ("一百零五", "105"),
        ("两千三百", "2300"),
        ("一万二千元", "12000元"),
        ("十二件", "12件"),
        ("二十", "20"),
        ("万元", "10000元"),
        ("九九", "99"),
        ("三点五元", "3.5元"),
        ("十九点九元", "19.9元"),
        ("百分之二十", "20%"),
        ("捌拾玖圆整", "89圆整"),
        ("三到五天", "3到5天"),
        ("三四天", "3、4天"),
        ("一两", "一两"),
        ("半价", "5折价"),
        ("半年", "0.5年"),
        ("八十九块九", "89.9元"),
        ("89块9毛", "89.9元"),
        ("89元9角", "89.9元"),
        ("89块2件", "89块2件"),
        ("Eighty-Nine Yuan", "89 yuan"),
        ("one hundred and five yuan", "105 yuan"),
        ("two thousand three hundred", "2300"),
        ("a hundred", "a 100"),
        ("fifty", "50"),
        ("two days", "2 days"),
        ("two of them", "two of them"),
        ("９９", "99"),
        ("⑨⑨", "99"),
        ("9\ufe0f\u20e39\ufe0f\u20e3", "99"),
        ("٩٩", "99"),
        ("9\u200b9", "99"),
        ("9 9 元", "99 元"),
        ("36 37 38", "36 37 38"),
        ("一件", "一件"),
        ("一下", "一下"),
        ("一起看一看", "一起看一看"),
        ("十分满意", "十分满意"),
        ("百搭", "百搭"),
    ],
)
def test_how_a_text_is_compared(text: str, same: str) -> None:
    assert plain(text) == same


@pytest.mark.parametrize("text", ["万一坏了", "千万别洗", "一年四季", "乱七八糟", "一块儿买"])
def test_an_idiom_holds_no_figure(text: str) -> None:
    assert not any(ch.isdigit() for ch in plain(text))


def test_folding_keeps_case_and_words() -> None:
    assert folded("ＺＧ２６　é\u200d") == "ZG26 é"
