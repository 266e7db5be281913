"""The guard: no sentence reaches a customer with a figure, a date or a link that is not the shop's.

A model invents prices, order numbers and addresses in good Chinese and good English alike, and a customer holds the
shop to what «it» said. So every sentence is checked before it is shown, against what the shop's data said in this
conversation (*facts*) and what the customer said himself (*words*):

* a price, an amount or a discount must be in the facts – the customer's words are no proof of a price, and where a
  sentence speaks of money, no bare figure of his counts either («50就卖给您»);
* a price or a stock that is said of a thing must stand in a line on that thing: a backpack's price is none
  for a dress;
* «this is what you ordered» must agree with the order's line;
* a promise without a figure («对折», «免运费») and a deed («已经给您退款了») must stand in the facts;
* any other figure, date, order or tracking number, phone number or link must be in the facts or in his words;
* a count of what a photo shows (up to nine), the numbering of a list and «the last 4 digits» are free.

Figures count in whatever way they are written (:mod:`bot.numerals`). The check knows nothing of the shop but the words
that all shops use (:mod:`bot.vocabulary`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from bot.numerals import EN_MONEY, EN_TIME, MEASURE, MONEY, OTHER, TIME, folded, plain
from bot.promises import done, promised
from bot.sentences import clauses
from bot.vocabulary import named, topics


class Reason(StrEnum):
    """What was wrong with a sentence; also the word of it in logs and traces."""

    PRICE = "price"
    DATE = "date"
    NUMBER = "number"
    LINK = "link"
    #: Something is said to be done that is not.
    DEED = "deed"
    #: A photo is said to be what was ordered and is not, or the other way round.
    ORDER = "order"


# ------------------------------------------------------------------------------------------------ figures

#: Begun only where a run of digits begins, and of bounded length: hostile text must not cost its square.
_FIGURE = r"(?<!\d)\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,4})?|(?<!\d)\d{1,15}(?:\.\d{1,4})?"
_SCALED = rf"({_FIGURE})(?:\s*([百千万k])(?![a-z]))?"
_SCALES = {"百": 100, "千": 1000, "k": 1000, "万": 10_000}
_NUMBER = re.compile(_SCALED)
_CURRENCY = rf"{MONEY}|r(?![a-z])|美元|人民币|港币|{EN_MONEY}"
_PRICE = re.compile(
    r"(?:[¥$€£]|rmb|cny|usd|[满减省抵返赔补]|便宜|优惠|[运邮]费|售价|价格?|[一总]共|合计"
    r"|[算收卖]您|只[收要卖]|price is|\bcosts?)"
    r"\s?(?:是|为|要|只要)?\s?"
    rf"{_SCALED}(?!\s*(?:{TIME}|{MEASURE}|[\d%折]))"
    rf"|{_SCALED}\s?(?:{_CURRENCY}|拿走|带走|就行|成交|收您)"
    rf"|\bit's {_SCALED}(?=\s?(?:[.,;!]|$|and\b))"
)
#: How long or at what hour; a stock of 2 is no proof of «2年».
_SPANS = {
    "minutes": r"分钟|minutes?",
    "hours": r"个?小时|hours?|hrs?",
    "o'clock": r"点|o'clock|[ap]\.?m\b",
    "days": r"天|日|个?工作日|(?:working |business )?days?",
    "weeks": r"个?星期|个?礼拜|周|weeks?",
    "months": r"个?月|months?",
    "years": r"年|years?",
}
_SPAN = re.compile(
    rf"({_FIGURE})(?:\s?(?:[到至~-]|to|or|、)\s?({_FIGURE}))?[\s-]{{0,3}}(?:"
    + "|".join(f"({units})" for units in _SPANS.values())
    + ")"
)
_DISCOUNT = re.compile(rf"({_FIGURE})\s?(折(?!伞|叠)|成(?!\w)|%|percent|per cent)")
_OF_MONEY = re.compile(
    r"价|钱|元|块|优惠|折|卖|减|便宜|赔|退(?!换)|返|抵|运费|邮费|包邮|售|划算|[¥$€£]"
    r"|\b(?:price|costs?|discount|refund|off|yuan|rmb|pay|sell|deal|cheap)"
)
#: A figure without a unit of its own, and not said to be something else («尾号4321», «身高165»).
_BARE = re.compile(rf"(?<![\d.号码高重第])({_FIGURE})(?![\d.]*\s*(?:[a-z°]|{TIME}|{MEASURE}|{OTHER}))")

_SEEN = re.compile(r"照片|图|看到|看见|photo|picture|\bsee\b|image")
_STOCK = re.compile(r"还有|剩|库存|货|买|送|赠|减|折|满|限|\b(?:left|stock|buy|free|get|only|more)\b")
_NOT_COUNTED = rf"(?!\s*(?:{TIME}|{MONEY}|%)|[\s-]*(?:{EN_MONEY}|{EN_TIME}))"
_ONE_DIGIT = r"(?<![\d.,])[1-9](?![.,]?\d)"
_COUNT = re.compile(rf"{_ONE_DIGIT}(?:\s*(?:{MEASURE})|(?=\s[a-z]{{3}}){_NOT_COUNTED})")
_COUNT_SEEN = re.compile(rf"{_ONE_DIGIT}{_NOT_COUNTED}")

_FREE = re.compile(
    r"24/7|7\s?[×x*]\s?24|稍等[^。]{0,4}分钟|后\s*[4四]\s*位|last (?:4|four) digits"
    r"|第\s*[1-9]\s*(?=[步点张个件款种条行])",
    re.IGNORECASE,
)
_LIST_MARK = re.compile(r"^\s*(?:[1-9][.、)）]|[①-⑨]|[1-9]\ufe0f?\u20e3)(?!\s*(?:[①-⑳\d]|元|块|折|%|\ufe0f|\u20e3))")


def _value(digits: str, scale: str | None = None) -> Decimal:
    return (Decimal(digits.replace(",", "")) * _SCALES.get(scale or "", 1)).normalize()


def _discount(value: Decimal, unit: str) -> tuple[Decimal, str]:
    if unit in "折成":
        return (value / 10 if value >= 10 else value), unit  # «八五折» is «8.5折»
    return value, "%"


def _numbers(text: str) -> set[Decimal]:
    return {_value(m[1], m[2]) for m in _NUMBER.finditer(text)}


def _amounts(text: str) -> tuple[set[tuple[Decimal, str]], str]:
    """Prices and discounts, and the text without them; «八折» is no proof of «8元»."""
    discounts = {_discount(_value(m[1]), m[2]) for m in _DISCOUNT.finditer(text)}
    text = _DISCOUNT.sub(" ", text)
    prices = {(_value(m[1] or m[3] or m[5], m[2] or m[4] or m[6]), "") for m in _PRICE.finditer(text)}
    return discounts | prices, _PRICE.sub(" ¥ ", text)


# ------------------------------------------------------------------------------------------------ links and codes

_LABEL = r"(?:[^\W_\u3400-\u9fff]|-)"
_TLD = (
    "com|cn|net|org|io|co|shop|store|top|xyz|me|cc|tv|info|biz|vip|app|site|online|club|link|ly|gl|be|im|hk|tw|jp|uk|us"
    "|eu|ru|de|fr|dev|ai|gov|edu|ltd|fun|live|pro|work|example|ink|cloud|page|world|art|blog|tech|wang|ren|icu|cyou|email"
    "|group|chat|news|click|mobi|name|pub|space|website|today|company|center|plus|social|buzz|mall|store|market|asia|run"
)
#: Only where a label begins.
_AT = rf"(?<!{_LABEL})"
_CONTACT = r"微信|薇信|v信|加\s?v|\bvx|\bwx|\bqq|支付宝|小红书|抖音|淘宝|店铺|账号|公众号"
_REST = r"[^\s\u3000-\u9fff\uff00-\uffef()<>\"'«»“”]*"
_LINK = re.compile(
    rf"https?:/*{_REST}|www\.{_REST}|(?<![a-z0-9.+_-])(?:{_LABEL}|[.+_]){{1,64}}@{_LABEL}{{1,63}}(?:\.{_LABEL}{{1,63}}){{1,4}}"
    rf"|(?<![\w.])@[a-z]\w{{3,32}}"
    rf"|{_AT}{_LABEL}{{1,63}}(?:\.{_LABEL}{{1,63}}){{0,4}}\.(?:(?:{_TLD})(?!{_LABEL}|\.{_LABEL})(?:[/?#:]{_REST})?|{_LABEL}{{2,20}}/{_REST})"
    rf"|\d{{1,3}}\.\d{{1,3}}\.\d{{1,3}}\.\d{{1,3}}"
    rf"|{_AT}{_LABEL}{{1,63}}\s?(?:\s\.\s?|\s?\.\s|\[\.\]|。|\(?\bdot\b\)?|点)\s?(?:com|cn|net|org)\b"
    rf"|(?:{_LABEL}|[\u3400-\u9fff]){{1,20}}\.(?:中国|公司|网络|网址|商城|在线|com|cn|net)"
    r"|(?<![a-z])[a-z0-9](?: [a-z0-9]){3,30} ?\. ?[a-z](?: [a-z]){1,5}(?![a-z])"
    rf"|(?:{_CONTACT})[号:是为名\s]{{0,4}}[a-z][\w-]{{3,32}}"
)
#: Letters and digits in one: an order, a parcel, an article. Sizes («XL2») and measures («165cm») are none.
_CODE = re.compile(
    r"(?<![a-z0-9])(?!\d+(?:\.\d+)?(?:cm|mm|m|km|kg|g|ml|l|w|v|px|gb|mah|rmb|cny|yuan|元)(?![a-z0-9]))(?!(?:rmb|cny|usd)\d+(?!\w))"
    r"(?=[a-z0-9-]{0,40}\d{3})(?=[a-z0-9-]{0,40}[a-z])[a-z0-9][a-z0-9-]{4,40}"
)
#: An article's number may have no digits; capitals tell it from «up-to-date».
_SKU = re.compile(r"(?<![A-Za-z0-9-])(?=[\d-]*[A-Z])[A-Z0-9]{2,}(?:-[A-Z0-9]+){2,}(?![A-Za-z0-9-])")
_PHONE = re.compile(r"(?<![\d.])(?=[\d\s-]*\d{3})\+?\d(?:[\s-]?\d){6,}(?![.\d])")


def _address(link: str) -> str:
    return re.sub(r"^https?:/*|^www\.", "", link).rstrip(".,;:!?/")


def _stands(code: str, text: str) -> bool:
    """Whether a code is in the text, however it is set apart («138 0013 8000»), and not inside a longer one."""
    inner = r"[\s-]*".join(re.escape(ch) for ch in re.sub(r"[\s-]", "", code))
    before = r"(?<!\d)" if code[0].isdigit() else r"(?<![a-z0-9])"
    return re.search(rf"{before}{inner}(?![a-z0-9])", text) is not None


# ------------------------------------------------------------------------------------------------ dates

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = rf"(?P<name>{'|'.join(_MONTHS)})(?:[a-z]{{1,6}})?\.?"
_NTH = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_DATES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:(?P<year>\d{2,4})\s*年\s*)?(?<!\d)(?P<month>\d{1,2})\s*月(?![内后])(?:份|\s*(?P<day>\d{1,2})\s*[日号]?)?",
        r"(?<!\d)(?P<day>\d{1,2})\s*号(?![码线楼店])",
        r"(?<![\d/.-])(?P<year>\d{4})([-/.])(?P<month>0?[1-9]|1[0-2])\2(?P<day>[0-3]?\d)(?![\d/-])",
        (
            r"(?<![\d/.-])(?P<month>0?[1-9]|1[0-2])[-/](?P<day>0?[1-9]|[12]\d|3[01])"
            rf"(?![\d/]|-\d|\s*(?:{TIME}|{EN_TIME}|{MEASURE}|{OTHER}|折))"
        ),
        rf"\b{_MONTH}\s+{_NTH}\b(?:,?\s*(?P<year>\d{{4}}))?",
        rf"\b{_NTH}\s+(?:of\s+)?{_MONTH}(?![a-z])(?:,?\s*(?P<year>\d{{4}}))?",
    )
)
#: «今天天气不错» is no promise, «今天发货» is one.
_PROMISED = r"(?=[^,。;]*[发到送寄达])"
_WEEKDAYS = zip("一二三四五六日", "mon tues wednes thurs fri satur sun".split(), strict=True)
_DAYS = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("day before yesterday", r"前天(?!的)"),
        ("yesterday", r"昨[天日晚]|\byesterday\b"),
        ("today", rf"(?:今[天日晚]|本周|这周){_PROMISED}|\b(?:today|tonight|this week)\b"),
        ("in three days", r"大后[天儿]"),
        ("in two days", r"后[天儿]|\bday after tomorrow\b"),
        ("tomorrow", r"明[天日早晚儿](?!见)|[次隔][日天][达到送]?|\btomorrow\b(?! then)|\bwithin (?:a|one) day\b"),
        ("in a fortnight", r"\bfortnight\b"),
        ("a feast", r"元旦|春节|除夕|国庆|中秋|端午|清明|圣诞|年前|\bchristmas\b|\bnew year\b"),
        ("the end of the year", r"年底|年末|\bend of the year\b"),
        ("the middle of the month", r"月中"),
        ("next week", r"下(?:个?星期|个?礼拜|周)|\bnext week\b"),
        ("next month", r"下个?月|月底|\bnext month\b"),
        ("weekend", rf"周末{_PROMISED}|\b(?:arriv|ship|deliver|sen[dt]|com).*\bweekend\b"),
        *((f"weekday {n}", rf"(?:周|星期|礼拜)[{han}{n}]|\b{en}days?\b") for n, (han, en) in enumerate(_WEEKDAYS, 1)),
        ("weekday 7", r"(?:星期|礼拜)天"),
    )
)


def _dates(text: str) -> tuple[set[str], str]:
    """The days that a text names, each in one form whatever its spelling («11-20»), and the text without them."""
    out: set[str] = set()

    def put(m: re.Match[str]) -> str:
        found = m.groupdict()
        month = found.get("month") or (_MONTHS.index(found["name"]) + 1 if found.get("name") else None)
        year, day = found.get("year"), found.get("day")
        parts = (year, month, day) if day else (year, month, "0")
        out.add("-".join(str(int(part)) for part in parts if part))
        return " "

    for pattern in _DATES:
        text = pattern.sub(put, text)
    for name, pattern in _DAYS:
        text, times = pattern.subn(" ", text)
        if times:
            out.add(name)
    return out, text


def _wider(dates: Iterable[str]) -> frozenset[str]:
    """Days as they may be said again: without the year, the month or the day alone."""
    known = set(dates)
    out = set(known)
    for date in known:
        *_, month, day = ["", *date.split("-")]
        out |= {day, f"{month}-{day}", f"{month}-0"}
    return frozenset(out)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a text says that can be checked, each kind by itself: a parcel's number is no proof of a stock."""

    links: set[str]
    #: What is promised, and said to be done, without a figure.
    promised: set[str]
    done: set[str]
    codes: set[str]
    dates: set[str]
    spans: set[tuple[Decimal, str]]
    amounts: set[tuple[Decimal, str]]
    #: Figures that are none of these; amounts count too, since a price may be said again without its unit.
    numbers: set[Decimal]
    #: The text without all of them but bare numbers.
    rest: str
    #: The text as it is compared.
    whole: str


def _said(text: str) -> _Said:
    text = whole = plain(text)
    links = {_address(m[0]) for m in _LINK.finditer(text)}
    dates, text = _dates(_LINK.sub(" ", text))
    codes: set[str] = set()
    for pattern in (_CODE, _PHONE):
        codes.update(pattern.findall(text))
        text = pattern.sub(" ", text)
    spans: set[tuple[Decimal, str]] = set()
    for m in _SPAN.finditer(text):
        unit = tuple(_SPANS)[(m.lastindex or 3) - 3]
        spans.update((_value(figure), unit) for figure in m.groups()[:2] if figure)
    text = _SPAN.sub(" ", text)
    amounts, rest = _amounts(text)
    return _Said(links, promised(whole), done(whole), codes, dates, spans, amounts, _numbers(text), rest, whole)


@dataclass(frozen=True, slots=True)
class _Line:
    """What one of the shop's lines says, and of which things: (kinds | patterns | colours, name)."""

    said: _Said
    figures: frozenset[Decimal]
    named: frozenset[tuple[str, str]]
    topics: frozenset[str]


@lru_cache(maxsize=2048)
def _line(text: str) -> _Line:
    """The shop's lines come again with every answer; customers' words are read anew and kept nowhere."""
    said = _said(text)
    return _Line(said, frozenset({value for value, _ in said.amounts} | said.numbers), named(text), topics(text))


class Guard:
    """Built once for an answer from all that may stand in it."""

    def __init__(self, facts: Iterable[str], words: Iterable[str]) -> None:
        self._lines = [_line(line) for text in facts for line in text.split("\n")]
        shop = [line.said for line in self._lines]
        known = [*shop, *map(_said, words)]
        self._text = "\n".join(said.whole for said in known)
        self._amounts = {amount for said in shop for amount in said.amounts}
        self._of_shop = {number for said in shop for number in said.numbers}
        self._numbers = {number for said in known for number in said.numbers}
        self._spans = {span for said in known for span in said.spans}
        self._spans |= {(n / 7, "weeks") for n, unit in self._spans if unit == "days"}
        self._promised = {each for said in shop for each in said.promised}
        self._done = {status for status in _STATUSES if any(status in said.whole for said in shop)}
        self._dates = _wider(date for said in known for date in said.dates)
        links = {link for said in known for link in said.links}
        self._links = links | {link.split("/")[0] for link in links if "@" not in link}

    def check(self, sentence: str) -> Reason | None:
        """Why a sentence may not be shown, or ``None``."""
        sentence = _LIST_MARK.sub(" ", sentence)
        said = _said(_FREE.sub(" ", sentence))
        if not said.links <= self._links:
            return Reason.LINK
        codes = said.codes | {sku.lower() for sku in _SKU.findall(folded(sentence))}
        if not all(_stands(code, self._text) for code in codes):
            return Reason.NUMBER
        if not said.promised <= self._promised:
            return Reason.PRICE
        if not said.done <= self._done or self._of_another_order(sentence):
            return Reason.DEED
        if self._misjudged(sentence):
            return Reason.ORDER
        if not said.amounts <= self._amounts:
            return Reason.PRICE
        bare = {_value(n) for n in _BARE.findall(said.rest)} if _OF_MONEY.search(said.rest) else set()
        if not bare <= self._of_shop:
            return Reason.PRICE
        if not said.dates <= self._dates:
            return Reason.DATE
        counted = said.rest
        if not _STOCK.search(counted):
            counted = (_COUNT_SEEN if _SEEN.search(counted) else _COUNT).sub(" ", counted)
        if not said.spans <= self._spans or not _numbers(counted) <= self._numbers:
            return Reason.NUMBER
        if self._of_another_matter(sentence, said.spans):
            return Reason.NUMBER
        return Reason.PRICE if self._of_another_thing(sentence) else None

    def _misjudged(self, sentence: str) -> bool:
        """Whether «this is (not) what you ordered» contradicts the order lines, by the names that it says itself."""
        goods = {named(m[1]) for line in self._lines for m in _ORDERED.finditer(line.said.whole)} - {frozenset()}
        things: frozenset[tuple[str, str]] = frozenset()
        for clause in clauses(sentence):
            verdict = _VERDICT.search(clause.lower())
            things = named(clause[: verdict.start()] if verdict else clause) or things
            if verdict and things and goods:
                same = not (verdict["other"] or verdict["not"])
                return same != (things in goods)
        return False

    def _of_another_matter(self, sentence: str, spans: set[tuple[Decimal, str]]) -> bool:
        """Whether a time is said of a matter whose lines do not have it: of the warranty what the parcel takes."""
        matters = topics(sentence)
        for span in spans if matters else ():
            known = frozenset().union(*(line.topics for line in self._lines if span in line.said.spans))
            if known and not matters & known:
                return True
        return False

    def _of_another_order(self, sentence: str) -> bool:
        """Whether an order is said to be in a state that its line does not have."""
        codes: set[str] = set()
        for clause in clauses(plain(sentence)):
            codes = set(_CODE.findall(clause)) or codes
            states = {status for status in _STATUSES if status in clause}
            for code in codes if states else ():
                lines = [line.said.whole for line in self._lines if _stands(code, line.said.whole)]
                known = {status for status in _STATUSES for line in lines if status in line}
                if known and not states <= known:
                    return True
        return False

    def _of_another_thing(self, sentence: str) -> bool:
        """Whether a price or a stock is said of a thing whose lines do not have it."""
        things: frozenset[tuple[str, str]] = frozenset()
        for clause in clauses(sentence):
            things = named(clause) or things
            said = _said(clause)
            figures = {value for value, _ in said.amounts}
            if _STOCK.search(said.rest):
                figures |= _numbers(said.rest)
            for figure in figures:
                found = [line for line in self._lines if figure in line.figures]
                lines = [line.named for line in found]
                if named(clause) and not _GENERAL.search(said.whole):
                    # The price of a thing is no sum from which postage is free.
                    lines = [line.named for line in found if not _GENERAL.search(line.said.whole)]
                    if found and not lines:
                        return True
                # Else a line on no thing at all holds for every thing.
                if all(lines) and any(_contradicts(things, frozenset().union(*lines), sort) for sort in _SORTS):
                    return True
        return False


#: A thing of an order line, and what is said of a photo beside it.
_ORDERED = re.compile(r"([^\s、×]+)×\d")
_VERDICT = re.compile(
    r"(?:和|跟|与)您订的.{0,20}?(?:(?P<other>不一样|不一致|不符|不同)|一致|一样|相符)|as you ordered"
    r"|(?P<not>not (?:the .{1,40} you|what you) ordered)"
)

_SORTS = ("kinds", "patterns", "colours")
#: What the shop's general lines are about, and not one of its things.
_GENERAL = re.compile(r"包邮|运费|邮费|满|减|免|优惠|postage|shipping|free|over|above")
#: As the shop's orders write what became of them.
_STATUSES = (
    "已付款",
    "已发货",
    "已签收",
    "已退款",
    "已取消",
    "已完成",
    "已下单",
    "已改",
    "已换",
    "已补发",
    "已登记",
    "待付款",
    "待发货",
)


def _contradicts(things: frozenset[tuple[str, str]], known: frozenset[tuple[str, str]], sort: str) -> bool:
    """Whether a thing is called by a kind, pattern or colour that its lines do not have; they may have none to tell."""
    of_sort = {name for kept, name in known if kept == sort}
    return bool(of_sort) and not {name for kept, name in things if kept == sort} <= of_sort
