"""The guard: what an amount is for, the days of a parcel, what is done or about to be done, and by whom."""

from __future__ import annotations

import pytest

from bot import numerals
from bot.guard import Guard, Reason

SHOP = [
    "运费：满99元包邮，不满收8元运费",
    "红色连衣裙 129元 库存47件 尺码S/M",
    "蓝色条纹杯子 35元 库存12件",
    "发货：48小时内发货，一般用顺丰。",
    "质保：杯子和雨伞保修1年。",
    "hello@xiaoman.example",
]
SENT = "订单ZG260118 红色条纹T恤×1 已发货"

# ------------------------------------------------------------------------------------------------ what amounts are for

OTHER_USE = """
减99元。
立减99元。
优惠35元。
便宜129元给您。
送您99元券。
99元优惠券。
赔您129元。
补偿您35元。
退您99元。
129元退款。
押金99元。
35元定金。
满35包邮。
满129包邮。
129元以上包邮。
满8元包邮。
运费129元。
运费99元。
邮费35。
35元运费。
这件8元。
这款只要99元。
它8块。
价格是8元。
99 yuan off.
You save 35 yuan.
We gave a refund of 129 yuan.
129 yuan back.
Shipping is 35 yuan.
35 yuan shipping.
Free shipping over 35 yuan.
A deposit of 99 yuan.
""".strip().splitlines()


@pytest.mark.parametrize("sentence", OTHER_USE)
def test_an_amount_of_the_shop_is_stopped_where_it_is_for_something_else(sentence: str) -> None:
    assert Guard(SHOP, []).check(sentence) is Reason.PRICE


@pytest.mark.parametrize(
    "sentence",
    [
        "满99元包邮。",
        "满九十九元包邮，不满99元收8元运费。",
        "您买的已满99元，包邮。",
        "99元以上包邮。",
        "运费8元。",
        "邮费只要8块钱。",
        "不满99元补8元运费。",
        "满99元就能省8元运费。",
        "红色连衣裙129元，不满99元收8元。",
        "这件129元。",
        "它35元。",
        "价格是129元。",
        "Free from 99 yuan, otherwise shipping is 8 yuan.",
        "There is 8 yuan shipping below 99 yuan.",
        "It is 129 yuan.",
    ],
)
def test_an_amount_may_be_said_for_what_it_is_for(sentence: str) -> None:
    assert Guard(SHOP, []).check(sentence) is None


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        # Nothing stands right beside the amount: the line's own words tell.
        ("运费：江浙沪5元，其他8元", "运费5元。"),
        ("订单金额超过99元时免运费", "满99元免运费。"),
        ("订单ZG1 红色连衣裙×1 已退款 129元", "您的退款129元已到账。"),
        ("活动：优惠券，一张20元", "送您20元券。"),
        ("Shipping: 8 yuan", "运费8元。"),
        ("押金：每件20元", "押金20元。"),
        ("活动：满200元减30元", "满200减30。"),
        ("红色连衣裙 优惠价129元", "这件129元。"),
        ("全场包邮", "这件全场包邮。"),
    ],
)
def test_a_line_tells_what_its_amount_is_for(line: str, sentence: str) -> None:
    assert Guard([line], []).check(sentence) is None


def test_the_price_of_a_thing_in_an_offer_is_no_part_of_the_offer() -> None:
    guard = Guard(["新店开张：红色连衣裙129元，满200元减30元"], [])
    assert guard.check("满200减30。") is None
    assert guard.check("减129元。") is Reason.PRICE
    assert guard.check("满129元减30元。") is Reason.PRICE
    assert guard.check("减200元。") is Reason.PRICE
    assert guard.check("退您30元。") is Reason.PRICE


# ------------------------------------------------------------------------------------------------ days

TODAY = "发货：下午4点前付款的当天发出，周日和法定假日顺延。"


@pytest.mark.parametrize(
    "sentence",
    [
        "当天就到。",
        "当日送达。",
        "当日达。",
        "当天送到。",
        "当天可以收到。",
        "当天寄到。",
        "当天下单当天到。",
        "中午发货。",
        "晚上就能到。",
        "下午就发出。",
        "这几天就到。",
        "过几天就发货。",
        "It arrives the same day.",
        "Same-day delivery.",
    ],
)
def test_a_day_that_the_shop_does_not_name_is_stopped(sentence: str) -> None:
    # That parcels are sent on the day is no proof that they arrive on it.
    assert Guard([*SHOP, TODAY], []).check(sentence) is Reason.DATE


@pytest.mark.parametrize(
    "sentence", ["当天发出。", "当天就能发货。", "4点前付款的，当天就发。", "It is sent the same day."]
)
def test_what_is_sent_on_the_day_may_be_said_where_the_shop_says_so(sentence: str) -> None:
    assert Guard([TODAY], []).check(sentence) is None
    assert Guard(SHOP, []).check(sentence.replace("4点前", "")) is Reason.DATE


@pytest.mark.parametrize(
    "sentence", ["缺货了，过几天再看看。", "早上好。", "晚上好，有什么可以帮您？", "您下单的当天我们就看到了。"]
)
def test_a_day_without_a_parcel_is_no_promise(sentence: str) -> None:
    assert Guard(SHOP, []).check(sentence) is None


# ------------------------------------------------------------------------------------------------ deeds and promises

UNDONE = """
您的退款申请通过了。
您的退货申请通过了。
退款申请提交了。
您的退款申请处理好了。
王先生您的退款通过了。
会员退款成功了。
不好意思您的退款通过了。
特别为难，您的订单取消了。
您的包裹已由顺丰送达。
您的T恤已经到了。
您的快递到了。
您的包裹已到达北京。
包裹已到您家门口。
订单被退回了。
快递正在派送中。
包裹派送中。
快递在派件。
Your parcel has arrived.
Your order ZG260118 was returned.
Refund issued.
Your refund request approved.
Order cancelled.
Order ZG260118 successfully cancelled.
The refund is complete.
""".strip().splitlines()


@pytest.mark.parametrize("sentence", UNDONE)
def test_a_deed_is_stopped_however_it_is_said(sentence: str) -> None:
    assert Guard([*SHOP, SENT], []).check(sentence) is Reason.DEED


@pytest.mark.parametrize(
    "sentence",
    [
        "请问退款成功了吗？",
        "请先申请退款。",
        "申请通过了以后会通知您。",
        "请您先确认付款成功了。",
        "您要先等退款通过了。",
        "已经看到了您的照片。",
        "已经查到了。",
        "您的照片收到了。",
        "您的照片我们看到了。",
        "已经到期了。",
        "您的包裹到了吗？",
        "等您的包裹到了再说。",
        "港澳台不派送。",
        "退回的商品要没有用过。",
        "If you want the order cancelled.",
        "There is no refund issued.",
        "Orders are complete with tags.",
        "您的订单已发货。",
        "Order ZG260118 shipped.",
    ],
)
def test_what_is_no_report_may_be_said(sentence: str) -> None:
    assert Guard([*SHOP, SENT], []).check(sentence) is None


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("已签收", "您的包裹已由顺丰送达。"),
        ("已签收", "您的T恤已经到了。"),
        ("已退款", "订单被退回了。"),
        ("派送中", "快递正在派送中。"),
        ("已取消", "Order cancelled."),
        ("已退款", "The refund is complete."),
        ("已退款", "您的退款申请通过了。"),
    ],
)
def test_a_deed_that_the_order_has_may_be_said(status: str, sentence: str) -> None:
    assert Guard([*SHOP, SENT.replace("已发货", status)], []).check(sentence) is None


@pytest.mark.parametrize(
    "sentence",
    [
        "我会给您补发。",
        "我们会给您补发。",
        "我们给您换一件新的。",
        "尽快给您退款。",
        "稍后为您取消。",
        "客服会给您退款。",
        "客服给您退款。",
        "We'll send you a new one.",
        "I will send you a replacement.",
        "We are sending you another one.",
        "骨折价给您。",
    ],
)
def test_what_only_the_shop_can_do_is_not_promised(sentence: str) -> None:
    assert Guard([*SHOP, SENT], []).check(sentence) is Reason.PRICE


@pytest.mark.parametrize(
    "sentence", ["没法给您退款。", "客服不会给您退款。", "请您把照片发给我们。", "I will send you to a person."]
)
def test_what_is_not_promised_may_be_said(sentence: str) -> None:
    assert Guard([*SHOP, SENT], []).check(sentence) is None


# ------------------------------------------------------------------------------------------------ carriers, spellings


@pytest.mark.parametrize(
    "sentence", ["48小时内发货，一般用圆通。", "由圆通承运。", "Orders are shipped by EMS.", "走邮政。"]
)
def test_a_carrier_that_the_shop_does_not_use_is_stopped(sentence: str) -> None:
    assert Guard(SHOP, ["能发圆通吗"]).check(sentence) is Reason.NUMBER


@pytest.mark.parametrize(
    "sentence",
    ["一般发顺丰。", "Orders are shipped by SF.", "一般发顺丰，不能指定圆通。", "我们不发EMS。", "请写上邮政编码。"],
)
def test_the_shops_own_carrier_and_a_denial_may_be_said(sentence: str) -> None:
    assert Guard(SHOP, ["能发圆通吗"]).check(sentence) is None


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("请看xiaoman[dot]com", Reason.LINK),
        ("俩礼拜就到。", Reason.NUMBER),
        ("杯子质保一年半。", Reason.NUMBER),
        ("price: 12O元。", Reason.PRICE),
        ("这件12o元。", Reason.PRICE),
    ],
)
def test_a_figure_or_a_link_in_an_odd_spelling_is_stopped(sentence: str, reason: Reason) -> None:
    # The 12 pieces of a stock, and the year of a warranty, prove none of them.
    assert Guard(SHOP, []).check(sentence) is reason


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("一年半", "1.5年"),
        ("两个半月", "2.5月"),
        ("俩礼拜", "2礼拜"),
        ("你们俩", "你们俩"),
        ("12O元", "120元"),
        ("AB12O34", "ab12o34"),
    ],
)
def test_halves_pairs_and_letters_among_figures_are_read(text: str, plain: str) -> None:
    assert numerals.plain(text).replace("两", "俩") == plain


# ------------------------------------------------------------------------------------------------ edges


def test_what_is_said_of_a_number_in_the_clause_before_counts_for_it() -> None:
    guard = Guard([SENT, "订单ZG260121 蓝色条纹杯子×2 已签收"], [])
    assert guard.check("您的订单ZG260118，已签收。") is Reason.DEED
    assert guard.check("您的订单ZG260121，已签收。") is None


def test_a_price_that_he_named_is_none_beside_a_size_either() -> None:
    assert Guard(SHOP, ["50行吗"]).check("好的，50卖您，穿M码正合适。") is Reason.PRICE


@pytest.mark.parametrize("sentence", ["使用优惠码SAVE129即可。", "您的订单ZG129。"])
def test_three_figures_in_a_code_make_it_one(sentence: str) -> None:
    assert Guard(SHOP, []).check(sentence) is Reason.NUMBER


def test_a_phone_number_of_two_known_figures_is_not_known() -> None:
    assert Guard([*SHOP, "灰色袜子 12元 库存4712件"], []).check("电话 129-4712。") is Reason.NUMBER


def test_a_line_on_no_thing_holds_for_all_though_a_thing_has_the_same_figure() -> None:
    guard = Guard(["运费：不满99元收8元运费", "红色连衣裙 129元 库存47件", "灰色袜子 12元 库存8件"], [])
    assert guard.check("红色连衣裙129元，不满99元收8元。") is None


@pytest.mark.parametrize("sentence", ["红色连衣裙129元，满200元减30元。", "红色连衣裙129元，满200元减30元"])
def test_the_shops_own_sentence_may_be_said_word_for_word(sentence: str) -> None:
    line = "活动：红色连衣裙129元，满200元减30元。周末不参加。"
    assert Guard([line], []).check(sentence) is None
    assert Guard([line], []).check("红色连衣裙129元，满200元减129元。") is Reason.PRICE
    assert Guard(["红色连衣裙 129元"], [line]).check(sentence) is Reason.PRICE
