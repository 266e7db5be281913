"""The shop's data, asked for one turn: plain lines with ids, only what this customer may know.

First form: products by their kind, pattern and colour as they are named, policy and frequent questions by topics and
shared bigrams (FTS5's trigrams find nothing for a word of two characters, such as «退货»). What customers call things
stands in ``words/search.toml``. A finer search belongs to the knowledge room, behind the same port.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from time import monotonic

from bot.model import Customer, Fact, Facts, Offer, Order, Product, Seen, Variant, money
from bot.orders import Orders, match_line, meant, order_fact, order_line
from bot.ports import Store
from bot.vocabulary import PLAIN, vocabulary

#: How much of a question must be met by a passage before it counts as being about it.
_ENOUGH = 0.4
#: What a topic weighs against a bigram, and what it is worth that a passage has no other topics.
_TOPIC, _POINTED = 2.0, 0.2
_MOST_PASSAGES = 2
_MOST_OFFERS = 4


def product_line(product: Product, variant: Variant) -> str:
    """``红色条纹T恤 89元 库存12件 尺码S/M/L 棉``: the form that the shipped model was trained to copy from."""
    parts = [product.named(variant), f"{money(variant.price)}元"]
    parts.append(f"库存{variant.stock}件" if variant.stock else "缺货")
    if variant.sizes:
        parts.append("尺码" + "/".join(variant.sizes))
    if product.material:
        parts.append(product.material)
    return " ".join(parts)


@lru_cache(maxsize=1024)
def _said_by_shop(text: str) -> frozenset[str]:
    return frozenset(_terms(text))


def _terms(text: str) -> set[str]:
    """Topics, Latin words, and bigrams of the Han characters between; idle words count nothing."""
    known, text = vocabulary(), text.lower()
    out = {known.topic_of[m[0]] for m in known.topics.finditer(text)}
    text = known.idle.sub(" ", known.topics.sub(" ", text))
    out.update(re.findall(r"[a-z]{3,}", text))
    for run in re.findall(r"[\u3400-\u9fff]+", text):
        out.update(run[i : i + 2] for i in range(max(1, len(run) - 1)))
    return out


def _about(question: str, passages: Sequence[str]) -> list[int]:
    """The passages that a question is about, the closest first. An empty list is the usual answer."""
    asked, topics = _terms(question), set(vocabulary().topic_of.values())
    known = [_said_by_shop(text) for text in passages]
    frequency = Counter(term for terms in known for term in terms)
    weight = {t: math.log(1 + len(known) / (1 + frequency[t])) * (_TOPIC if t in topics else 1) for t in asked}
    whole = sum(weight.values())
    ranked: list[tuple[float, int]] = []
    for at, terms in enumerate(known):
        share = sum(weight[term] for term in asked & terms) / whole if asked & terms else 0.0
        if share >= _ENOUGH:
            own = terms & topics
            pointed = len(own & asked) / len(own) if own else 0.0
            ranked.append((-share - _POINTED * pointed, at))
    return [at for _, at in sorted(ranked)[:_MOST_PASSAGES]]


# ------------------------------------------------------------------------------------------------ products


def _names(name: str, also: Sequence[str]) -> list[str]:
    return [n for n in (name, *also, *vocabulary().names.get(name, ())) if n]


def _named(names: Sequence[str], words: str) -> bool:
    """Whether one of a thing's names stands in the words (lower case); «杯子» also counts as «杯»."""
    for name in map(str.lower, names):
        if name.isascii():
            if re.search(rf"(?<![a-z]){re.escape(name)}(?:s|es)?(?![a-z])", words):
                return True
        elif name in words or (len(name) == 2 and name.endswith("子") and name[0] in words):
            return True
    return False


def _is(names: Sequence[str], word: str) -> bool:
    """Whether a word is one of a thing's names, and not only like it: «粉红色» is no red, «短裤» no trousers."""
    word = word.strip().lower()
    return any(name.lower() in (word, word + "色", word.removesuffix("s"), word.removesuffix("色")) for name in names)


def _coloured(variant: Variant, words: str) -> bool:
    names = _names(variant.colour, variant.colour_also)
    short = variant.colour.endswith("色") and _short(variant.colour[0]).search(words)
    return bool(short) or _named(names, words)


@lru_cache(maxsize=256)
def _short(sign: str) -> re.Pattern[str]:
    """«红» for «红色», where it is said of a thing («红裙子», «要红的»): in «明白» and «红包» there is no colour."""
    thing = rf"[色的款裙鞋裤帽伞杯袜衫]|[a-z]|{vocabulary().named.pattern}"
    before = r"(?:^|[^\u3400-\u9fff]|[要有选拿换是和])"
    return re.compile(rf"{sign}(?:{thing})|{before}{sign}(?![\u3400-\u9fff])")


def _of_kind(product: Product, seen: Seen) -> bool:
    return _named(_names(product.kind, product.kind_also), seen.kind.lower())


def _patterned(product: Product, seen: Seen) -> bool:
    pattern = seen.pattern.lower()
    if product.pattern in PLAIN and pattern in PLAIN:
        return True
    return _named(_names(product.pattern, product.pattern_also), pattern)


def _seen_variants(products: Sequence[Product], seen: Seen) -> list[tuple[Product, Variant]]:
    """The variants that look like the photo; else the same articles in their other colours, those in stock first."""
    alike = [(p, v) for p in products if _of_kind(p, seen) and _patterned(p, seen) for v in p.variants]
    coloured = [pair for pair in alike if _coloured(pair[1], seen.colour.lower())]
    return coloured or sorted(alike, key=lambda pair: not pair[1].stock)


def _alike(product: Product, variant: Variant, seen: Seen) -> bool | None:
    """Whether a row is what was seen. ``None``: not by its names, but neither is it certainly something else."""
    pairs = (
        ((product.kind, *product.kind_also), seen.kind),
        ((product.pattern, *product.pattern_also), seen.pattern),
        ((variant.colour, *variant.colour_also), seen.colour),
    )
    plain = product.pattern in PLAIN and seen.pattern in PLAIN
    if all(_is(_names(own[0], own[1:]), word) or (plain and word == seen.pattern) for own, word in pairs):
        return True
    # A field that is empty tells nothing.
    return False if any(_differs(own, word) for own, word in pairs) else None


def _differs(own: Sequence[str], word: str) -> bool:
    """Whether a word certainly names something else: both are everyday names, and of two different things. «藏青色»
    is none: what a model calls blue may be it.
    """
    known = vocabulary().name_of
    mine = {known[name.lower()] for name in own if name.lower() in known}
    other = known.get(word.strip().lower())
    return other is not None and bool(mine) and other not in mine


def _match(orders: Sequence[Order], products: Sequence[Product], seen: Seen) -> list[Fact]:
    """Whether an order has a thing like the one in the photo: that is a verdict, so it is held to whole words where the
    search is generous. Nothing when the data cannot tell, or an ordered row is gone.
    """
    rows = {v.sku: (p, v) for p in products for v in p.variants}
    ordered = [(line, rows.get(line.sku)) for order in orders for line in order.lines]
    told = [_alike(*row, seen) if row else None for _, row in ordered]
    if True in told:
        return [Fact(id="match", text=match_line(ordered[told.index(True)][0].name))]
    return [Fact(id="match", text=match_line(""))] if told and None not in told else []


def _named_variants(products: Sequence[Product], words: str) -> list[tuple[Product, Variant]]:
    """What the words name: a kind is a must; pattern and colour narrow it down when they are said."""
    words = words.lower()
    of_kind = [p for p in products if _named(_names(p.kind, p.kind_also), words)]
    patterned = [p for p in of_kind if _named(_names(p.pattern, p.pattern_also), words)]
    found = [(p, v) for p in patterned or of_kind for v in p.variants]
    coloured = [(p, v) for p, v in found if _coloured(v, words)]
    # «红色连衣裙» is the plain one, in stock or not; who asks for dresses gets one of each that can be had.
    meant = bool(coloured) and not patterned
    of_product: Counter[str] = Counter()
    ranked = []
    for at, (p, v) in enumerate(coloured or found):
        fancy = p.pattern not in PLAIN
        ranked.append((meant and fancy, not v.stock, of_product[p.id], fancy, at))
        of_product[p.id] += 1
    return [(coloured or found)[rank[-1]] for rank in sorted(ranked)]


def _good(product: Product, variant: Variant) -> Fact:
    return Fact(id=f"product:{variant.sku}", text=product_line(product, variant))


def _goods(found: Sequence[tuple[Product, Variant]]) -> Facts:
    return Facts(
        lines=tuple(_good(p, v) for p, v in found),
        offers=tuple(
            Offer(product=v.sku, name=p.named(v), price=v.price, stock=v.stock, picture=v.picture)
            for p, v in found[:_MOST_OFFERS]
        ),
    )


class ShopFacts:
    """Implements :class:`~bot.ports.FactSource` over the store.

    ``accounts`` names the shop of a (channel, account), and may grow; all others are ``shop``'s. ``clock`` counts the
    seconds of the pauses after wrong phone tails.
    """

    def __init__(
        self,
        store: Store,
        shop: str,
        accounts: Mapping[tuple[str, str], str],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._store = store
        self._shop = shop
        self._accounts = accounts
        self._orders = Orders(store, clock)

    def shop_of(self, customer: Customer) -> str:
        return self._accounts.get((customer.channel, customer.account), self._shop)

    async def orders(self, customer: Customer) -> Sequence[str]:
        orders = await self._store.orders(self.shop_of(customer), customer)
        return [order_line(order, parcel=False) for order in orders]

    async def facts(self, customer: Customer, words: str, seen: Seen | None) -> Facts:
        shop = self.shop_of(customer)
        products = await self._store.products(shop)
        if seen is not None:
            goods = _goods(_seen_variants(products, seen))
            mine = await self._store.orders(shop, customer)
            match = _match(meant(mine, words), products, seen)
            return replace(goods, lines=(*match, *goods.lines))
        orders = await self._orders.asked(shop, customer, words)
        goods = _goods(_named_variants(products, words))
        passages = await self._passages(shop, words)
        # Goods last: a kind alone names a dozen, and what comes behind the model's measure is cut off.
        lines = (*orders.lines, *passages, *goods.lines)
        return Facts(lines=lines, offers=goods.offers, unproven=orders.unproven)

    async def current(self, customer: Customer, ids: Collection[str]) -> Sequence[Fact]:
        shop = self.shop_of(customer)
        sorts = {id_.partition(":")[0] for id_ in ids}
        rows: list[Fact] = []
        # A conversation is mostly about one sort of thing: the other tables are not read.
        if "product" in sorts:
            rows += [_good(p, v) for p in await self._store.products(shop) for v in p.variants]
        if "order" in sorts:
            rows += map(order_fact, await self._store.orders(shop, customer))
        if sorts & {"policy", "faq"}:
            rows += [fact for fact, _ in await self._texts(shop)]
        now = {fact.id: fact for fact in rows}
        return [now[id_] for id_ in ids if id_ in now]

    async def _passages(self, shop: str, words: str) -> list[Fact]:
        known = await self._texts(shop)
        return [known[at][0] for at in _about(words, [searched for _, searched in known])]

    async def _texts(self, shop: str) -> list[tuple[Fact, str]]:
        """Policy and frequent questions: (line, what of it is searched)."""
        known = [
            (Fact(id=f"policy:{s.id}:{n}", text=f"{s.title}：{text}"), f"{s.title}，{text}")
            for s in await self._store.policy(shop)
            for n, text in enumerate(s.passages)
        ]
        known += [
            (Fact(id=f"faq:{f.id}", text=f"{f.question}：{f.answer}"), f.question) for f in await self._store.faq(shop)
        ]
        return known
