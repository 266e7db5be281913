"""A shop's data as plain values: what the search needs of the store, and facts by script."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import cast

from bot.model import Customer, Fact, Facts, Faq, Knowledge, Order, PolicySection, Product, Seen, joined
from bot.ports import Store


class Shelf:
    """The shop methods of :class:`bot.ports.Store`, over values."""

    def __init__(self, knowledge: Knowledge, shop: str = "") -> None:
        self._knowledge = {shop: knowledge}
        self._bound: dict[Customer, list[Order]] = {}

    @classmethod
    def store(cls, knowledge: Knowledge, shop: str = "") -> Store:
        """As a whole store: who asks for more than the shop's data gets an :class:`AttributeError`."""
        return cast(Store, cls(knowledge, shop))

    def add(self, shop: str, knowledge: Knowledge) -> None:
        self._knowledge[shop] = knowledge

    async def products(self, shop: str) -> list[Product]:
        return list(self._knowledge[shop].products)

    async def policy(self, shop: str) -> list[PolicySection]:
        return list(self._knowledge[shop].policy)

    async def faq(self, shop: str) -> list[Faq]:
        return list(self._knowledge[shop].faq)

    async def orders(self, shop: str, customer: Customer) -> list[Order]:
        mine = [o for o in self._bound.get(customer, []) if o in self._knowledge[shop].orders]
        return sorted(mine, key=lambda o: o.at, reverse=True)

    async def bind(self, shop: str, customer: Customer, number: str, phone_tail: str) -> Order | None:
        for order in self._knowledge[shop].orders:
            if joined(order.number) == joined(number) and order.phone_tail == phone_tail:
                self._bound.setdefault(customer, []).append(order)
                return order
        return None


class ScriptedFacts:
    """Implements :class:`bot.ports.FactSource`: ``found`` answers each question, questions are recorded."""

    def __init__(
        self, found: Callable[[str, Seen | None], Facts] = lambda words, seen: Facts(), head: Sequence[str] = ()
    ) -> None:
        self._found = found
        #: The customer's order lines; a test may move them on.
        self.ordered = head
        self.asked: list[tuple[str, Seen | None]] = []
        #: What was told, as its rows stand now; a test may change a row or take it away.
        self.rows: dict[str, Fact] = {}

    async def facts(self, customer: Customer, words: str, seen: Seen | None) -> Facts:
        self.asked.append((words, seen))
        found = self._found(words, seen)
        self.rows |= {fact.id: fact for fact in found.lines}
        return found

    async def current(self, customer: Customer, ids: Collection[str]) -> Sequence[Fact]:
        return [self.rows[id_] for id_ in ids if id_ in self.rows]

    async def orders(self, customer: Customer) -> Sequence[str]:
        return self.ordered
