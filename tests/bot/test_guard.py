"""The guard, as a table: what a customer may read and what he may not, and why."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bot import config, knowledge, prompt
from bot.guard import Guard, Reason
from bot.sentences import split
from inference.demo import conversations, shelf
from inference.demo.items import Item, any_item

FACTS = (
    "你是小满杂货的客服，说话简短、亲切、准确。",
    "运费：满99元包邮，不满收8元运费。",
    "发货：48小时内发货，一般用顺丰。",
    "退换：签收后7天内可退换，定制的除外。",
    "质保：杯子和雨伞保修1年。",
    "发货：下午4点前付款的当天发出，周日和法定假日顺延。",
    "发货：发货后一般2到4天送到。",
    "hello@xiaoman.example",
    "https://help.xiaoman.example/returns",
    "顾客：web zh",
    "订单ZG260118 红色条纹T恤×1 已发货 顺丰SF1234567890",
    "红色条纹T恤 89元 库存12件 尺码S/M/L 棉",
    "蓝色波点雨伞 39.9元 库存5件 涤纶",
    "黑色格子鞋子 1299元 缺货 尺码36/37/38 帆布",
    "新店开张：11月20日当天八五折，满200元减30元。",
)
WORDS = ("我身高165体重60，尾号4321，电话 138 0013 8000", "50元卖不卖？明天能到吗", "我的单号是 zg 260155")

PASS = """
这款红色条纹T恤89元，有现货，还有12件。
价格是89.00元。
￥89，包邮要满99元。
¥ 89起
89块钱一件
８９元
八十九元
捌拾玖元
八十九块
一件八十九元，很划算。
这把伞39.9元。
这把伞39块9。
这把伞三十九块九。
这把伞39元9角。
这双鞋1,299元。
这双鞋1299.00元，暂时缺货。
这双鞋一千二百九十九元。
It is 89 yuan.
It costs 89 RMB, and there are 12 left.
That one is eighty-nine yuan.
That is RMB 89 a piece.
满99元包邮，不满收8元运费。
满九十九元包邮。
满99包邮
满200元减30元
满200减30。
开张那天打八五折。
开张那天打8.5折。
那天是85折。
48小时内发货，一般用顺丰。
四十八小时内发货
签收后7天内可退换。
签收后七天内可退换。
一般2到4天送到。
一般2-4天送到。
一般两到四天送到。
It takes 2 to 4 days.
You can return it within seven days.
杯子保修1年。
杯子保修一年。
The mug has one year of warranty.
下午4点前付款当天发出。
下午四点前付款当天发出。
周日不发货。
星期天不发货。
We do not ship on Sundays.
11月20日打折。
11月20号打折。
十一月二十日打折。
11-20那天打折。
11/20打折。
On November 20 there is a discount.
It was 20th of November.
活动在11月。
活动在20号。
明天能到吗我不敢保证。
订单ZG260118已经发货。
订单号 zg260118 查到了。
顺丰单号SF1234567890。
顺丰单号 SF 1234567890。
尾号4321，对吗？
订单ZG260155没有找到。
您的电话13800138000，对吗？
您的电话138-0013-8000，对吗？
身高165、体重60的话，建议穿M。
身高165cm可以穿M码。
尺码有S、M、L。
尺码有S/M/L/XL。
有36码、37码和38码。
尺码36/37/38都没有了。
36到38码。
三十六码没有货。
您可以写信到hello@xiaoman.example。
Please write to hello@xiaoman.example.
请看https://help.xiaoman.example/returns。
请看help.xiaoman.example/returns
请看help.xiaoman.example。
这是一件红色条纹T恤。
稍等一下，我看一看。
这是两只蓝色的袜子。
照片里有3只袜子。
图里一共有三只袜子。
一共2只。
2只。
There are 3 blue striped socks in the photo.
There are 3 striped socks.
There are two of them.
左边有1处破洞。
照片里的杯子左边有一道裂痕。
第1张是红色，第2张是蓝色。
1. 红色
2、蓝色
3）绿色
① 红色
1️⃣ 红色
请告诉我订单号和手机号后4位，我来核对。
请告诉我订单号和手机号后 四 位，我来核对。
Please tell me the order number and the last 4 digits of your phone.
这款T恤和裤子、裙子都好搭，一年四季都能穿。
千万不要用开水烫。
万一坏了，7天内可以退换。
花纹是三角形的。
这款有两种颜色。
还有两个颜色可以选。
还有一个问题吗？
大概七八成新。
我是AI客服，会看照片。
这款T-shirt是棉的。
一块儿下单更方便。
您好，有什么可以帮您？
从照片上看像是蓝色，不太确定。
今天天气不错。
周末也能穿。
It is up-to-date.
One of them is red.
Yes, it may be cotton.
十分抱歉。
这个多少钱要看是哪一款。
No. It is plain.
e.g. the red one, i.e. not the blue one
百搭，一百分的好看没法保证。
""".strip().splitlines()[:-1]

STOP = {
    Reason.PRICE: """
这款90元。
这款98元，有现货。
￥90
¥90
＄90
九十元
玖拾元
九十块
九十块九
八十九块九
89.90元
89块9
89元9角
89.9元
1,298元
１２９８元
一千二百九十八元
90 yuan
ninety yuan
eighty-eight yuan
RMB 90
CNY90
$89.5
90 bucks
９８元
9 0元
9 8 元
９ ８ 元
9\u200b8元
8️⃣8️⃣元
⑨⑧元
٩٨元
𝟗𝟖元
98r
98RMB
98块包邮
3百元
1.2万元
2k元
打八折
打8折
打八八折
打5折
20% off
优惠20%
百分之二十的优惠
a discount of 20 percent
twenty percent off
半价给您。
便宜2成
满99减20
满100减30
立减20
减二十
便宜15给您
赔您50元
退您50元
50元可以卖。
50就卖给您。
价格50，卖了。
售价：50
卖五十
The price is 50.
OK, 50 yuan then.
It costs 50.
I can sell it for 50.
补您六十块
几十元
只要九十九块九
三角钱
两块钱
两元
加收10元运费。
收十元运费
八元九角
① 90元
⑨元
1. 90元
9. 元
""",
    Reason.DATE: """
11月21日发货。
十一月二十一日发货。
11月21号到。
21号到。
2026年11月20日发货。
2026-11-21发货
11-21发货
12月打折
十二月打折
12/24 delivery
It ships on November 21.
It ships on 21 November.
It arrives Nov 21st.
后天到。
大后天到。
今天就发货。
今天下午给您寄出。
昨天已经发了。
下周到。
下周一到。
下个月有货。
月底有货
周三发货。
星期五送到。
礼拜六送到
周末送到。
It arrives today.
It will arrive next week.
It arrives on Friday.
It will ship on the weekend.
It was sent yesterday.
""",
    Reason.NUMBER: """
还有13件。
还有6条。
还剩三件。
还有十三件。
库存二十
照片里的这款还有7件。
3天内发货。
三天内发货。
三四天到。
照片看过了，3天内处理。
3-5天送到。
三到五天送到。
in 3 days
within three days
72小时内发货。
七十二小时内发货
15天内可退换。
十五天内可退换
保修2年。
保修两年。
保修半年。
two years of warranty
下午5点前付款当天发出。
下午五点前付款
before 5 p.m.
39码有货。
三十九码有货
订单ZG260119已经发货。
订单zg260119
订单ZG2601181
顺丰SF1234567891
单号SF12345678
YT9988776655443
请打13900139000。
请打 139 0013 9000。
请打139-0013-9000。
请打1 3 9 0 0 1 3 9 0 0 0。
电话4008208820
+86 139 0013 9000
尾号1234
编号TS-PL-WH
编号 TS-ST-RD-2
型号AB-12345
加QQ 123456
一百零五
有一百多人买过。
照片里有11只袜子。
买3件送1件
buy 3 get 1 free
三件装还有货
100%棉
10. 红色
第10张
""",
    Reason.LINK: """
请看www.xiaoman-shop.com
请看 https://xiaoman.com/pay
请看http://evil.example
请上xiaoman.cn下单。
xiaoman.example
请上shop.xiaoman.example下单
请看https://help.xiaoman.example/pay
请看 xiаoman.example/returns
写信到hallo@xiaoman.example
写信到hello@xiaoman.example.cn
write to xhello@xiaoman.example
扫码t.me/xiaoman
bit.ly/3abc
see weidian.top/a?b=1
ＷＷＷ．xiaoman．com
www.xiao\u200bman.com
xiaoman . com
xiaoman dot com
xiaoman点com
加微信xiaoman888
加微信：xiaoman_shop
telegram @xiaoman_shop
访问 8.8.8.8
xiaoman.unknown/pay
""",
}


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard(FACTS, WORDS)


@pytest.mark.parametrize("sentence", PASS)
def test_what_the_shop_or_the_customer_said_may_be_said(guard: Guard, sentence: str) -> None:
    assert guard.check(sentence) is None


@pytest.mark.parametrize(
    ("reason", "sentence"), [(reason, line) for reason, lines in STOP.items() for line in lines.strip().splitlines()]
)
def test_what_nobody_said_is_stopped(guard: Guard, reason: Reason, sentence: str) -> None:
    stopped = guard.check(sentence)
    assert stopped is not None
    # A price without a unit is just a figure, and a percentage may be either: the reason only picks the note.
    if reason is not Reason.NUMBER:
        assert stopped is reason


# ------------------------------------------------------------------------------------------------ what is taught

ROOT = Path(config.__file__).parent.parent


@pytest.fixture(scope="module")
def taught_facts() -> tuple[list[str], list[tuple[str, str]]]:
    """What every customer of the demonstration shop shares, and its policy heads."""
    policy = knowledge.read(ROOT / "demo").policy
    system = prompt.system(
        config.template(ROOT / "bot" / "prompts" / "brief.zh.md"),
        shop="小满杂货",
        contact="hello@xiaoman.example",
        persona=config.template(ROOT / "demo" / "persona.zh.md"),
        policy=policy,
    )
    return [*map(str, system.body), "hello@xiaoman.example"], [(s.title, s.passages[0]) for s in policy]


@pytest.mark.parametrize("seed", range(40))
def test_everything_that_the_shipped_model_is_taught_to_say_may_be_said(
    taught_facts: tuple[list[str], list[tuple[str, str]]], seed: int
) -> None:
    shared, sections = taught_facts
    rng = random.Random(seed)
    drawn = 0

    def pick() -> tuple[int, Item | None]:
        nonlocal drawn
        drawn += 1
        return drawn, None if rng.random() < 0.15 else any_item(rng)

    talk = conversations.conversation(rng, pick, sections)
    facts, words = [*shared, talk.head, talk.folded], []
    for exchange in talk.exchanges:
        facts += [fact.text for fact in exchange.facts]
        words += [part for part in exchange.body if isinstance(part, str)]
        assert exchange.answer is not None
        guard = Guard(facts, words)
        assert [s for s in split(exchange.answer.reply) if guard.check(s)] == []


@pytest.mark.parametrize("seed", range(40))
def test_a_price_or_stock_that_was_miscopied_is_stopped(seed: int) -> None:
    """A tiny model's commonest slip: one digit of a figure of the line comes out wrong."""
    rng = random.Random(seed)
    line = shelf.line(rng, "红色", "条纹", "T恤")
    guard = Guard([line.text], ["红色条纹T恤多少钱，有货吗"])
    right = line.answer("price_stock")
    assert guard.check(right) is None
    known = {line.price, str(line.stock), *line.sizes.split("/")}
    for figure, unit in ((line.price, "元"), (str(line.stock), "件")):
        at = rng.randrange(len(figure))
        wrong = figure[:at] + rng.choice([d for d in "123456789" if d != figure[at]]) + figure[at + 1 :]
        if figure[at] == "." or figure == "0" or wrong in known:
            continue
        assert guard.check(right.replace(figure + unit, wrong + unit)) is not None


BACKPACK, CAP, POST = "绿色背包 149元 库存15件 帆布", "红色帽子 39元 缺货 尺码S/M 棉", "运费：满99元包邮，不满收8元。"


@pytest.mark.parametrize(
    "sentence",
    [
        "The red dotted dress is 149 yuan, in stock, 15 left.",
        "The green dress is 149 yuan.",
        "红色背包149元。",
        "绿色波点连衣裙149元。",
        "绿色背包39元。",
        "没有红色背包，有红色帽子，149元。",
        "红色帽子有现货，还有15件。",
    ],
)
def test_the_price_or_stock_of_another_thing_is_stopped(sentence: str) -> None:
    assert Guard([BACKPACK, CAP, POST], []).check(sentence) is Reason.PRICE


@pytest.mark.parametrize(
    "sentence",
    [
        "The green backpack is 149 yuan, in stock, 15 left.",
        "绿色背包149元，有现货，还有15件。",
        "这款149元。",
        "没有蓝色背包，有绿色背包，149元。",
        "有绿色背包149元，红色帽子39元。",
        "书包149元。",
        "红色鸭舌帽39元，连衣裙满99元包邮。",
        "We have no red backpack, but the green backpack is 149 yuan.",
    ],
)
def test_the_price_of_the_thing_itself_may_be_said_by_any_of_its_names(sentence: str) -> None:
    assert Guard([BACKPACK, CAP, POST], []).check(sentence) is None


def test_a_shop_whose_things_have_names_of_their_own_is_not_stopped() -> None:
    guard = Guard(["藏青跑步机 1299元 库存3件", "红色跑鞋 199元 库存2件"], [])
    assert guard.check("藏青色跑步机1299元。") is None
    assert guard.check("红色鞋子199元，还有2件。") is None


SHOP = [
    "红色条纹T恤 89元 库存12件 尺码S/M 棉",
    "绿色袜子 39.9元 库存5件 尺码S/M 棉",
    "运费：满99元包邮，不满收8元运费。",
    "退换：签收后7天内可退换，定制的除外。",
    "质保：杯子和雨伞保修1年。",
    "发货：48小时内发货，发货后一般2到4天送到。",
    "订单ZG260118 红色条纹T恤×1 已发货 顺丰SF1234567890",
]

INVENTED = """
买一送一
全场对折。
It is half price today.
这款半折。
给您减半。
便宜一半。
buy one get one free
这单给您免单。
免费送您一件。
165拿走。
165就行。
算您165。
165收您。
It's 165.
运费5元。
运费12。
红色条纹T恤8元。
红色条纹T恤99元。
签收后4天内可退换。
雨伞保修7天。
已经给您退款了。
已为您取消订单。
我已经给您下单了。
我已经帮您改好地址了。
您的退款已经到账。
I have refunded you.
Your order has been cancelled.
订单ZG260118已签收。
明儿就到。
后儿到。
元旦前到。
年底前到。
下礼拜到。
It arrives by Christmas.
终身保修。
永久保修。
请看 evil.ink
请看 evil.cloud 哦
小满.公司
加v xiaoman
wx xiaoman
支付宝账号 xiaoman
x i a o m a n . c o m
xiaoman[.]com
xiaoman(dot)com
xiaoman。com
"""
HONEST = """
满99元包邮。
不满99元收8元运费。
红色条纹T恤89元，满99元包邮。
签收后一周内都可以退换。
签收后7天内可退换。
雨伞保修1年。 /
48小时内发货。
发货后一般2到4天送到。
订单ZG260118已发货。
您的订单已发货，顺丰SF1234567890。
绿色袜子39.9元，还有5件。
明天见～ /
晚安，明天见。
我们7×24小时在线。
图里有4颗纽扣。
是三折伞。
请稍等一两分钟。
已收到您的照片。
已经看过了，没有破损。
微信支付可以的。
You can pay by WeChat or Alipay.
I have seen your photo.
It's 5 socks in the photo.
退款要店里的人来办。
"""


@pytest.mark.parametrize("sentence", INVENTED.strip().split("\n"))
def test_a_promise_a_deed_or_an_address_that_the_shop_never_gave_is_stopped(sentence: str) -> None:
    assert Guard(SHOP, ["我身高165，多少钱？"]).check(sentence) is not None


@pytest.mark.parametrize("sentence", HONEST.strip().split("\n"))
def test_what_the_shop_itself_says_in_other_words_may_be_said(sentence: str) -> None:
    assert Guard(SHOP, []).check(sentence) is None


def test_the_end_of_a_number_is_not_the_number() -> None:
    guard = Guard(["订单ZG260118 顺丰SF1234567890"], [])
    assert guard.check("单号SF1234567890。") is None
    assert guard.check("单号F1234567890。") is Reason.NUMBER
    assert guard.check("订单G260118。") is Reason.NUMBER


ORDERS = ["订单ZG260118 红色条纹T恤×1 已发货", "订单ZG260119 白色杯子×2、蓝色雨伞×1 已签收"]


@pytest.mark.parametrize(
    "sentence",
    [
        "照片里是白色条纹T恤，和您订的一致。",
        "照片里是红色T恤，和您订的一致，不过上方有破洞。",
        "照片里是白色杯子，和您订的都不一样。",
        "照片里是红色条纹T恤，和您订的红色条纹T恤不一样。",
        "The photo shows a white mug, not what you ordered.",
        "The photo shows a red T-shirt, as you ordered.",
    ],
)
def test_a_verdict_that_the_order_contradicts_is_stopped(sentence: str) -> None:
    assert Guard(ORDERS, []).check(sentence) is Reason.ORDER


@pytest.mark.parametrize(
    "sentence",
    [
        "照片里是红色条纹T恤，和您订的一致。",
        "照片里是蓝色雨伞，和您订的一致，不过上方有破洞。",
        "照片里是绿色杯子，和您订的都不一样。",
        "照片里是红色波点T恤，和您订的红色条纹T恤不一样。",
        "The photo shows a white mug, as you ordered.",
        "The photo shows a blue cap, not what you ordered.",
        "这款和您订的一致。",
    ],
)
def test_a_verdict_that_the_order_bears_out_may_be_said(sentence: str) -> None:
    assert Guard(ORDERS, []).check(sentence) is None


# ------------------------------------------------------------------------------------------------ what he says himself


@pytest.mark.parametrize(
    ("his", "sentence"),
    [
        ("50块行吗？", "好的，50没问题。"),
        ("50块行吗？", "可以，就按50来。"),
        ("50块行吗？", "50件没问题。"),
        ("便宜点，50卖吗？", "50给您吧。"),
        ("便宜点，50卖吗？", "五十给您。"),
        ("别家只要50", "50可以的。"),
        ("50", "五十，拿去。"),
        ("12000卖吗", "12000没问题。"),
        ("我要98件", "合计98。"),
        ("Can I have it for 50?", "Sure, 50 works."),
        ("cheaper please, 50?", "OK, 50 is fine."),
        ("Could you do 50 dollars?", "Deal, 50 it is."),
    ],
)
def test_a_price_that_only_the_customer_named_is_no_price(his: str, sentence: str) -> None:
    assert Guard(SHOP, [his]).check(sentence) is not None


@pytest.mark.parametrize(
    ("his", "sentence"),
    [
        ("要3件，50卖吗", "3件有货。"),
        ("38的鞋子多少钱", "38码没有货。"),
        ("我165，60公斤，穿什么码", "165、60的话建议穿M。"),
        ("身高165，多少钱", "身高165可以穿M。"),
        ("查一下260155", "订单260155没有找到。"),
        ("260155", "260155没有找到。"),
        ("do you have 15 socks?", "15 socks, let me see."),
        ("89卖吗", "89可以的。"),
    ],
)
def test_a_size_a_number_of_pieces_and_an_order_that_he_named_may_be_said(his: str, sentence: str) -> None:
    assert Guard(SHOP, [his]).check(sentence) is None


@pytest.mark.parametrize(
    ("his", "sentence"), [("免单？", "给您免单。"), ("一辈子包换吗", "一辈子包换。"), ("买一送一吗", "买一送一。")]
)
def test_what_he_wishes_for_is_not_promised(his: str, sentence: str) -> None:
    assert Guard(SHOP, [his]).check(sentence) is Reason.PRICE


@pytest.mark.parametrize("his", ["你说已退款", "我的订单已退款了吗"])
def test_what_he_says_was_done_is_not_done(his: str) -> None:
    assert Guard(SHOP, [his]).check("已经给您退款了。") is Reason.DEED


# ------------------------------------------------------------------------------------------------ deeds and promises

UNDONE = """
退款成功，请查收。
退款已为您办理。
已经帮您处理退款了。
退款申请已提交。
您的退款已经成功。
您的订单取消成功。
您的订单取消了。
帮您把订单取消好了。
地址已更新。
地址改好了。
已经给您补发一件新的。
新的一件已经寄出了。
已安排重新发货。
已为您转人工。
已通知仓库加急发货。
Your order was cancelled.
Your order is cancelled.
Your order has been successfully cancelled.
Your refund has been processed.
Your refund was issued.
I've issued a refund.
We refunded it.
We have now changed your address.
We've sent you a replacement.
A replacement is on its way.
""".strip().splitlines()


@pytest.mark.parametrize("sentence", UNDONE)
def test_nothing_is_said_to_be_done_that_the_shop_did_not_do(sentence: str) -> None:
    assert Guard(SHOP, ["退款了吗？取消订单，改地址"]).check(sentence) is Reason.DEED


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("已退款", "退款成功，请查收。"),
        ("已退款", "Your refund has been processed."),
        ("已取消", "您的订单取消成功。"),
        ("已取消", "Your order was cancelled."),
        ("已补发", "新的一件已经寄出了。"),
        ("已补发", "已经给您补发一件新的。"),
        ("已发货", "Your order is on its way."),
        ("已发货", "您的订单已成功发货。"),
        ("已签收", "Your order was delivered."),
        ("已付款", "Order ZG260118 is paid and being prepared."),
        ("已完成", "订单ZG260118已完成。"),
    ],
)
def test_what_the_order_says_was_done_may_be_said_in_any_words(status: str, sentence: str) -> None:
    line = "订单ZG260118 红色条纹T恤×1 "
    assert Guard([line + status], []).check(sentence) is None
    assert Guard([line + "待付款"], []).check(sentence) is Reason.DEED


@pytest.mark.parametrize(
    "sentence",
    [
        "如果已经付款了，就会发出。",
        "付款成功后48小时内发货。",
        "已签收的商品7天内可以退换。",
        "已付款的订单48小时内发货。",
        "还没有退款。",
        "我不能给您退款。",
        "订单还没取消。",
        "您已经付款了吗？",
        "退款了？",
        "吊牌剪了就退不了了。",
        "寄错了真抱歉。",
        "已经看过您的照片了。",
        "我帮您查到了。",
        "Orders are shipped within 48 hours.",
        "Has it been refunded?",
        "Your order is not cancelled.",
        "I have checked the order.",
    ],
)
def test_a_rule_a_question_and_a_denial_report_no_deed(sentence: str) -> None:
    assert Guard([line for line in SHOP if "订单" not in line], []).check(sentence) is None


def test_all_that_is_said_of_an_order_must_stand_in_its_line() -> None:
    other = "订单ZG260121 蓝色杯子×1 已退款"
    assert Guard([*SHOP, other], []).check("订单ZG260118已发货已退款。") is Reason.DEED
    assert Guard([*SHOP, other], []).check("订单ZG260121已退款。") is None


@pytest.mark.parametrize(
    "sentence",
    [
        "假一赔十。",
        "假一罚三。",
        "三倍赔偿。",
        "双倍退您。",
        "全额退款给您。",
        "We will refund you in full.",
        "运费我们出。",
        "来回运费由店里承担。",
        "运费算我的。",
        "运费不用您付。",
        "邮费给您免了。",
        "不要运费。",
        "We pay the shipping.",
        "There is no shipping fee.",
        "I can waive it.",
        "送您一把伞。",
        "再送一双袜子。",
        "一辈子包换。",
        "保修一辈子。",
        "我马上给您退款。",
        "合计98。",
        "百来块钱。",
        "十几块。",
        "12欧。",
        "价格：九十",
    ],
)
def test_money_that_the_shop_never_promised_is_stopped(sentence: str) -> None:
    # That postage is free from 99 yuan on is no promise to pay his; and 98 is not in a customer's gift.
    shop = [line for line in SHOP if line.startswith(("红色", "订单", "退换"))] + ["运费：满99元就送到家"]
    assert Guard(shop, ["98可以吗"]).check(sentence) is Reason.PRICE


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("退换：质量问题的来回运费由店里出。", "质量问题的来回运费由店里出。"),
        ("退货运费谁出？：质量问题由店里出；尺码不合，由您出。", "质量问题的运费由店里出。"),
        ("保证：假一赔十。", "假一赔十。"),
        ("保证：质量问题全额退款。", "质量问题会全额退款给您。"),
        ("活动：买两件送您一把伞。", "买两件送您一把伞。"),
    ],
)
def test_what_the_policy_itself_promises_may_be_promised(line: str, sentence: str) -> None:
    assert Guard([line], []).check(sentence) is None


def test_that_postage_is_free_from_a_sum_on_is_no_promise_to_pay_it() -> None:
    assert Guard(SHOP, []).check("运费我们出。") is Reason.PRICE
    assert Guard(SHOP, []).check("满99元包邮。") is None


@pytest.mark.parametrize("sentence", ["这件包邮哦。", "本店包邮。", "免运费的。", "We have free shipping."])
def test_that_postage_is_free_from_a_sum_on_is_no_proof_that_it_is_free(sentence: str) -> None:
    assert Guard(SHOP, []).check(sentence) is Reason.PRICE
    assert Guard(["运费：全场包邮。"], []).check(sentence) is None


@pytest.mark.parametrize("sentence", ["您买的已满99元，包邮。", "包邮要满99元。", "Shipping is free over 99 yuan."])
def test_the_sum_may_stand_before_or_behind(sentence: str) -> None:
    assert Guard(SHOP, []).check(sentence) is None


@pytest.mark.parametrize(
    "sentence",
    ["只剩最后一件了。", "只剩一件。", "最后1件。", "last one left", "Only one left.", "还有1件。", "库存7件。"],
)
def test_a_stock_is_what_the_shop_has_and_no_other_figure_of_its_lines(sentence: str) -> None:
    one = "订单ZG260118 红色条纹T恤×1 已发货"
    assert Guard(["红色条纹T恤 89元 库存12件", one, "退换：签收后7天内可退换"], []).check(sentence) is Reason.NUMBER
    if "7" not in sentence:
        assert Guard(["红色条纹T恤 89元 库存1件", one], []).check(sentence) is None


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("初五发货。", Reason.DATE),
        ("We deliver on the 5th.", Reason.DATE),
        ("半天就到。", Reason.NUMBER),
        ("一周内到。", Reason.NUMBER),
        ("T恤保修1年。", Reason.NUMBER),
        ("杯子保修1年，T恤保修1年。", Reason.NUMBER),
        ("请看 weixin://dl/business", Reason.LINK),
        ("请看taobao://item", Reason.LINK),
        ("ftp://evil/x", Reason.LINK),
        ("请看evil.zip。", Reason.LINK),
        ("请看evil.shop。", Reason.LINK),
        ("请上淘宝搜小满旗舰店。", Reason.LINK),
    ],
)
def test_a_day_a_warranty_or_an_address_of_nobody_is_stopped(sentence: str, reason: Reason) -> None:
    assert Guard(SHOP, []).check(sentence) is reason


@pytest.mark.parametrize(
    "sentence",
    [
        "雨伞保修一年，T恤不在保修内。",
        "T恤签收后7天内可退换。",
        "看了半天，没有破损。",
        "初三的学生也能背。",
        "2到4天到。",
    ],
)
def test_a_day_and_a_warranty_of_the_shop_may_be_said_of_what_they_are_for(sentence: str) -> None:
    assert Guard(SHOP, []).check(sentence) is None


def test_a_rule_that_leaves_a_thing_out_holds_for_the_others() -> None:
    assert Guard(["退换：袜子除外，签收后7天内可退换。"], []).check("T恤签收后7天内可退换。") is None


@pytest.mark.parametrize(
    "sentence",
    [
        "照片里是红色条纹T恤，和您订的一致。",
        "照片里是红色条纹T恤，和您订的不一样。",
        "This red striped T-shirt is exactly what you ordered.",
        "没有发错。",
    ],
)
def test_nothing_is_said_of_an_order_that_nobody_knows(sentence: str) -> None:
    facts, said = ["红色条纹T恤 89元 库存12件"], ["订单ZG260118，尾号9999，对吗？"]
    assert Guard(facts, said).check(sentence) is Reason.ORDER
    unnamed = ["订单ZG260118 礼盒×1 已发货"]
    assert Guard([*facts, *unnamed], said).check(sentence) is None, "of an order whose names say nothing, it may be"


def test_what_the_shop_does_when_it_sent_the_wrong_thing_is_no_verdict() -> None:
    assert Guard(["退换：发错货由本店承担来回运费。"], []).check("发错货的话来回运费由本店承担。") is None


@pytest.mark.parametrize(
    "sentence",
    [
        "订单ZG260121已发货，顺丰SF1234567890。",
        "ZG260121的快递单号是SF1234567890。",
        "订单ZG260121里是红色条纹T恤。",
    ],
)
def test_nothing_is_known_of_a_number_that_only_the_customer_wrote(sentence: str) -> None:
    guard = Guard(["订单ZG260118 红色条纹T恤×1 已发货 顺丰SF1234567890"], ["ZG260118和ZG260121到哪了"])
    assert guard.check(sentence) is Reason.DEED
    assert guard.check(sentence.replace("ZG260121", "ZG260118")) is None
    assert guard.check("没有查到ZG260121，麻烦核对一下。") is None


@pytest.mark.parametrize(("figure", "reason"), [("2000", Reason.PRICE), ("9999", Reason.PRICE), ("12345", None)])
def test_a_customers_bare_figure_may_be_a_price_up_to_ten_thousand(figure: str, reason: Reason | None) -> None:
    assert Guard(["杯子 35元"], [f"{figure}行吗"]).check(f"{figure}可以。") is reason
