"""The guard: no sentence reaches a customer with a figure, a date or a link that is not the shop's.

A model invents prices, order numbers and addresses in good Chinese and good English alike, and a customer holds the
shop to what «it» said. So every sentence is checked before it is shown, against what the shop's data said in this
conversation (*facts*) and what the customer said himself (*words*):

* a price, an amount or a discount must be in the facts – the customer's words are no proof of a price, and where a
  sentence speaks of money, no bare figure of his counts either («50就卖给您»);
* an amount counts only for what it is for there: a sum to reach is no voucher (:mod:`bot.roles`);
* a price or a stock that is said of a thing must stand in a line on that thing: a backpack's price is none
  for a dress;
* «this is what you ordered» must agree with the order's line;
* a promise without a figure («对折», «免运费») and a deed («已经给您退款了») must stand in the facts;
* what he would like to pay proves nothing, and a bare figure of his, which may be that, no bare figure;
* a carrier's name must stand in the facts, unless it is denied;
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

from bot.claims import (
    BARE,
    CODE,
    COUNT,
    COUNT_SEEN,
    FREE,
    LIST_MARK,
    LONG,
    OF_BODY,
    OF_MONEY,
    SEEN,
    SKU,
    STOCK,
    Claims,
    claims,
    numbers,
    stands,
    value,
)
from bot.dates import wider
from bot.model import joined
from bot.numerals import folded, plain
from bot.promises import DEEDS
from bot.roles import Role, proven, roles
from bot.sentences import clauses, split
from bot.verdicts import of_order, verdict
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


@dataclass(frozen=True, slots=True)
class _Line:
    """What one of the shop's lines says, and of which things: (kinds | patterns | colours, name)."""

    said: Claims
    figures: frozenset[Decimal]
    named: frozenset[tuple[str, str]]
    topics: frozenset[str]
    #: What its amounts are for.
    roles: frozenset[Role]


@lru_cache(maxsize=2048)
def _line(text: str) -> _Line:
    """The shop's lines come again with every answer; customers' words are read anew and kept nowhere."""
    said = claims(text)
    figures = frozenset({amount for amount, _ in said.amounts} | said.numbers)
    return _Line(said, figures, named(text), topics(text), proven(said))


class Guard:
    """Built once for an answer from all that may stand in it."""

    def __init__(self, facts: Iterable[str], words: Iterable[str]) -> None:
        self._lines = [_line(line) for text in facts for line in text.split("\n")]
        shop = [line.said for line in self._lines]
        his = list(map(claims, words))
        known = [*shop, *his]
        # «运费：» before a passage and the question before an answer are no part of what is said.
        told = [part for said in shop for part in (said.whole, said.whole.partition(":")[2])]
        self._own = {_bare(sentence) for part in told for sentence in split(part)} - {""}
        self._text = "\n".join(said.whole for said in known)
        self._amounts = {amount for said in shop for amount in said.amounts}
        self._roles = {role for line in self._lines for role in line.roles}
        self._of_shop = {number for said in shop for number in said.numbers}
        self._stocks = {figure for said in shop for figure in said.stocks}
        clearly, bare = _figures(his)
        #: What may stand alone in a reply, and what may stand there with a unit or of a body's measures.
        self._alone = self._of_shop | clearly
        self._numbers = self._alone | bare
        self._spans = {span for said in known for span in said.spans}
        self._spans |= {(n / 7, "weeks") for n, unit in self._spans if unit == "days"}
        self._promised = {each for said in shop for each in said.promised}
        self._carriers = {each for said in shop for each in said.carriers}
        self._done = {status for status in _STATUSES if any(status in said.whole for said in shop)}
        self._dates = wider(date for said in known for date in said.dates)
        links = {link for said in known for link in said.links}
        self._links = links | {link.split("/")[0] for link in links if "@" not in link}

    def check(self, sentence: str) -> Reason | None:
        """Why a sentence may not be shown, or ``None``; the shop's own sentence may, word for word."""
        if _bare(plain(sentence)) in self._own:
            return None
        sentence = LIST_MARK.sub(" ", sentence)
        said = claims(FREE.sub(" ", sentence))
        if not said.links <= self._links:
            return Reason.LINK
        codes = said.codes | {sku.lower() for sku in SKU.findall(folded(sentence))}
        if not all(stands(code, self._text) for code in codes):
            return Reason.NUMBER
        if not said.promised <= self._promised:
            return Reason.PRICE
        if not said.carriers <= self._carriers:
            return Reason.NUMBER
        if not said.done <= self._done or self._of_another_order(sentence):
            return Reason.DEED
        if self._misjudged(sentence):
            return Reason.ORDER
        if not said.amounts <= self._amounts or not roles(said) <= self._roles:
            return Reason.PRICE
        bare = {value(n) for n in BARE.findall(said.rest)}
        if OF_MONEY.search(said.rest) and not bare <= self._of_shop:
            return Reason.PRICE
        if bare & self._numbers - self._alone and not OF_BODY.search(said.rest):
            return Reason.PRICE
        if not said.stocks <= self._stocks:
            return Reason.NUMBER
        if not said.dates <= self._dates:
            return Reason.DATE
        counted = said.rest
        if not STOCK.search(counted):
            counted = (COUNT_SEEN if SEEN.search(counted) else COUNT).sub(" ", counted)
        if not said.spans <= self._spans or not numbers(counted) <= self._numbers:
            return Reason.NUMBER
        if self._of_another_matter(sentence):
            return Reason.NUMBER
        return Reason.PRICE if self._of_another_thing(sentence) else None

    def _misjudged(self, sentence: str) -> bool:
        """Whether «this is (not) what you ordered» contradicts the order lines, by the names that it says itself, or is
        said of an order that nobody knows.
        """
        ordered = [named(m[1]) for line in self._lines for m in _ORDERED.finditer(line.said.whole)]
        goods = set(ordered) - {frozenset()}
        things: frozenset[tuple[str, str]] = frozenset()
        for clause in clauses(sentence.lower()) if not sentence.rstrip().endswith(("?", "？")) else ():
            found = verdict(clause)
            if found is None:
                things = things if of_order(clause) else named(clause) or things
                continue
            same, at = found
            # «这是您订的蓝色杯子» names it behind.
            things = named(clause[:at]) or things or (named(clause) if same else frozenset())
            # Without an order there is nothing to say of one; «发错货» alone may be the shop's policy.
            if not ordered and (same or things):
                return True
            if goods and things and _contradicted(same, things, goods):
                return True
        return False

    def _of_another_matter(self, sentence: str) -> bool:
        """Whether a time is said of a matter whose lines do not have it: of the warranty what the parcel takes, or of
        a shirt's warranty what a mug's is.
        """
        matters = topics(sentence) | ({"送到"} if _ARRIVES.search(sentence) else set())
        kinds: set[tuple[str, str]] = set()
        for clause in clauses(sentence) if matters else ():
            kinds = _kinds(named(clause)) or kinds
            for span in claims(clause).spans:
                days = (span[0] * 7, "days") if span[1] == "weeks" else span
                lines = [line for line in self._lines if {span, days} & line.said.spans]
                known = frozenset().union(*(line.topics for line in lines))
                if known and not matters & known:
                    return True
                of = [_kinds(line.named) for line in lines if matters & line.topics]
                excepting = any(_EXCEPTING.search(line.said.whole) for line in lines)
                if kinds and of and all(of) and not excepting and not any(kinds <= those for those in of):
                    return True
        return False

    def _of_another_order(self, sentence: str) -> bool:
        """Whether an order is said to be in a state that its line does not have."""
        codes: set[str] = set()
        for clause in clauses(plain(sentence)):
            codes = set(CODE.findall(clause)) or codes
            states = {status for status in _STATUSES if status in clause}
            lines = {code: [line for line in self._lines if joined(code) in joined(line.said.whole)] for code in codes}
            # Of a code that only the customer wrote nothing is known: no state, no parcel, nothing that is in it.
            if not all(lines.values()) and (states or any(lines.values()) or named(clause)):
                return True
            for those in lines.values() if states else ():
                known = {status for status in _STATUSES for line in those if status in line.said.whole}
                if known and not states <= known:
                    return True
        return False

    def _of_another_thing(self, sentence: str) -> bool:
        """Whether a price or a stock is said of a thing whose lines do not have it."""
        things: frozenset[tuple[str, str]] = frozenset()
        for clause in clauses(sentence):
            things = named(clause) or things
            said = claims(clause)
            figures = {amount for amount, _ in said.amounts}
            if STOCK.search(said.rest):
                figures |= numbers(said.rest)
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


#: A thing of an order line.
_ORDERED = re.compile(r"([^\s、×]+)×\d")
#: A line that names things in order to leave them out says nothing of the time that they have.
_EXCEPTING = re.compile(r"除|不|except")
_ARRIVES = re.compile(r"[内后就会能]到(?![期账底店时])")

_SORTS = ("kinds", "patterns", "colours")
#: What the shop's general lines are about, and not one of its things.
_GENERAL = re.compile(r"包邮|运费|邮费|满|减|免|优惠|postage|shipping|free|over|above")
#: As the shop's orders write what became of them.
_STATUSES = (*DEEDS, "待付款", "待发货")


def _bare(sentence: str) -> str:
    return sentence.strip(" \n。.!;~")


def _kinds(things: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    return {thing for thing in things if thing[0] == "kinds"}


def _contradicted(same: bool, things: frozenset[tuple[str, str]], goods: set[frozenset[tuple[str, str]]]) -> bool:
    """Whether things are (``same``) or are not among the goods, against what is said of them; «the mug» may be any."""
    if things == _kinds(things):
        return same and not any(things <= each for each in goods)
    return same != (things in goods)


def _figures(words: Iterable[Claims]) -> tuple[set[Decimal], set[Decimal]]:
    """The figures in a customer's words: those that say themselves what they are, and bare ones.

    His amounts are none: what he would like to pay is no price. A bare figure may be one as well («50行吗», «for 50?»),
    so it proves a size or a number of pieces, and never stands alone in a reply.
    """
    clearly: set[Decimal] = set()
    bare: set[Decimal] = set()
    for said in words:
        alone = {value(n) for n in BARE.findall(said.rest)}
        long = set() if OF_MONEY.search(said.rest) else {n for n in alone if n >= LONG}
        clearly |= (numbers(said.rest) - alone) | long
        bare |= alone
    return clearly, bare - clearly


def _contradicts(things: frozenset[tuple[str, str]], known: frozenset[tuple[str, str]], sort: str) -> bool:
    """Whether a thing is called by a kind, pattern or colour that its lines do not have; they may have none to tell."""
    of_sort = {name for kept, name in known if kept == sort}
    return bool(of_sort) and not {name for kept, name in things if kept == sort} <= of_sort
