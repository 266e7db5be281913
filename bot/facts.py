"""The shop's data, asked for one turn: plain lines with ids, only what this customer may know.

First form: products by their kind, pattern and colour as they are named, policy and frequent questions by shared
bigrams (FTS5's trigrams find nothing for a word of two characters, such as «退货»). A finer search belongs to the
knowledge room, behind the same port.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from bot.model import Customer, Fact, Facts, Offer, Order, Product, Seen, Variant
from bot.ports import Store

#: How much of a question must be met by a passage before it counts as being about it.
_ENOUGH = 0.34
_MOST_OFFERS = 4

_ORDER = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{2}\d{6,12})(?![A-Za-z0-9])")
_TAIL = re.compile(r"(?<!\d)(\d{4})(?!\d)")
_ORDER_WORDS = re.compile(
    r"订单|快递|物流|包裹|发货了|到哪|什么时候到|order|parcel|shipped|tracking|deliver", re.IGNORECASE
)


def money(amount: Decimal) -> str:
    """«89», «19.9»: as a price tag has it."""
    return f"{amount.normalize():f}"


def product_line(product: Product, variant: Variant) -> str:
    """``红色条纹T恤 89元 库存12件 尺码S/M/L 棉``: the form that the shipped model was trained to copy from."""
    parts = [variant.colour + product.name, f"{money(variant.price)}元"]
    parts.append(f"库存{variant.stock}件" if variant.stock else "缺货")
    if variant.sizes:
        parts.append("尺码" + "/".join(variant.sizes))
    if product.material:
        parts.append(product.material)
    return " ".join(parts)


def order_line(order: Order, *, parcel: bool = True) -> str:
    """``订单ZG260118 红色条纹T恤×1 已发货 顺丰SF1234567890``; the head of a prompt leaves the parcel out."""
    goods = "、".join(f"{line.name}×{line.quantity}" for line in order.lines)
    parts = [f"订单{order.number}", goods, order.status]
    if parcel and order.tracking:
        parts.append(order.carrier + order.tracking)
    return " ".join(parts)


def _named(names: Sequence[str], words: str) -> bool:
    """Whether one of a thing's names stands in the words; «杯子» also counts as «杯»."""
    for name in names:
        if name.isascii():
            if re.search(rf"\b{re.escape(name.lower())}(?:s|es)?\b", words):
                return True
        elif name.lower() in words or (len(name) == 2 and name.endswith("子") and name[0] in words):
            return True
    return False


def _grams(text: str) -> set[str]:
    """Bigrams of Han characters, and Latin words."""
    text = text.lower()
    out = set(re.findall(r"[a-z]{3,}", text))
    for run in re.findall(r"[\u3400-\u9fff]+", text):
        out.update(run[i : i + 2] for i in range(len(run) - 1))
    return out


class ShopFacts:
    """Implements :class:`~bot.ports.FactSource` over the store; ``shops`` names the shop of each (channel, account)."""

    def __init__(self, store: Store, shop: str, accounts: dict[tuple[str, str], str] | None = None) -> None:
        self._store = store
        self._shop = shop
        self._accounts = accounts or {}

    def shop_of(self, customer: Customer) -> str:
        return self._accounts.get((customer.channel, customer.account), self._shop)

    async def head(self, customer: Customer) -> Sequence[str]:
        orders = await self._store.orders(self.shop_of(customer), customer)
        return [order_line(order, parcel=False) for order in orders[:3]]

    async def facts(self, customer: Customer, words: str, seen: Seen | None) -> Facts:
        shop = self.shop_of(customer)
        products = await self._store.products(shop)
        if seen is not None:
            return _goods(_seen_variants(products, seen))
        orders = await self._orders(shop, customer, words)
        goods = _goods(_named_variants(products, words))
        passages = await self._passages(shop, words)
        return Facts(lines=(*orders, *goods.lines, *passages), offers=goods.offers)

    async def _orders(self, shop: str, customer: Customer, words: str) -> list[Fact]:
        """Orders that the customer proves to be his with this message, and his own when he asks about them."""
        number = _ORDER.search(words)
        if number and (tail := _TAIL.search(words.replace(number[1], " "))):
            order = await self._store.bind(shop, customer, number[1].upper(), tail[1])
            return [] if order is None else [Fact(id=f"order:{order.number}", text=order_line(order))]
        if not _ORDER_WORDS.search(words):
            return []
        mine = await self._store.orders(shop, customer)
        return [Fact(id=f"order:{order.number}", text=order_line(order)) for order in mine[:3]]

    async def _passages(self, shop: str, words: str) -> list[Fact]:
        asked = _grams(words)
        if not asked:
            return []
        known = [
            (f"policy:{s.id}:{n}", f"{s.title}：{text}", s.title + text)
            for s in await self._store.policy(shop)
            for n, text in enumerate(s.passages)
        ]
        known += [(f"faq:{f.id}", f"{f.question}：{f.answer}", f.question) for f in await self._store.faq(shop)]
        grams = [_grams(text) for _, _, text in known]
        frequency = Counter(gram for found in grams for gram in found)
        weight = {gram: math.log(1 + len(known) / (1 + frequency[gram])) for gram in asked}
        whole = sum(weight.values())
        scored = [
            (sum(weight[gram] for gram in asked & found) / whole, at) for at, found in enumerate(grams) if asked & found
        ]
        scored.sort(key=lambda pair: (-pair[0], pair[1]))
        return [Fact(id=known[at][0], text=known[at][1]) for score, at in scored[:2] if score >= _ENOUGH]


def _seen_variants(products: Sequence[Product], seen: Seen) -> list[tuple[Product, Variant]]:
    """The variant in the photo; else the same article in its other colours, those in stock first."""
    for product in products:
        if product.kind == seen.kind and product.pattern == seen.pattern:
            exact = [v for v in product.variants if v.colour == seen.colour]
            others = sorted(product.variants, key=lambda v: v.stock == 0)
            return [(product, v) for v in exact or others]
    return []


def _named_variants(products: Sequence[Product], words: str) -> list[tuple[Product, Variant]]:
    """What the words name: a kind is a must; pattern and colour narrow it down when they are said."""
    words = words.lower()
    of_kind = [p for p in products if _named((p.kind, *p.kind_also), words)]
    patterned = [p for p in of_kind if _named((p.pattern, *p.pattern_also), words)]
    found = [(p, v) for p in patterned or of_kind for v in p.variants]
    coloured = [(p, v) for p, v in found if _named((v.colour, v.colour[0], *v.colour_also), words)]
    if coloured:
        found = coloured
    # The plain article first when no pattern was asked for, one colour of each, those in stock before the others.
    first: dict[str, int] = {}
    ranked = []
    for at, (p, v) in enumerate(found):
        first[p.id] = first.get(p.id, -1) + 1
        ranked.append((v.stock == 0, first[p.id], p.pattern != "纯色", at))
    return [found[rank[-1]] for rank in sorted(ranked)]


def _goods(found: Sequence[tuple[Product, Variant]]) -> Facts:
    return Facts(
        lines=tuple(Fact(id=f"product:{v.sku}", text=product_line(p, v)) for p, v in found),
        offers=tuple(
            Offer(product=v.sku, name=v.colour + p.name, price=v.price, stock=v.stock, picture=v.picture)
            for p, v in found[:_MOST_OFFERS]
        ),
    )
