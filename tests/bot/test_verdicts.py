"""«This is what you ordered»: in whatever words it is said, it must agree with the order."""

from __future__ import annotations

import random

import pytest

from bot.guard import Guard, Reason
from bot.sentences import clauses
from bot.verdicts import verdict
from inference.demo import dialogues, shelf
from inference.demo.english import EnglishTalk
from inference.demo.items import any_item

ORDER = "订单ZG260118 红色条纹T恤×1 已发货"


def said(reply: str) -> set[bool]:
    return {found[0] for clause in clauses(reply.lower()) if (found := verdict(clause))}


@pytest.mark.parametrize("talk_of", [dialogues.Talk, EnglishTalk])
@pytest.mark.parametrize("things", [1, 2])
@pytest.mark.parametrize("seed", range(20))
def test_every_verdict_that_the_shipped_model_is_taught_is_known_as_one(
    talk_of: type[dialogues.Talk], things: int, seed: int
) -> None:
    rng = random.Random(f"{talk_of.__name__} {things} {seed}")
    one, other = any_item(rng), any_item(rng)
    while other.name == one.name:
        other = any_item(rng)
    names = [one.name, *([shelf.any_name(rng)] if things == 2 else [])]
    orders = [shelf.OrderFact("ZG260118", tuple((name, 1) for name in names), "已发货", "")]
    talk = talk_of(rng, lambda: (0, one), orders=orders)
    right = talk.verdict(one).reply
    assert said(right) == {True}
    facts = [order.text(parcel=False) for order in orders]
    assert Guard(facts, []).check(right) is None
    if other.name in names:
        return
    wrong = talk.verdict(other).reply
    assert said(wrong) == {False}
    assert Guard(facts, []).check(wrong) is None
    # Either is stopped where the order says the opposite.
    assert Guard([f"订单ZG260118 {other.name}×1 已发货"], []).check(wrong) is Reason.ORDER
    assert Guard([f"订单ZG260118 {other.name}×1 已发货"], []).check(right) is Reason.ORDER


SAME = """
和您订的一致
和您的订单一致
与您订单里的商品一致
跟您买的一模一样
和您下单的是同一款
就是您买的那件
您订的就是这件
没有发错
没发错
the same as your order
which matches your order
this is exactly what you ordered
as you ordered
""".strip().splitlines()
OTHER = """
和您订的不一致
和您的订单不符
与您订单里的商品不太一样
不是您买的那件
您订的不是这件
发错了
not what you ordered
it does not match your order
it isn't the one you bought
it differs from your order
we sent the wrong item
""".strip().splitlines()


@pytest.mark.parametrize(("words", "same"), [*((w, True) for w in SAME), *((w, False) for w in OTHER)])
def test_a_verdict_in_other_words_is_held_against_the_order(words: str, same: bool) -> None:
    if words.isascii():
        ordered, another = "The photo shows a red striped T-shirt, ", "The photo shows a blue mug, "
    else:
        ordered, another = "照片里是红色条纹T恤，", "照片里是蓝色杯子，"
    right, wrong = (ordered, another) if same else (another, ordered)
    assert Guard([ORDER], []).check(f"{right}{words}.") is None
    assert Guard([ORDER], []).check(f"{wrong}{words}.") is Reason.ORDER


@pytest.mark.parametrize(
    "sentence",
    [
        "这是您订的蓝色杯子。",
        "The blue mug is what you ordered.",
        "杯子就是您买的那个。",
        "没有发错，照片里的蓝色杯子就是您买的那个。",
    ],
)
def test_a_thing_that_is_named_anywhere_must_be_one_of_those_ordered(sentence: str) -> None:
    assert Guard([ORDER], []).check(sentence) is Reason.ORDER


@pytest.mark.parametrize(
    "sentence",
    [
        "您订的是1件红色条纹T恤。",
        "您订的是红色条纹T恤，发错了。",
        "您订的是红色条纹T恤，照片里是蓝色杯子，发错了。",
        "照片里的蓝色杯子是您订的吗？",
        "Is the blue mug what you ordered?",
        "如果蓝色杯子就是您买的那个，请拍一张。",
        "蓝色杯子是不是您买的，我再看看。",
        # What has no colour may be any of its kind.
        "T恤就是您买的那件。",
        "这件T恤和您订的不一样。",
    ],
)
def test_a_question_and_what_was_ordered_are_no_verdict(sentence: str) -> None:
    assert Guard([ORDER], []).check(sentence) is None
