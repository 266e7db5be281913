"""The conversations that the model learns from are those that the product would hold."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime
from decimal import Decimal

from bot import answer, prompt
from bot.facts import product_line
from bot.guard import Guard
from bot.model import Action, Conversation, Order, OrderLine, Photo, Product, Variant
from bot.orders import match_line, order_line
from inference.demo import conversations, shelf, shop
from inference.demo.items import Item, any_item
from inference.llama import chat, grammar

ASCII_MARK = re.compile("[\u3400-\u9fff][,;:?!]|[,;:?!][\u3400-\u9fff]")


def talks(number: int) -> list[Conversation]:
    rng = random.Random("tests")

    def pick() -> tuple[int, Item | None]:
        return rng.randrange(1000), None if rng.random() < 0.2 else any_item(rng)

    return [conversations.conversation(rng, pick, shop.sections()) for _ in range(number)]


def test_conversations_render_and_their_answers_fit_the_schema() -> None:
    for talk in talks(60):
        pieces = list(chat.pieces(prompt.messages(shop.system(), talk, "zh")))
        written = [p for p in pieces if isinstance(p, chat.Written)]
        assert len(written) == len(talk.exchanges)
        for piece in written:
            assert "".join(text for text, _ in grammar.segments(answer.SCHEMA, json.loads(piece.text))) == piece.text
            assert answer.dump(answer.load(piece.text)) == piece.text


def test_seen_is_filled_for_look_up_and_complaint_only() -> None:
    for talk in talks(150):
        for exchange in talk.exchanges:
            assert exchange.answer is not None
            assert (exchange.answer.seen is not None) == (exchange.answer.action in (Action.LOOK_UP, Action.COMPLAINT))
            assert bool(exchange.answer.reply) == (exchange.answer.action is not Action.PERSON)
            if exchange.answer.action is Action.LOOK_UP and (record := exchange.answer.seen) is not None:
                pattern = "" if record.pattern == "纯色" else record.pattern
                assert exchange.answer.reply == f"{record.colour}{pattern}{record.kind}", "the shop's name for it"


def test_a_look_up_is_followed_by_facts_alone() -> None:
    for talk in talks(150):
        for one, two in zip(talk.exchanges, talk.exchanges[1:], strict=False):
            assert one.answer is not None
            assert (one.answer.action is Action.LOOK_UP) == (two.body == ())


def test_a_verdict_follows_what_the_shops_data_says_of_the_orders() -> None:
    verdicts = 0
    for talk in talks(400):
        for exchange in talk.exchanges:
            assert exchange.answer is not None
            same = re.search("一致|as you ordered", exchange.answer.reply)
            other = re.search("和您订的.*不一样|, not .* you ordered", exchange.answer.reply)
            if same or other:
                verdicts += 1
                assert exchange.facts[0].text.startswith("订单里有" if same else "订单里没有")
    assert verdicts > 50


def test_nothing_is_taught_that_the_guard_would_stop() -> None:
    for talk in talks(200):
        facts, words = [str(p) for p in shop.system().body] + [talk.head], []
        for exchange in talk.exchanges:
            facts += [fact.text for fact in exchange.facts]
            words += [part for part in exchange.body if not isinstance(part, Photo)]
            assert exchange.answer is not None
            guard = Guard(facts, words)
            for sentence in re.split("(?<=[。！？])", exchange.answer.reply):
                assert guard.check(sentence) is None, (sentence, facts[-3:], words[-1:])


def test_chinese_replies_use_chinese_marks() -> None:
    for talk in talks(200):
        for exchange in talk.exchanges:
            assert exchange.answer is not None
            assert not ASCII_MARK.search(exchange.answer.reply), exchange.answer.reply


def test_the_lines_that_it_learns_from_are_the_shops_own() -> None:
    rng = random.Random("lines")
    for _ in range(50):
        entry = shelf.line(rng, "红色", rng.choice(("纯色", "条纹")), rng.choice(("T恤", "杯子")))
        variant = Variant(
            sku="x", colour="红色", sizes=tuple(filter(None, entry.sizes.split("/"))), price=Decimal(entry.price),
            stock=entry.stock,
        )  # fmt: skip
        product = Product(
            id="x", name=entry.name.removeprefix("红色"), kind=entry.kind, pattern="", material=entry.material,
            about="", variants=(variant,),
        )  # fmt: skip
        assert entry.text == product_line(product, variant)
        told = shelf.order(rng)
        goods = tuple(OrderLine(sku="x", name=name, quantity=n, price=Decimal(1)) for name, n in told.goods)
        order = Order(
            number=told.number, phone_tail="1234", status=told.status, at=datetime.now(UTC), lines=goods,
            carrier=told.parcel[:2], tracking=told.parcel[2:],
        )  # fmt: skip
        assert [told.text(parcel=parcel) for parcel in (True, False)] == [
            order_line(order, parcel=parcel) for parcel in (True, False)
        ]
    assert [shelf.match(name) for name in ("红色杯子", "")] == [match_line(name) for name in ("红色杯子", "")]
