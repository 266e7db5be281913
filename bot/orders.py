"""Orders in what a customer writes: which ones he names, which are his, and what he may be told of them.

An order's number may look like anything that shops use: «ZG260118», «20261120000123», «TB-2026-77». So whatever looks
like a code is taken for one and compared with the numbers that exist, *joined*: without hyphens and blanks, in capital
letters. A message that names codes is about these and no others: it never brings up another order of his.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic

from bot.model import Customer, Fact, Facts, Order, Unproven, joined
from bot.numerals import folded
from bot.ports import Store

_log = logging.getLogger(__name__)

#: Orders that one message is told of, codes that it may prove, and phone tails that it may try for each.
_MOST_ORDERS, _MOST_CODES, _MOST_TAILS = 3, 5, 3

_HOUR_S, _DAY_S = 3600.0, 86400.0
#: Messages with wrong phone tails, before there is a pause: of one customer for one order, of all customers for one
#: order (a new name costs a guesser nothing), and of one customer for all orders.
_MOST_BY_BOTH, _MOST_BY_ORDER, _MOST_BY_CUSTOMER = 5, 30, 20
#: Orders or customers that are watched at a time: numbers that were made up must not fill the memory.
_MOST_WATCHED = 10_000

#: Letters, digits and hyphens; up to four letters may stand apart in front of figures: «ZG 260118».
_TOKEN = re.compile(r"(?<![A-Za-z0-9])(?:([A-Za-z]{1,4}) (?=\d))?([A-Za-z0-9]+(?:-[A-Za-z0-9]+)*)")
_MOBILE = re.compile(r"(?:(?:00)?86)?1[3-9]\d{9}")
_DATE = re.compile(r"20\d\d(?:-\d{1,2}-\d{1,2}|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))")
_LINK = re.compile(r"https?://[!-~]+", re.IGNORECASE)
#: «ZG260118-4321»: the tail may hang on the number.
_TAILED = re.compile(r"(.+)-(\d{4})")
_TAIL_NAMED = re.compile(
    r"(?:尾号|后\s*[四4]\s*位|手机|电话|last (?:4|four)|phone)[^\d]{0,12}\d{0,7}(\d{4})(?!\d)", re.IGNORECASE
)
_TAIL = re.compile(r"(?<!\d)(\d{4})(?![\d年])")
_ORDER_WORDS = re.compile(
    r"订单|快递|物流|包裹|发货了|到哪|什么时候到|order|parcel|shipped|tracking|deliver", re.IGNORECASE
)
#: What stands right before or behind a code that is called an order's: «订单号是 ZG260118», «ZG260118这个订单».
_CALLED = re.compile(r"(?:订单|(?<!退货)(?<!运)单号|查一?下?|\border)[^\d,;，。；]{0,10}\Z", re.IGNORECASE)
_CALLED_AFTER = re.compile(r"[^\d,.;，。；]{0,6}(?:订单|到哪|到了|发货|物流|什么时候[到发])")


def order_line(order: Order, *, parcel: bool = True) -> str:
    """``订单ZG260118 红色条纹T恤×1 已发货 顺丰SF1234567890``; the head of a prompt leaves the parcel out."""
    goods = "、".join(f"{line.name}×{line.quantity}" for line in order.lines)
    parts = [f"订单{order.number}", goods, order.status]
    if parcel and order.tracking:
        parts.append(order.carrier + order.tracking)
    return " ".join(parts)


def match_line(name: str) -> str:
    """Whether an order has what a photo shows: by the ordered thing's name, empty for none of them."""
    return f"订单里有{name}" if name else "订单里没有照片里的这款"


def order_fact(order: Order) -> Fact:
    return Fact(id=f"order:{order.number}", text=order_line(order))


# ------------------------------------------------------------------------------------------------ what is named


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a message names that may belong to an order."""

    #: Code by code, each in the joined spellings that it may be meant in, the likeliest first.
    codes: tuple[tuple[str, ...], ...]
    #: Four figures that may end a phone number: those that are called so come first.
    tails: tuple[str, ...]
    #: By a code, the tail that hangs on it; it is proof for this code only, as it may be a part of a longer one.
    hung: Mapping[str, str]
    #: The first line says nothing else.
    bare: bool
    #: Those of the codes that are called an order's.
    called: frozenset[tuple[str, ...]]
    #: It has a tail that is called one, or that is all of its first line.
    tail: bool

    def proofs(self, code: str) -> tuple[str, ...]:
        """The tails that may be tried for a code."""
        own = [self.hung[code]] if code in self.hung else []
        return tuple(dict.fromkeys([*own, *self.tails]))[:_MOST_TAILS]


def named(words: str) -> Named:
    """The codes and phone tails in a customer's words. A mobile number is a tail, a date and a link are neither."""
    codes: dict[tuple[str, ...], None] = {}
    called: list[str] = []
    hung: dict[str, str] = {}
    orders: set[tuple[str, ...]] = set()

    def cut(token: re.Match[str]) -> str:
        """Takes the token out when it is understood: the figures of a code must not be taken for a phone's."""
        code = token[2]
        if _MOBILE.fullmatch(joined(code)):
            called.append(code[-4:])
            return " "
        if _DATE.fullmatch(code):
            return " "
        spellings = _spellings(token[1] or "", code)
        if not spellings:
            return token[0]
        codes[spellings] = None
        if _CALLED.search(token.string[: token.start()]) or _CALLED_AFTER.match(token.string, token.end()):
            orders.add(spellings)
        if tailed := _TAILED.fullmatch(code):
            hung[joined(tailed[1])] = tailed[2]
        return " "

    rest = _TOKEN.sub(cut, _LINK.sub(" ", folded(words)))
    named_tails = _TAIL_NAMED.findall(rest)
    return Named(
        codes=tuple(codes),
        tails=(*named_tails, *called, *_TAIL.findall(rest)),
        hung=hung,
        bare=not re.search(r"\w", _TAIL.sub(" ", rest.partition("\n")[0])),
        called=frozenset(orders),
        tail=bool(named_tails) or _TAIL.fullmatch(rest.partition("\n")[0].strip()) is not None,
    )


def nameable(number: str) -> bool:
    """Whether a customer who writes this number is understood: else the order could never be asked for."""
    return any(joined(number) in spellings for spellings in named(number).codes)


def _spellings(front: str, code: str) -> tuple[str, ...]:
    """What a token may mean, joined; nothing when it does not look like an order's number."""
    meant = [code]
    # «in 4321» is a phone's tail; «no 260118» may be the number alone.
    if front and sum(map(str.isdigit, code)) > 4:
        meant.insert(0, front + code)
    if tailed := _TAILED.fullmatch(code):
        meant.append(tailed[1])
    return tuple(c for c in dict.fromkeys(map(joined, meant)) if 6 <= len(c) <= 32 and sum(map(str.isdigit, c)) >= 4)


# ------------------------------------------------------------------------------------------------ what is guessed


class _Count:
    """How often something happened to a key within the last ``seconds``."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._times: dict[Hashable, list[float]] = {}

    def full(self, key: Hashable) -> bool:
        return len(self._recent(key)) >= self._most

    def add(self, key: Hashable) -> None:
        # The newest stand last, so that the first is the one to forget.
        times = self._recent(key)
        self._times.pop(key, None)
        self._times[key] = [*times, self._clock()]
        if len(self._times) > _MOST_WATCHED:
            del self._times[next(iter(self._times))]

    def take_back(self, key: Hashable) -> None:
        if times := self._times.get(key):
            times.pop()

    def _recent(self, key: Hashable) -> list[float]:
        return [at for at in self._times.get(key, ()) if self._clock() - at < self._seconds]


class _Guesses:
    """Messages with phone tails that were wrong. Four figures are soon guessed: so few tries, then a pause.

    A stranger's tries count for him and, with far more room, for the order: else anybody could shut the others out.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._by_both = _Count(_MOST_BY_BOTH, _HOUR_S, clock)
        self._by_order = _Count(_MOST_BY_ORDER, _DAY_S, clock)
        self._by_customer = _Count(_MOST_BY_CUSTOMER, _DAY_S, clock)
        #: Tails that were wrong: told again, by him or by an answer that is tried again, they are no further guess.
        self._wrong: dict[Hashable, None] = {}

    def fresh(self, shop: str, customer: Customer, number: str, tails: Iterable[str]) -> list[str]:
        """Those of the tails that were not found wrong before."""
        return [tail for tail in tails if (shop, customer, number, tail) not in self._wrong]

    def wrong(self, shop: str, customer: Customer, number: str, tails: Iterable[str]) -> None:
        self._wrong |= {(shop, customer, number, tail): None for tail in tails}
        while len(self._wrong) > _MOST_WATCHED:
            del self._wrong[next(iter(self._wrong))]

    def begin(self, shop: str, customer: Customer, number: str) -> bool:
        """Whether a try is allowed; it counts as wrong until it is taken back, so that tries at one time count too."""
        counts = self._counts(shop, customer, number)
        if any(count.full(key) for count, key in counts):
            return False
        for count, key in counts:
            count.add(key)
        return True

    def failed(self, shop: str, number: str) -> None:
        """A try stays counted. Tells the owner when it was the last one that the order had."""
        if self._by_order.full((shop, number)):
            # The number may be one that a customer made up, and his words are in no log: its end will do.
            _log.warning(
                "shop %s: %d messages within a day had a wrong phone tail for the order …%s; it opens to nobody new"
                " until a day has passed",
                shop,
                _MOST_BY_ORDER,
                number[-4:],
            )

    def take_back(self, shop: str, customer: Customer, number: str) -> None:
        for count, key in self._counts(shop, customer, number):
            count.take_back(key)

    def _counts(self, shop: str, customer: Customer, number: str) -> tuple[tuple[_Count, Hashable], ...]:
        return (
            (self._by_both, (shop, customer, number)),
            (self._by_order, (shop, number)),
            (self._by_customer, customer),
        )


# ------------------------------------------------------------------------------------------------ what is told


class Orders:
    """What a customer is told of orders: of his own, and of those that a message proves to be his."""

    def __init__(self, store: Store, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._guesses = _Guesses(clock)

    async def asked(self, shop: str, customer: Customer, words: str) -> Facts:
        """The orders that the words name and that are his; his newest when they ask about orders and name none."""
        told = named(words)
        if not told.codes and not _ORDER_WORDS.search(folded(words)):
            return Facts()
        mine = await self._store.orders(shop, customer)
        if told.codes:
            mine = await self._named(shop, customer, told, mine)
        return Facts(lines=tuple(map(order_fact, mine[:_MOST_ORDERS])), unproven=_unproven(told, mine))

    async def _named(self, shop: str, customer: Customer, told: Named, mine: list[Order]) -> list[Order]:
        """The orders that are named by their numbers or their parcels' numbers."""
        found = _meant(mine, told)
        unknown = [spellings for spellings in told.codes if not _among(mine, spellings)]
        wrong: list[str] = []
        for spellings in unknown[:_MOST_CODES]:
            tried, order = await self._proven(shop, customer, told, spellings)
            if order is None:
                wrong += tried
                continue
            found.append(order)
            for number in tried:
                self._guesses.take_back(shop, customer, number)
        for number in wrong:
            if _among(found, (number,)):  # the parcel of an order that is proven beside it
                self._guesses.take_back(shop, customer, number)
            else:
                self._guesses.failed(shop, number)
        return list({order.number: order for order in found}.values())

    async def _proven(
        self, shop: str, customer: Customer, told: Named, spellings: Iterable[str]
    ) -> tuple[list[str], Order | None]:
        """The numbers that were tried, and the order when number and tail belong together."""
        tried: list[str] = []
        for number in spellings:
            tails = self._guesses.fresh(shop, customer, number, told.proofs(number))
            if not tails or not self._guesses.begin(shop, customer, number):
                continue
            tried.append(number)
            for tail in tails:
                if order := await self._store.bind(shop, customer, number, tail):
                    return tried, order
            self._guesses.wrong(shop, customer, number, tails)
        return tried, None


def meant(orders: Iterable[Order], words: str) -> list[Order]:
    """Those of a customer's orders that words name by their numbers, or by their parcels' numbers; all of them where
    no number is named.
    """
    told = named(words)
    return _meant(orders, told) if told.codes else list(orders)


def _meant(orders: Iterable[Order], told: Named) -> list[Order]:
    return [order for spellings in told.codes if (order := _among(orders, spellings))]


def _unproven(told: Named, found: Collection[Order]) -> Unproven | None:
    """What is lacking to find an order that was clearly asked for. A tax number beside an amount asks for none.

    Whether the number is wrong, its tail, or the guesses are used up, looks the same from outside.
    """
    if not told.codes:
        return "number" if told.tail and not found else None
    lacking = [each for each in told.codes if (told.bare or each in told.called) and not _among(found, each)]
    if not lacking:
        return None
    return "wrong" if any(told.proofs(code) for spellings in lacking for code in spellings) else "tail"


def _among(orders: Iterable[Order], spellings: Iterable[str]) -> Order | None:
    wanted = set(spellings)
    return next((order for order in orders if {joined(order.number), joined(order.tracking)} & wanted), None)
