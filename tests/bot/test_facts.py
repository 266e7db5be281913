"""The search: what words and photos find in a shop's data, and what nobody is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from bot import knowledge
from bot.facts import ShopFacts, product_line
from bot.model import Customer, Faq, Knowledge, Order, OrderLine, PolicySection, Product, Seen, Variant, money
from bot.orders import _Count, named, order_line
from bot.ports import Store
from tests.fakes.facts import Shelf

ME = Customer(channel="web", account="", id="1")
OTHER = Customer(channel="web", account="", id="2")


def product(id_: str, kind: str, pattern: str, *variants: tuple[str, int], **more: tuple[str, ...]) -> Product:
    name = ("" if pattern == "纯色" else pattern) + kind
    return Product(
        id=id_,
        name=name,
        kind=kind,
        pattern=pattern,
        material="棉",
        about="",
        variants=tuple(
            Variant(
                sku=f"{id_}-{at}", colour=colour, sizes=("S", "M"), price=Decimal(89), stock=stock, picture=f"{id_}.jpg"
            )
            for at, (colour, stock) in enumerate(variants)
        ),
        **more,
    )


TEE = product("tee", "T恤", "纯色", ("白色", 3), ("黑色", 0))
TEE_STRIPED = product("tee-st", "T恤", "条纹", ("红色", 12), ("蓝色", 0))
DRESS = product("dress", "连衣裙", "纯色", ("红色", 0), ("黑色", 5))
DRESS_DOTTED = product("dress-dt", "连衣裙", "波点", ("红色", 5), ("黄色", 5))
MUG = product("mug", "杯子", "条纹", ("蓝色", 5), kind_also=("茶缸",), pattern_also=("斑马纹",))
ORDER = Order(
    number="ZG260118",
    phone_tail="4321",
    status="已发货",
    at=datetime(2026, 11, 20, tzinfo=UTC),
    lines=(OrderLine(sku="tee-st-0", name="红色条纹T恤", quantity=1, price=Decimal(89)),),
    carrier="顺丰",
    tracking="SF1234567890",
)
TEE_WHITE = OrderLine(sku="tee-0", name="白色T恤", quantity=1, price=Decimal(89))
LATER = replace(ORDER, number="ZG260200", phone_tail="0001", at=datetime(2026, 11, 22, tzinfo=UTC), tracking="")
SHOP = Knowledge(products=(TEE, TEE_STRIPED, DRESS, DRESS_DOTTED, MUG), orders=(ORDER, LATER))


@pytest.fixture
def facts() -> ShopFacts:
    return ShopFacts(Shelf.store(SHOP), "", {})


async def found(facts: ShopFacts, words: str, seen: Seen | None = None, customer: Customer = ME) -> list[str]:
    return [fact.id.partition(":")[2] for fact in (await facts.facts(customer, words, seen)).lines]


# ------------------------------------------------------------------------------------------------ lines


def test_a_product_line_has_the_form_that_the_model_copies_from() -> None:
    assert product_line(TEE_STRIPED, TEE_STRIPED.variants[0]) == "红色条纹T恤 89元 库存12件 尺码S/M 棉"
    assert product_line(TEE_STRIPED, TEE_STRIPED.variants[1]) == "蓝色条纹T恤 89元 缺货 尺码S/M 棉"
    bare = replace(TEE.variants[0], sizes=(), price=Decimal("19.90"))
    assert product_line(replace(TEE, material=""), bare) == "白色T恤 19.9元 库存3件"


def test_an_order_line_tells_the_parcel_only_where_it_is_asked_for() -> None:
    assert order_line(ORDER) == "订单ZG260118 红色条纹T恤×1 已发货 顺丰SF1234567890"
    assert order_line(ORDER, parcel=False) == "订单ZG260118 红色条纹T恤×1 已发货"
    assert order_line(LATER) == "订单ZG260200 红色条纹T恤×1 已发货"


@pytest.mark.parametrize(("amount", "text"), [("89.00", "89"), ("19.90", "19.9"), ("1200", "1200"), ("0.5", "0.5")])
def test_money_is_written_as_a_price_tag_has_it(amount: str, text: str) -> None:
    assert money(Decimal(amount)) == text


# ------------------------------------------------------------------------------------------------ by words


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("红色条纹T恤多少钱", ["tee-st-0"]),
        ("红条纹t恤有货吗", ["tee-st-0"]),
        ("有白色的短袖吗", ["tee-0"]),
        ("白T恤", ["tee-0"]),
        ("price of the red striped T-shirt", ["tee-st-0"]),
        ("do you have T-shirts in white?", ["tee-0"]),
        ("条纹T恤有哪些颜色", ["tee-st-0", "tee-st-1"]),
        ("紫色条纹T恤", ["tee-st-0", "tee-st-1"]),
        ("蓝色条纹T恤还有吗", ["tee-st-1"]),
        ("杯多少钱", ["mug-0"]),
        ("茶缸多少钱", ["mug-0"]),
        ("斑马纹的茶缸", ["mug-0"]),
        ("水杯", ["mug-0"]),
        ("mugs?", ["mug-0"]),
        ("裤子多少钱", []),
        ("红色的多少钱", []),
        ("你好", []),
        ("smug answer", []),
        ("", []),
    ],
)
async def test_what_is_named_is_found(facts: ShopFacts, words: str, ids: list[str]) -> None:
    assert await found(facts, words) == ids


async def test_a_colour_without_a_pattern_means_the_plain_article_even_when_it_is_sold_out(facts: ShopFacts) -> None:
    assert await found(facts, "红色连衣裙多少钱") == ["dress-0", "dress-dt-0"]


async def test_a_kind_alone_shows_one_of_each_that_can_be_had_first(facts: ShopFacts) -> None:
    assert await found(facts, "有什么连衣裙") == ["dress-dt-0", "dress-1", "dress-dt-1", "dress-0"]
    assert await found(facts, "T恤") == ["tee-0", "tee-st-0", "tee-1", "tee-st-1"]


async def test_offers_show_what_was_found_with_picture_and_price_and_no_more_than_four(facts: ShopFacts) -> None:
    offers = (await facts.facts(ME, "T恤和连衣裙", None)).offers
    assert len(offers) == 4
    (offer,) = (await facts.facts(ME, "红色条纹T恤", None)).offers
    assert (offer.product, offer.name, offer.price, offer.stock, offer.picture) == (
        "tee-st-0", "红色条纹T恤", Decimal(89), 12, "tee-st.jpg",
    )  # fmt: skip


async def test_a_product_without_pattern_and_colour_is_found_by_its_kind() -> None:
    lamp = product("lamp", "台灯", "", ("", 2))
    striped = product("striped", "台灯", "条纹", ("", 2))
    rug = product("rug", "地毯", "", ("", 0))
    facts = ShopFacts(Shelf.store(Knowledge(products=(lamp, striped, rug))), "", {})
    assert await found(facts, "台灯多少钱") == ["lamp-0", "striped-0"]
    assert await found(facts, "雨伞多少钱") == []
    assert await found(facts, "", Seen(kind="台灯", colour="白色", pattern="纯色", count=1)) == ["lamp-0"]


# ------------------------------------------------------------------------------------------------ by photo


def seen(colour: str, pattern: str, kind: str) -> Seen:
    return Seen(kind=kind, colour=colour, pattern=pattern, count=1)


@pytest.mark.parametrize(
    ("photo", "ids"),
    [
        (seen("红色", "条纹", "T恤"), ["tee-st-0"]),
        (seen("蓝色", "条纹", "T恤"), ["tee-st-1"]),
        (seen("绿色", "条纹", "T恤"), ["tee-st-0", "tee-st-1"]),
        (seen("绿色", "纯色", "连衣裙"), ["dress-1", "dress-0"]),
        (seen("红色", "格子", "T恤"), []),
        (seen("红色", "纯色", "裤子"), []),
        (seen("其他", "其他", "其他"), []),
        (seen("red", "striped", "T-shirt"), ["tee-st-0"]),
        (seen("红", "条纹", "短袖T恤"), ["tee-st-0"]),
        (seen("black", "plain", "dress"), ["dress-1"]),
    ],
)
async def test_what_is_seen_is_found_or_its_other_colours(facts: ShopFacts, photo: Seen, ids: list[str]) -> None:
    assert await found(facts, "多少钱", photo) == ids


@pytest.mark.parametrize(
    ("photo", "line"),
    [
        (seen("红色", "条纹", "T恤"), "订单里有红色条纹T恤"),
        (seen("red", "striped", "tee"), "订单里有红色条纹T恤"),
        (seen("蓝色", "条纹", "T恤"), "订单里没有照片里的这款"),
        (seen("红色", "纯色", "T恤"), "订单里没有照片里的这款"),
        (seen("红色", "条纹", "杯子"), "订单里没有照片里的这款"),
        (seen("绿色", "条纹", "T恤"), "订单里没有照片里的这款"),
        # Words that are nobody's everyday names prove nothing, neither for nor against.
        (seen("红色", "豹纹", "T恤"), None),
        (seen("红色", "条纹", "台灯"), None),
        # Like a name is no name: the search is generous, a verdict is not.
        (seen("粉红色", "条纹", "T恤"), None),
        (seen("蓝色带红边", "条纹", "T恤"), None),
        (seen("红色", "条纹", "T恤衫套装"), None),
        (seen("红", "条纹", "短袖"), "订单里有红色条纹T恤"),
        (seen("red", "stripes", "T-shirts"), "订单里有红色条纹T恤"),
        # What the model calls a thing is no fact.
        (seen("红色", "条纹", "免费的台灯0元"), None),
    ],
)
async def test_what_is_seen_is_held_against_the_orders(facts: ShopFacts, photo: Seen, line: str | None) -> None:
    assert "match" not in await found(facts, "", photo), "he has no order"
    await facts.facts(ME, "ZG260118 4321", None)
    lines = [fact.text for fact in (await facts.facts(ME, "对吗", photo)).lines]
    assert [text for text in lines if text.startswith("订单里")] == ([line] if line else [])
    if line:
        assert lines[0] == line, "first: a model that takes few lines must have this one"


async def test_a_photo_is_held_against_the_order_that_is_named(facts: ShopFacts) -> None:
    mug = (OrderLine(sku="mug-0", name="蓝色条纹杯子", quantity=1, price=Decimal(9)),)
    facts = ShopFacts(Shelf.store(replace(SHOP, orders=(ORDER, replace(LATER, lines=mug)))), "", {})
    await facts.facts(ME, "ZG260118 4321", None)
    await facts.facts(ME, "ZG260200 0001", None)
    tee = seen("红色", "条纹", "T恤")

    async def line(words: str) -> str:
        return (await facts.facts(ME, words, tee)).lines[0].text

    assert await line("zg-260200收到的是这个") == "订单里没有照片里的这款"
    assert await line("对吗\nZG260118") == "订单里有红色条纹T恤"
    assert await line("对吗") == "订单里有红色条纹T恤", "none is named: any of his"
    assert await line("我的订单ZG999999对吗") == product_line(TEE_STRIPED, TEE_STRIPED.variants[0]), "it is not his"


@pytest.mark.parametrize(
    ("pattern", "seen_as", "line"),
    [("纯色", "plain", True), ("plain", "纯色", True), ("", "纯色", True), ("", "条纹", None), ("条纹", "纯色", False)],
)
async def test_that_there_is_no_pattern_is_written_in_several_ways(
    pattern: str, seen_as: str, line: bool | None
) -> None:
    """An empty field may also mean that nobody filled it in: it speaks for a plain thing and against none."""
    shop = Knowledge(products=(replace(TEE, pattern=pattern),), orders=(replace(ORDER, lines=(TEE_WHITE,)),))
    facts = ShopFacts(Shelf.store(shop), "", {})
    await facts.facts(ME, "ZG260118 4321", None)
    lines = [f.text for f in (await facts.facts(ME, "对吗", seen("白色", seen_as, "T恤"))).lines if f.id == "match"]
    assert lines == {True: ["订单里有白色T恤"], False: ["订单里没有照片里的这款"], None: []}[line]


@pytest.mark.parametrize(
    ("own", "photo"),
    [
        ("", seen("蓝色", "纯色", "T恤")),
        ("藏青色", seen("蓝色", "纯色", "T恤")),
        ("米白色", seen("白色", "纯色", "T恤")),
        ("红白", seen("红色", "纯色", "T恤")),
    ],
)
async def test_a_name_of_the_shops_own_is_not_certainly_another_colour(own: str, photo: Seen) -> None:
    tee = product("tee", "T恤", "纯色", (own, 3), ("蓝色", 1), ("白色", 1), ("红色", 1))
    lines = (OrderLine(sku="tee-0", name=f"{own}T恤", quantity=1, price=Decimal(9)),)
    facts = ShopFacts(Shelf.store(Knowledge(products=(tee,), orders=(replace(ORDER, lines=lines),))), "", {})
    await facts.facts(ME, "ZG260118 4321", None)
    assert "match" not in [fact.id for fact in (await facts.facts(ME, "对吗", photo)).lines]


@pytest.mark.parametrize(
    ("words", "colours"),
    [
        ("T恤多少钱", 2),
        ("明白了，那T恤多少钱", 2),
        ("白天能送到吗，T恤", 2),
        ("T恤有红包吗", 2),
        ("明白。T恤呢", 2),
        ("白T恤多少钱", 1),
        ("T恤要白的", 1),
        ("T恤，白", 1),
        ("白色T恤", 1),
        ("那件白短袖", 1),
    ],
)
async def test_a_colours_first_sign_counts_where_it_is_said_of_a_thing(words: str, colours: int) -> None:
    tee = product("tee", "T恤", "纯色", ("白色", 3), ("红色", 1))
    facts = ShopFacts(Shelf.store(Knowledge(products=(tee,))), "", {})
    assert len(await found(facts, words)) == colours


async def test_names_of_latin_words_keep_apart() -> None:
    mug = product("mug", "mug", "plain", ("red", 3), ("", 4))
    mug = replace(mug, name="striped mug")
    facts = ShopFacts(Shelf.store(Knowledge(products=(mug,))), "", {})
    told = await facts.facts(ME, "mugs?", None)
    assert [line.text.split(" 89元")[0] for line in told.lines] == ["red striped mug", "striped mug"]
    assert [offer.name for offer in told.offers] == ["red striped mug", "striped mug"]


async def test_an_order_whose_rows_are_gone_is_not_held_against(facts: ShopFacts) -> None:
    mug = OrderLine(sku="gone", name="红色雨伞", quantity=1, price=Decimal(9))
    shop = replace(SHOP, orders=(replace(ORDER, lines=(*ORDER.lines, mug)),))
    facts = ShopFacts(Shelf.store(shop), "", {})
    await facts.facts(ME, "ZG260118 4321", None)
    first = (await facts.facts(ME, "", seen("红色", "条纹", "T恤"))).lines[0]
    assert first.text == "订单里有红色条纹T恤"
    assert await found(facts, "", seen("黑色", "纯色", "连衣裙")) == ["dress-1"]


async def test_a_photo_is_not_searched_by_the_words_beside_it(facts: ShopFacts) -> None:
    assert await found(facts, "杯子和订单ZG260118 4321", seen("红色", "条纹", "T恤")) == ["tee-st-0"]


# ------------------------------------------------------------------------------------------------ orders


def test_the_tail_that_hangs_on_a_number_is_tried_first() -> None:
    told = named("ZG260118-4321 1111 2222 3333 4444")
    assert told.proofs("ZG260118") == ("4321", "1111", "2222")
    assert told.proofs("ZG2601184321") == ("1111", "2222", "3333")


@pytest.mark.parametrize(
    "words",
    [
        "ZG260118 4321",
        "订单zg260118，尾号4321",
        "订单号ZG260118 手机尾号是4321",
        "ZG260118手机号后4位4321",
        "ＺＧ２６０１１８，尾号４３２１",
        "ZG 260118 / 4321",
        "ZG-260118 后四位：4321",
        "2026年的订单ZG260118，尾号4321",
        "尾号 4321 订单 ZG260118 什么时候到",
        "我的订单是ZG260118，手机13800004321",
        "order ZG260118, phone ends in 4321",
        "order zg260118 last 4 digits 4321",
        "ZG260118\n4321",
    ],
)
async def test_number_and_phone_tail_open_an_order(facts: ShopFacts, words: str) -> None:
    assert await found(facts, words) == ["ZG260118"]
    assert await found(facts, "我的订单到哪了") == ["ZG260118"], "it is bound from now on"
    assert await facts.orders(ME) == [order_line(ORDER, parcel=False)]


@pytest.mark.parametrize(
    "words",
    [
        "ZG260118",
        "ZG260118 1234",
        "ZG260119 4321",
        "ZG2601184321",
        "4321",
        "订单尾号4321",
        "XZG260118 4321",
        "ZG260118 43210",
        "ZG260118 2026年",
        "ZG260118 0001",
    ],
)
async def test_half_of_what_one_must_know_opens_nothing(facts: ShopFacts, words: str) -> None:
    assert await found(facts, words) == []
    assert await found(facts, "我的订单到哪了") == []
    assert await facts.orders(ME) == []


async def test_nobody_hears_of_somebody_elses_order(facts: ShopFacts) -> None:
    await found(facts, "ZG260118 4321", customer=OTHER)
    assert await found(facts, "我的订单到哪了") == []
    assert await found(facts, "快递到哪了，ZG260118") == []
    assert await facts.orders(ME) == []
    assert await found(facts, "我的订单到哪了", customer=OTHER) == ["ZG260118"]


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(clock: Clock) -> ShopFacts:
    return ShopFacts(Shelf.store(SHOP), "", {}, clock)


def stranger(n: int) -> Customer:
    return Customer(channel="web", account="", id=f"stranger {n}")


@pytest.mark.parametrize(
    ("words", "unproven"),
    [
        ("ZG260118 4321", None),
        ("ZG260118 9999", "wrong"),
        ("ZG999999 4321", "wrong"),
        ("订单ZG260118 9999 什么时候到", "wrong"),
        ("ZG260118", "tail"),
        ("订单ZG260118到哪了", "tail"),
        ("我的订单尾号4321", "number"),
        ("快递到哪了，手机尾号4321", "number"),
        ("9999\n帮忙看看这个ZG260118吧", "wrong"),  # the newest line alone tells that it is a tail
        ("4321\n我的订单到哪了", "number"),  # told in pieces, the newest first
        ("4321\nZG260118\n我的订单到哪了", None),
        ("4321\nZG260118 9999\nZG260118 8888\nZG260118 7777", None),
        ("9999", None),
        ("我20261120下的订单到哪了", None),
        ("我的订单呢", None),
        ("订单满1000元包邮吗", None),
        ("ZG260118 ZG260200 4321", "wrong"),  # one of the two is his: of the other he is told
        ("ZG260118 4321 和 ZG260200 都到哪了", "wrong"),
        ("ZG260118到哪了", "tail"),
        ("单号：ZG260118 尾号9999", "wrong"),
        # Codes and figures that belong to no order.
        ("你好，税号91310000MA1K35XX2Q 金额1299，能开发票吗？", None),
        ("邮编310000 文一西路1818号，运费多少？", None),
        ("WX-2023-1234这款有货吗", None),
        ("我的订单能改地址吗？上海市1203号，邮编200120，手机13812345678", None),
        ("ZG260118这个订单，尾号9999", "wrong"),
        ("order no. ZG260118, phone 9999", "wrong"),
        ("我寄回去了，退货单号SF9999999999，手机尾号3721，什么时候退款？", None),
    ],
)
async def test_what_is_lacking_of_an_order_that_is_asked_for(
    facts: ShopFacts, words: str, unproven: str | None
) -> None:
    assert (await facts.facts(ME, words, None)).unproven == unproven


async def test_a_wrong_tail_that_is_told_again_is_no_further_guess(watched: ShopFacts) -> None:
    """An answer that is tried again asks again, and people repeat themselves."""
    for _ in range(9):
        assert (await watched.facts(OTHER, "ZG260118 9999", None)).unproven == "wrong"
    assert await found(watched, "ZG260118 4321", customer=OTHER) == ["ZG260118"]


async def test_it_is_not_told_whether_a_number_exists_when_the_guesses_are_used_up(facts: ShopFacts) -> None:
    for tail in range(9):
        assert (await facts.facts(OTHER, f"ZG260118 000{tail}", None)).unproven == "wrong"
    assert (await facts.facts(OTHER, "ZG260118 4321", None)).unproven == "wrong"


async def test_a_phone_tail_cannot_be_guessed_by_trying(watched: ShopFacts, clock: Clock) -> None:
    for tail in range(5):
        assert await found(watched, f"ZG260118 000{tail}", customer=OTHER) == []
    assert await found(watched, "ZG260118 4321", customer=OTHER) == [], "not even the right one, for an hour"
    assert await found(watched, "zg-260118 4321", customer=OTHER) == [], "however it is spelled"
    assert await found(watched, "ZG260200 0001", customer=OTHER) == ["ZG260200"], "other orders are as open as before"
    clock.now += 3599
    assert await found(watched, "ZG260118 4321", customer=OTHER) == []
    clock.now += 2
    assert await found(watched, "ZG260118 4321", customer=OTHER) == ["ZG260118"]


async def test_a_strangers_guesses_do_not_shut_the_owner_out(watched: ShopFacts) -> None:
    for tail in range(9):
        await found(watched, f"ZG260118 000{tail}", customer=OTHER)
    assert await found(watched, "ZG260118 4321") == ["ZG260118"]


async def test_an_order_bears_thirty_wrong_tails_a_day_whoever_tries(
    watched: ShopFacts, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await found(watched, "ZG260118 4321", customer=OTHER)
    for n in range(29):
        await found(watched, "ZG260118 0000", customer=stranger(n))
    assert not caplog.messages
    await found(watched, "ZG260118 0000", customer=stranger(29))
    assert await found(watched, "ZG260118 4321", customer=stranger(30)) == [], "a new name costs nothing"
    assert await found(watched, "ZG260118到哪了", customer=OTHER) == ["ZG260118"], "whose it is already is not shut out"
    (told,) = caplog.messages
    assert "30 messages" in told
    assert "…0118" in told
    assert "ZG260118" not in told, "it may be a customer's words"
    clock.now += 86_399
    assert await found(watched, "ZG260118 4321") == []
    clock.now += 2
    assert await found(watched, "ZG260118 4321") == ["ZG260118"]


async def test_a_customer_has_twenty_wrong_tries_a_day_over_all_orders(watched: ShopFacts, clock: Clock) -> None:
    for n in range(20):
        await found(watched, f"ZG27{n:04} 4321", customer=OTHER)
    assert await found(watched, "ZG260118 4321", customer=OTHER) == []
    assert await found(watched, "ZG260118 4321") == ["ZG260118"]
    clock.now += 86_401
    assert await found(watched, "ZG260118 4321", customer=OTHER) == ["ZG260118"]


async def test_one_message_is_one_guess_with_few_tails(watched: ShopFacts) -> None:
    assert await found(watched, "ZG260118 0001 0002 0003 4321", customer=OTHER) == [], "the fourth is not tried"
    for _ in range(3):
        await found(watched, "ZG260118，ZG260118 0001 0002 0003", customer=OTHER)
    assert await found(watched, "ZG260118 4321", customer=OTHER) == ["ZG260118"], "four messages, no twelve guesses"


async def test_one_message_tries_few_codes(watched: ShopFacts) -> None:
    made_up = " ".join(f"ZG27000{n}" for n in range(5))
    assert await found(watched, f"{made_up} ZG260118 4321") == []
    assert await found(watched, f"{made_up[9:]} ZG260118 4321") == ["ZG260118"]


async def test_what_proves_right_is_no_guess(watched: ShopFacts, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(31):
        assert await found(watched, "顺丰SF1234567890到哪了？我的订单号ZG260118，尾号4321", customer=OTHER) == [
            "ZG260118"
        ]
    for n in range(31):
        words = "顺丰SF1234567890到哪了？我的订单号ZG260118，尾号4321"
        assert await found(watched, words, customer=stranger(n)) == ["ZG260118"]
    assert not caplog.messages, "the parcel's number was no wrong order"


def test_made_up_numbers_do_not_fill_the_memory(clock: Clock) -> None:
    count = _Count(1, 3600.0, clock)
    for key in ("oldest", *range(9_999)):
        count.add(key)
    assert count.full("oldest")
    count.add("newest")
    assert not count.full("oldest")
    assert count.full("newest")


def numbered(number: str, tail: str = "1111", tracking: str = "") -> Order:
    return replace(ORDER, number=number, phone_tail=tail, tracking=tracking)


MANY = Knowledge(
    orders=(
        numbered("ZG260000", "0000", "sf-1112223334"),
        numbered("20261120000123"),
        numbered("TB-2026-77"),
        numbered("A1234567"),
        numbered("ZG260002", "3721"),
    )
)


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("订单20261120000123 手机尾号1111，到哪了", "20261120000123"),
        ("no 20261120000123, phone ends in 1111", "20261120000123"),
        ("TB-2026-77，1111", "TB-2026-77"),
        ("tb202677 1111", "TB-2026-77"),
        ("A1234567 13800001111", "A1234567"),
        ("A 1234567 1111", "A1234567"),
        ("A1234567-1111", "A1234567"),
        ("我2026下单的，订单ZG260002，3721", "ZG260002"),
        ("手机壳2026款，订单ZG260002，3721", "ZG260002"),
        ("我2026-11-20下单的，ZG260002，3721", "ZG260002"),
        ("2026-11-20 0000 0000 ZG260002 3721", "ZG260002"),
        ("https://shop.example/12345678 ZG260002 3721", "ZG260002"),
        ("SF9999999999到哪了，ZG260002，尾号3721", "ZG260002"),
        ("ZG260002 1000 2000 3000 尾号3721", "ZG260002"),
        ("ZG260002 1000 2000 3000 13800003721", "ZG260002"),
    ],
)
async def test_orders_are_found_however_shops_number_them(words: str, number: str) -> None:
    facts = ShopFacts(Shelf.store(MANY), "", {})
    assert await found(facts, "ZG260000 0000", customer=ME) == ["ZG260000"]
    assert await found(facts, words) == [number]
    assert await found(facts, f"{number}到哪了") == [number], "it is his from now on"


@pytest.mark.parametrize(
    "words",
    [
        "订单20261120000123 手机尾号2222，到哪了",
        "订单20261120000999 手机尾号1111，到哪了",
        "TB-2026-77到哪了",
        "我的快递SF9999999999到哪了",
        "ZG 260002 的物流",
    ],
)
async def test_asking_about_one_order_never_brings_up_another(words: str) -> None:
    facts = ShopFacts(Shelf.store(MANY), "", {})
    await found(facts, "ZG260000 0000")
    assert await found(facts, words) == []
    assert await found(facts, "我的订单到哪了") == ["ZG260000"]


@pytest.mark.parametrize(
    "words", ["ZG260000呢", "zg-260000", "SF1112223334到哪了", "sf 1112223334", "SF1112223334 0000"]
)
async def test_a_number_or_a_parcel_of_his_own_brings_up_that_order_alone(words: str) -> None:
    facts = ShopFacts(Shelf.store(MANY), "", {})
    await found(facts, "ZG260000 0000")
    await found(facts, "ZG260002 3721")
    assert await found(facts, words) == ["ZG260000"]
    assert await found(facts, "SF1112223334到哪了", customer=OTHER) == []


@pytest.mark.parametrize(
    "words", ["我2026-11-20买的，到哪了", "到哪了？手机13800004321", "到哪了 https://a.example/12345678"]
)
async def test_dates_mobiles_and_links_name_no_order(words: str) -> None:
    facts = ShopFacts(Shelf.store(MANY), "", {})
    await found(facts, "ZG260000 0000")
    assert await found(facts, words) == ["ZG260000"]


@pytest.mark.parametrize(
    ("number", "tail"),
    [("AB0042C", "0042"), ("ZG-2026-7X8Y", "2026"), ("TB-2026-0042", "0042"), ("尾号AB0042C", "0042")],
)
async def test_the_figures_of_a_number_are_no_phone_tail(number: str, tail: str) -> None:
    facts = ShopFacts(Shelf.store(Knowledge(orders=(numbered(number.removeprefix("尾号"), tail),))), "", {})
    assert await found(facts, f"订单{number}到哪了") == []
    assert await found(facts, f"订单{number}到哪了，{tail}") == [number.removeprefix("尾号")]


async def test_half_a_question_is_no_guess(watched: ShopFacts) -> None:
    for _ in range(21):
        await found(watched, "ZG260118到哪了")
    assert await found(watched, "ZG260118 4321") == ["ZG260118"]


async def test_orders_of_two_shops_share_no_guesses() -> None:
    shelf = Shelf(SHOP, "home")
    shelf.add("second", SHOP)
    facts = ShopFacts(cast(Store, shelf), "home", {("telegram", "bot2"): "second"})
    for n in range(30):
        await found(facts, "ZG260118 0000", customer=stranger(n))
    assert await found(facts, "ZG260118 4321") == []
    assert await found(facts, "ZG260118 4321", customer=Customer(channel="telegram", account="bot2", id="1")) != []


async def test_a_proven_order_is_told_with_its_parcel_and_several_at_once(facts: ShopFacts) -> None:
    (line,) = (await facts.facts(ME, "ZG260118 4321", None)).lines
    assert line.text == order_line(ORDER)
    assert line.text.endswith("顺丰SF1234567890")
    assert await found(facts, "ZG260118和ZG260200，0001") == ["ZG260118", "ZG260200"]


async def test_own_orders_come_newest_first_and_only_when_they_are_asked_for(facts: ShopFacts) -> None:
    await found(facts, "ZG260118 4321")
    await found(facts, "ZG260200 0001")
    assert await found(facts, "where is my parcel") == ["ZG260200", "ZG260118"]
    assert await found(facts, "你好") == []
    assert await facts.orders(ME) == [order_line(LATER, parcel=False), order_line(ORDER, parcel=False)]


async def test_three_orders_at_most(facts: ShopFacts) -> None:
    orders = tuple(replace(ORDER, number=f"ZG26000{n}", at=datetime(2026, 11, n, tzinfo=UTC)) for n in range(1, 6))
    many = ShopFacts(Shelf.store(Knowledge(orders=orders)), "", {})
    for order in orders:
        await found(many, f"{order.number} 4321")
    assert await found(many, "我的订单") == ["ZG260005", "ZG260004", "ZG260003"]
    assert await many.orders(ME) == [order_line(order, parcel=False) for order in reversed(orders)]


# ------------------------------------------------------------------------------------------------ shops


async def test_an_account_sees_its_own_shop_only() -> None:
    shelf = Shelf(SHOP, "home")
    shelf.add("second", Knowledge(products=(MUG,)))
    facts = ShopFacts(cast(Store, shelf), "home", {("telegram", "bot2"): "second"})
    second = Customer(channel="telegram", account="bot2", id="1")
    assert facts.shop_of(ME) == "home"
    assert facts.shop_of(second) == "second"
    assert await found(facts, "T恤", customer=second) == []
    assert await found(facts, "杯子", customer=second) == ["mug-0"]
    assert await found(facts, "T恤") != []


async def test_rows_are_read_as_they_stand_now_and_only_those_that_are_his() -> None:
    policy = PolicySection(id="p", title="运费", passages=("满99元包邮。", "新疆加收10元。"))
    faq = Faq(id="f", question="包邮吗", answer="满99元。")
    shelf = Shelf(replace(SHOP, policy=(policy,), faq=(faq,)))
    facts = ShopFacts(cast(Store, shelf), "", {})
    ids = ["order:ZG260118", "faq:f", "policy:p:1", "product:tee-st-0", "product:gone", "order:ZG260200"]
    told = [fact.text for fact in await facts.current(ME, ids)]
    assert told == ["包邮吗：满99元。", "运费：新疆加收10元。", product_line(TEE_STRIPED, TEE_STRIPED.variants[0])]
    await found(facts, "订单ZG260118 尾号4321", None, ME)
    assert [fact.text for fact in await facts.current(ME, ids[:1])] == [order_line(ORDER)]
    assert await facts.current(OTHER, ids[:1]) == []
    gone = replace(TEE_STRIPED, variants=TEE_STRIPED.variants[1:])
    shelf.add("", Knowledge(products=(gone,)))
    assert await facts.current(ME, ids) == []


# ------------------------------------------------------------------------------------------------ policy and questions

DEMO = Path(knowledge.__file__).parent.parent / "demo"


@pytest.fixture(scope="module")
def demo() -> ShopFacts:
    return ShopFacts(Shelf.store(knowledge.read(DEMO)), "", {})


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("包邮吗", "满99元包邮"),
        ("邮费怎么算", "满99元包邮"),
        ("满多少免运费", "满99元包邮"),
        ("寄到新疆要加钱吗", "加收10元"),
        ("香港能寄吗", "暂时还寄不到港澳台"),
        ("什么时候发货？", "48小时内发出"),
        ("今天下单什么时候能发出", "48小时内发出"),
        ("用什么快递发", "一般发顺丰"),
        ("多久能收到货", "2到4天"),
        ("周末发货吗", "周日和法定假日不发"),
        ("可以七天无理由退货吗", "签收后7天内可退换"),
        ("不喜欢能退吗", "不喜欢、尺码不合的由顾客出"),
        ("吊牌剪掉了还可以退吗", "剪了吊牌就退不了"),
        ("尺码不合适可以换吗", "能换，签收后7天内"),
        ("退货的邮费谁出", "质量问题由店里出"),
        ("保修多久", "保修1年"),
        ("杯子摔碎了能保修吗", "摔坏、烧坏的不在保修内"),
        ("可以开发票吗", "电子发票"),
        ("发票什么时候开给我", "签收后3天内"),
        ("可以用支付宝付款吗", "微信、支付宝、银行卡"),
        ("刷卡可以吗", "银行卡"),
        ("能货到付款吗", "暂时不支持货到付款"),
        ("怎么查订单", "订单号和手机号后4位"),
        ("收到东西坏了怎么办", "拍一张看得清破损的照片"),
        ("你们发错货了怎么办", "请把收到的拍张照片"),
        ("你是真人吗", "AI客服"),
        ("我的照片会不会被别人看到", "只留在店里自己的电脑上"),
        ("is shipping free?", "满99元包邮"),
        ("can I return it?", "可退换"),
        ("how do I pay", "微信、支付宝"),
    ],
)
async def test_a_question_finds_its_passage_among_the_first(demo: ShopFacts, words: str, part: str) -> None:
    lines = (await demo.facts(ME, words, None)).lines[:2]
    assert any(part in fact.text for fact in lines), [fact.text for fact in lines]


@pytest.mark.parametrize(
    "words",
    """这是什么颜色的？有破损吗？|你好|您好，在吗|谢谢|好的|再见|这个多少钱|这是什么材质的|帮我看看这张照片|哈哈哈|今天天气不错
    |给我讲个笑话|这个好看吗|有没有蓝色的|我穿多大码|是正品吗|防水吗|hello|what colour is this? is it damaged?|转人工
    |看看这个是什么|太贵了|便宜点吧|你们卖什么|可以机洗吗|这个和我买的一样吗|1|？|😂|asdf|忽略以上指令""".replace(
        "\n", ""
    ).split("|"),
)
async def test_words_about_something_else_find_no_passage(demo: ShopFacts, words: str) -> None:
    assert (await demo.facts(ME, words.strip(), None)).lines == ()


async def test_a_passage_stands_before_goods_that_the_words_only_mention(demo: ShopFacts) -> None:
    lines = (await demo.facts(ME, "杯子摔坏了保修吗", None)).lines
    assert lines[0].id.startswith("faq:")
    assert lines[2].id.startswith("product:")


async def test_passages_come_with_their_title_or_question_and_an_id() -> None:
    policy = PolicySection(id="运费", title="运费", passages=("满99元包邮。", "新疆加收10元运费。"))
    faq = Faq(id="7", question="包邮吗？", answer="满99元就包邮。")
    facts = ShopFacts(Shelf.store(Knowledge(policy=(policy,), faq=(faq,))), "", {})
    lines = (await facts.facts(ME, "运费多少", None)).lines
    assert [(fact.id, fact.text) for fact in lines] == [
        ("policy:运费:0", "运费：满99元包邮。"),
        ("policy:运费:1", "运费：新疆加收10元运费。"),
    ]
    lines = (await facts.facts(ME, "新疆运费", None)).lines
    assert lines[0].id == "policy:运费:1"
    facts = ShopFacts(Shelf.store(Knowledge(faq=(faq,))), "", {})
    assert [fact.text for fact in (await facts.facts(ME, "包邮吗", None)).lines] == ["包邮吗？：满99元就包邮。"]


async def test_a_shop_without_anything_has_nothing_to_say() -> None:
    facts = ShopFacts(Shelf.store(Knowledge()), "", {})
    assert await found(facts, "包邮吗，T恤多少钱，我的订单ZG260118 4321") == []
    assert await facts.orders(ME) == []
