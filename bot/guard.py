"""The guard: no sentence reaches a customer with a figure, a date or a link that is not the shop's.

A model invents prices, order numbers and addresses in good Chinese and good English alike, and a customer holds the
shop to what «it» said. So every sentence is checked before it is shown, against what the shop's data said in this
conversation (*facts*) and what the customer said himself (*words*):

* a price, an amount or a discount must be in the facts – the customer's words are no proof of a price;
* any other figure, date, order or tracking number, phone number or link must be in the facts or in his words;
* a count of what a photo shows (up to nine) and the numbering of a list are free.

Figures count in digits of any script and in words («九十九元», «fifty yuan»). The check knows nothing of the shop.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum


class Reason(StrEnum):
    """What was wrong with a sentence; also the word of it in logs and traces."""

    PRICE = "price"
    DATE = "date"
    NUMBER = "number"
    LINK = "link"


_FIGURE = r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_HAN = "零〇一二两三四五六七八九十百千万半"
_EN_UNITS = {
    w: n
    for n, w in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen""".split()
    )
} | {w: 10 * n for n, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_EN_SCALES = {"hundred": 100, "thousand": 1000}
_EN = "|".join([*_EN_UNITS, *_EN_SCALES])

_CURRENCY = r"元|圆|块钱|块|毛|角|rmb|cny|yuan|usd|dollars?|euros?|美元|人民币|港币"
_PRICE = re.compile(
    rf"[¥$€£]\s*({_FIGURE})|(?:rmb|cny|usd)\s*({_FIGURE})|({_FIGURE})\s*(?:万|千)?\s*(?:{_CURRENCY}|%|折)",
    re.IGNORECASE,
)
#: Han and English figures only count with a unit behind them: «一» alone is in every other sentence.
_UNIT_HAN = r"元|圆|块钱|块|毛|角|折|天|日|小时|分钟|个工作日|工作日|周|星期|个月|年|成"
_HAN_FIGURE = re.compile(rf"([{_HAN}]+)(?:点([零一二三四五六七八九]+))?\s*({_UNIT_HAN})")
_EN_FIGURE = re.compile(
    rf"\b((?:{_EN})(?:[\s-]+(?:and\s+)?(?:{_EN}))*)[\s-]*(yuan|dollars?|rmb|cny|percent|days?|hours?|weeks?|months?|years?)\b",
    re.IGNORECASE,
)
_MONEY_UNITS = re.compile(rf"{_CURRENCY}|折|percent|成", re.IGNORECASE)
_NUMBER = re.compile(_FIGURE)
#: Letters and digits in one: an order, a parcel, an article. Sizes («XL2») and names («T2») are short.
_CODE = re.compile(r"(?=[a-z0-9-]*\d{3})(?=[a-z0-9-]*[a-z])[a-z0-9][a-z0-9-]{4,}", re.IGNORECASE)
_PHONE = re.compile(r"\+?\d(?:[\s-]?\d){6,}")
_LINK = re.compile(
    r"https?://[^\s，。！？；、）)]+|www\.[^\s，。！？；、）)]+|[\w.+-]+@[\w-]+\.[\w.-]+"
    r"|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|cn|net|org|io|co|shop|store|top|xyz|me|cc|example)\b[^\s，。！？；、）)]*",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(\d{1,4}\s*年)?\s*\d{1,2}\s*月(?:\s*\d{1,2}\s*[日号])?|\d{2,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}[-/]\d{1,2}(?!\d)"
    r"|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s+\d{1,2}\b|大后天|后天|明天|明日|下周[一二三四五六日天]?"
    r"|今[天日](?=[^，。]*[发到送寄])|\btomorrow\b|\bnext (?:week|month|mon|tue|wed|thu|fri|sat|sun)\w*|\btonight\b",
    re.IGNORECASE,
)
_IN_PHOTO = re.compile(r"照片|图|看到|看见|photo|picture|see\b|image", re.IGNORECASE)
_LIST_MARK = re.compile(r"^\s*\d{1,2}[.、)）]\s*(?=\D)")


def plain(text: str) -> str:
    """The text as it is compared: compatibility forms folded («９９元»), invisible characters gone, lower case."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(ch for ch in folded if unicodedata.category(ch) != "Cf").lower()


def _value(digits: str) -> Decimal:
    try:
        return Decimal(digits.replace(",", "")).normalize()
    except InvalidOperation:
        return Decimal("NaN")


def _han_value(han: str, fraction: str | None) -> Decimal:
    """«一百零五» → 105; what is not a number in order («三四») is read digit by digit."""
    digits = {ch: n for n, ch in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
    scales = {"十": 10, "百": 100, "千": 1000}
    if not any(ch in scales or ch == "万" for ch in han):
        whole = Decimal("".join(str(digits.get(ch, 0)) for ch in han))
    else:
        total = section = current = 0
        for ch in han:
            if ch in scales:
                section, current = section + (current or 1) * scales[ch], 0
            elif ch == "万":
                total, section, current = (total + section + current) * 10_000, 0, 0
            else:
                current = digits.get(ch, 0)
        whole = Decimal(total + section + current)
    if fraction:
        whole += Decimal("0." + "".join(str(digits[ch]) for ch in fraction))
    return whole.normalize()


def _english_value(words: str) -> Decimal:
    total = current = 0
    for word in re.findall(r"[a-z]+", words.lower()):
        if word == "hundred":
            current = (current or 1) * 100
        elif word == "thousand":
            total, current = (total + (current or 1)) * 1000, 0
        else:
            current += _EN_UNITS.get(word, 0)
    return Decimal(total + current).normalize()


@dataclass(frozen=True, slots=True)
class _Figures:
    """What a text says in figures."""

    money: frozenset[Decimal]
    numbers: frozenset[Decimal]
    dates: frozenset[str]


def _figures(text: str) -> _Figures:
    money = {_value(next(filter(None, m.groups()))) for m in _PRICE.finditer(text)}
    numbers = {_value(n) for n in _NUMBER.findall(text)}
    for m in _HAN_FIGURE.finditer(text):
        if m[0] == "一块" or m[1] == "半":  # «together», «half a day»: no figure
            continue
        numbers.add(value := _han_value(m[1], m[2]))
        if _MONEY_UNITS.fullmatch(m[3]):
            money.add(value)
    for m in _EN_FIGURE.finditer(text):
        numbers.add(value := _english_value(m[1]))
        if _MONEY_UNITS.fullmatch(m[2]):
            money.add(value)
    dates = frozenset(re.sub(r"\s", "", m[0]) for m in _DATE.finditer(text))
    return _Figures(frozenset(money), frozenset(numbers), dates)


def _digits(text: str) -> str:
    return re.sub(r"[\s-]", "", text)


class Guard:
    """Built once for an answer from all that may stand in it."""

    def __init__(self, facts: Iterable[str], words: Iterable[str]) -> None:
        self._facts = plain("\n".join(facts))
        self._known = plain("\n".join([self._facts, *words]))
        self._money = _figures(self._facts).money
        known = _figures(self._known)
        self._numbers, self._dates = known.numbers, known.dates

    def check(self, sentence: str) -> Reason | None:
        """Why a sentence may not be shown, or ``None``."""
        text = plain(sentence)
        for link in _LINK.findall(text):
            if link.rstrip(".,") not in self._known:
                return Reason.LINK
        text = _LINK.sub(" ", text)
        for code in _CODE.findall(text):
            if code not in self._known:
                return Reason.NUMBER
        text = _CODE.sub(" ", text)
        for phone in _PHONE.findall(text):
            if _digits(phone) not in _digits(self._known):
                return Reason.NUMBER
        said = _figures(_LIST_MARK.sub("", text))
        if not said.money <= self._money:
            return Reason.PRICE
        if not said.dates <= self._dates:
            return Reason.DATE
        strange = said.numbers - self._numbers
        if _IN_PHOTO.search(text):
            strange -= {Decimal(n) for n in range(1, 10)}
        return Reason.NUMBER if strange else None
