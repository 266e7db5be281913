"""What a text says that can be checked: figures, dates, links, codes, promises and deeds, each kind by itself.

Figures count in whatever way they are written (:mod:`bot.numerals`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from bot.dates import dates
from bot.numerals import EN_MONEY, EN_TIME, MEASURE, MONEY, OTHER, TIME, plain
from bot.promises import done, promised
from bot.sentences import clauses

# ------------------------------------------------------------------------------------------------ figures

#: Begun only where a run of digits begins, and of bounded length: hostile text must not cost its square.
FIGURE = r"(?<!\d)\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,4})?|(?<!\d)\d{1,15}(?:\.\d{1,4})?"
_SCALED = rf"({FIGURE})(?:\s*([百千万k])(?![a-z]))?"
_SCALES = {"百": 100, "千": 1000, "k": 1000, "万": 10_000}
_NUMBER = re.compile(_SCALED)
_CURRENCY = rf"[来多余几]?(?:{MONEY})|r(?![a-z])|美[元金刀]|人民币|港币|欧元?(?!\w)|英镑|日元|{EN_MONEY}"
_PRICE = re.compile(
    r"(?:[¥$€£]|rmb|cny|usd|[满减省抵返赔罚补]|便宜|优惠|[运邮]费|售价|价格?|[一总]共|合计"
    r"|[算收卖]您|只[收要卖]|price is|\bcosts?)"
    r"\s?(?:是|为|要|只要|:)?\s?"
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
    rf"({FIGURE})(?:\s?(?:[到至~-]|to|or|、)\s?({FIGURE}))?[\s-]{{0,3}}(?:"
    + "|".join(f"({units})" for units in _SPANS.values())
    + ")"
)
_DISCOUNT = re.compile(rf"({FIGURE})\s?(折(?!伞|叠)|成(?!\w)|倍|%|percent|per cent)")
OF_MONEY = re.compile(
    r"价|钱|元|块|优惠|折|卖|减|便宜|赔|退(?!换)|返|抵|运费|邮费|包邮|售|划算|[¥$€£]"
    r"|\b(?:price|costs?|discount|refund|off|yuan|rmb|pay|sell|deal|cheap)"
)
#: A figure without a unit of its own, and not said to be something else («尾号4321», «身高165»).
#: In English the words after it tell: «50 works» is bare, «50 socks» is not.
_GOES_ON = r"works?|is|it|then|for|ok|okay|fine|will|would|sounds|sure|deal|and|all|can|please|at"
BARE = re.compile(
    rf"(?<![\d.号码高重第])({FIGURE})(?![\d.]*\s*(?:(?!(?:{_GOES_ON})\b)[a-z°]|{TIME}|{MEASURE}|{OTHER}))"
)
#: Of the body that a thing must fit: «165、60的话建议穿M».
OF_BODY = re.compile(r"穿|码|身高|体重|斤|\b(?:sizes?|wear|tall|fits?)\b")
#: A number that is too long for a price in a small shop: an order's, a phone's end.
LONG = 10_000

SEEN = re.compile(r"照片|图|看到|看见|photo|picture|\bsee\b|image")
STOCK = re.compile(r"还有|剩|库存|货|买|送|赠|减|折|满|限|\b(?:left|stock|buy|free|get|only|more)\b")
_NOT_COUNTED = rf"(?!\s*(?:{TIME}|{MONEY}|%)|[\s-]*(?:{EN_MONEY}|{EN_TIME}))"
#: A stock that is told: «库存12件» is how the shop writes it.
_LEFT = re.compile(
    rf"(?:剩下?|库存|仅有)(?:最后)?(?:是|为|有|:)?\s?({FIGURE})|最后\s?({FIGURE})\s?(?:{MEASURE})|还有\s?({FIGURE})\s?(?:{MEASURE})"
    rf"|\b(?:only|last)\s({FIGURE}) (?:left|in stock)|({FIGURE}) (?:left|in stock)"
)
_ONE_DIGIT = r"(?<![\d.,])[1-9](?![.,]?\d)"
COUNT = re.compile(rf"{_ONE_DIGIT}(?:\s*(?:{MEASURE})|(?=\s[a-z]{{3}}){_NOT_COUNTED})")
COUNT_SEEN = re.compile(rf"{_ONE_DIGIT}{_NOT_COUNTED}")

FREE = re.compile(
    r"24/7|7\s?[×x*]\s?24|稍等[^。]{0,4}分钟|后\s*[4四]\s*位|last (?:4|four) digits"
    r"|第\s*[1-9]\s*(?=[步点张个件款种条行])",
    re.IGNORECASE,
)
LIST_MARK = re.compile(r"^\s*(?:[1-9][.、)）]|[①-⑨]|[1-9]\ufe0f?\u20e3)(?!\s*(?:[①-⑳\d]|元|块|折|%|\ufe0f|\u20e3))")


def value(digits: str, scale: str | None = None) -> Decimal:
    return (Decimal(digits.replace(",", "")) * _SCALES.get(scale or "", 1)).normalize()


def _discount(value: Decimal, unit: str) -> tuple[Decimal, str]:
    if unit in "折成":
        return (value / 10 if value >= 10 else value), unit  # «八五折» is «8.5折»
    return value, unit if unit == "倍" else "%"


def numbers(text: str) -> set[Decimal]:
    return {value(m[1], m[2]) for m in _NUMBER.finditer(text)}


def _amounts(text: str) -> tuple[set[tuple[Decimal, str]], str]:
    """Prices and discounts, and the text without them; «八折» is no proof of «8元»."""
    discounts = {_discount(value(m[1]), m[2]) for m in _DISCOUNT.finditer(text)}
    text = _DISCOUNT.sub(" ", text)
    prices = {(value(m[1] or m[3] or m[5], m[2] or m[4] or m[6]), "") for m in _PRICE.finditer(text)}
    return discounts | prices, _PRICE.sub(" ¥ ", text)


# ------------------------------------------------------------------------------------------------ links and codes

_LABEL = r"(?:[^\W_\u3400-\u9fff]|-)"
_TLD = (
    "com|cn|net|org|io|co|shop|store|top|xyz|me|cc|tv|info|biz|vip|app|site|online|club|link|ly|gl|be|im|hk|tw|jp|uk|us"
    "|eu|ru|de|fr|dev|ai|gov|edu|ltd|fun|live|pro|work|example|ink|cloud|page|world|art|blog|tech|wang|ren|icu|cyou|email"
    "|group|chat|news|click|mobi|name|pub|space|website|today|company|center|plus|social|buzz|mall|store|market|asia|run|zip|mov|win|bid|loan|tk|su|lol|pics|bio|fyi"
)
#: Only where a label begins.
_AT = rf"(?<!{_LABEL})"
_CONTACT = r"微信|薇信|v信|加\s?v|\bvx|\bwx|\bqq|支付宝|小红书|抖音|淘宝|店铺|账号|公众号"
_REST = r"[^\s\u3000-\u9fff\uff00-\uffef()<>\"'«»“”]*"
_LINK = re.compile(
    rf"https?:/*{_REST}|(?<![a-z])[a-z][a-z0-9+.-]{{1,20}}:/{{1,3}}(?=[a-z0-9]){_REST}|www\.{_REST}|(?<![a-z0-9.+_-])(?:{_LABEL}|[.+_]){{1,64}}@{_LABEL}{{1,63}}(?:\.{_LABEL}{{1,63}}){{1,4}}"
    rf"|(?<![\w.])@[a-z]\w{{3,32}}"
    rf"|{_AT}{_LABEL}{{1,63}}(?:\.{_LABEL}{{1,63}}){{0,4}}\.(?:(?:{_TLD})(?!{_LABEL}|\.{_LABEL})(?:[/?#:]{_REST})?|{_LABEL}{{2,20}}/{_REST})"
    rf"|\d{{1,3}}\.\d{{1,3}}\.\d{{1,3}}\.\d{{1,3}}"
    rf"|{_AT}{_LABEL}{{1,63}}\s?(?:\s\.\s?|\s?\.\s|\[\.\]|。|[\[(]?\bdot\b[\])]?|点)\s?(?:com|cn|net|org)\b"
    rf"|(?:{_LABEL}|[\u3400-\u9fff]){{1,20}}\.(?:中国|公司|网络|网址|商城|在线|com|cn|net)"
    r"|(?<![a-z])[a-z0-9](?: [a-z0-9]){3,30} ?\. ?[a-z](?: [a-z]){1,5}(?![a-z])"
    rf"|(?:{_CONTACT})[号:是为名\s]{{0,4}}[a-z][\w-]{{3,32}}"
    r"|(?:淘宝|京东|拼多多|抖音|小红书|闲鱼)上?搜索?\s?\w+"
)
#: Letters and digits in one: an order, a parcel, an article. Sizes («XL2») and measures («165cm») are none.
CODE = re.compile(
    r"(?<![a-z0-9])(?!\d+(?:\.\d+)?(?:cm|mm|m|km|kg|g|ml|l|w|v|px|gb|mah|rmb|cny|yuan|元)(?![a-z0-9]))(?!(?:rmb|cny|usd)\d+(?!\w))"
    r"(?=[a-z0-9-]{0,40}\d{3})(?=[a-z0-9-]{0,40}[a-z])[a-z0-9][a-z0-9-]{4,40}"
)
#: An article's number may have no digits; capitals tell it from «up-to-date».
SKU = re.compile(r"(?<![A-Za-z0-9-])(?=[\d-]*[A-Z])[A-Z0-9]{2,}(?:-[A-Z0-9]+){2,}(?![A-Za-z0-9-])")
_PHONE = re.compile(r"(?<![\d.])(?=[\d\s-]*\d{3})\+?\d(?:[\s-]?\d){6,}(?![.\d])")


def _address(link: str) -> str:
    return re.sub(r"^https?:/*|^www\.", "", link).rstrip(".,;:!?/")


def stands(code: str, text: str) -> bool:
    """Whether a code is in the text, however it is set apart («138 0013 8000»), and not inside a longer one."""
    inner = r"[\s-]*".join(re.escape(ch) for ch in re.sub(r"[\s-]", "", code))
    before = r"(?<!\d)" if code[0].isdigit() else r"(?<![a-z0-9])"
    return re.search(rf"{before}{inner}(?![a-z0-9])", text) is not None


# ------------------------------------------------------------------------------------------------ carriers

_CARRIERS = {
    name: re.compile(words)
    for name, words in {
        "顺丰": r"顺丰|\bsf\b",
        "圆通": r"圆通|\byto\b",
        "中通": r"中通(?!过)|\bzto\b",
        "申通": r"申通|\bsto\b",
        "韵达": r"韵达|\byunda\b",
        "京东": r"京东|\bjd\b",
        "极兔": r"极兔",
        "邮政": r"邮政(?!编码)|\bems\b",
        "德邦": r"德邦",
        "百世": r"百世",
    }.items()
}
_DENIED = re.compile(r"[不没无非]|\bnot?\b|n't\b")


def _carriers(text: str) -> set[str]:
    """The carriers that a text says parcels go by; «不能指定圆通» says it of none."""
    said = " ".join(clause for clause in clauses(text) if not _DENIED.search(clause))
    return {name for name, words in _CARRIERS.items() if words.search(said)}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a text says that can be checked, each kind by itself: a parcel's number is no proof of a stock."""

    links: set[str]
    #: What is promised, and said to be done, without a figure.
    promised: set[str]
    done: set[str]
    #: Who carries the parcels.
    carriers: set[str]
    codes: set[str]
    dates: set[str]
    spans: set[tuple[Decimal, str]]
    amounts: set[tuple[Decimal, str]]
    #: What is said to be in stock.
    stocks: set[Decimal]
    #: Figures that are none of these; amounts count too, since a price may be said again without its unit.
    numbers: set[Decimal]
    #: The text without all of them but bare numbers.
    rest: str
    #: The text as it is compared.
    whole: str


def claims(text: str) -> Claims:
    text = whole = plain(text)
    links = {_address(m[0]) for m in _LINK.finditer(text)}
    days, text = dates(_LINK.sub(" ", text))
    codes: set[str] = set()
    for pattern in (CODE, _PHONE):
        codes.update(pattern.findall(text))
        text = pattern.sub(" ", text)
    spans: set[tuple[Decimal, str]] = set()
    for m in _SPAN.finditer(text):
        unit = tuple(_SPANS)[(m.lastindex or 3) - 3]
        spans.update((value(figure), unit) for figure in m.groups()[:2] if figure)
    text = _SPAN.sub(" ", text)
    stocks = set() if SEEN.search(text) else {value(next(filter(None, m.groups()))) for m in _LEFT.finditer(text)}
    amounts, rest = _amounts(text)
    return Claims(
        links,
        promised(whole),
        done(whole),
        _carriers(whole),
        codes,
        days,
        spans,
        amounts,
        stocks,
        numbers(text),
        rest,
        whole,
    )
