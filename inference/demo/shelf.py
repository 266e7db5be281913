"""Fact lines as the shop's data writes them, their figures random: what can only be copied is copied."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inference.demo.items import COLOURS, KINDS, MATERIALS, PATTERNS, Item

SIZES = {"连衣裙": ("S", "M", "L", "XL"), "T恤": ("S", "M", "L", "XL"), "裤子": ("M", "L", "XL", "XXL"),
         "鞋子": ("36", "37", "38", "39", "40", "41", "42"), "帽子": ("S", "M", "L"), "袜子": ("S", "M",
         "L")}  # fmt: skip
STATUSES = ("待付款", "已付款", "已发货", "已签收", "已退款")


@dataclass(frozen=True, slots=True)
class Line:
    """A product line and what it says."""

    name: str
    kind: str
    price: str
    stock: int
    sizes: str
    material: str

    @property
    def text(self) -> str:
        parts = [self.name, f"{self.price}元", f"库存{self.stock}件" if self.stock else "缺货"]
        return " ".join(filter(None, [*parts, f"尺码{self.sizes}" if self.sizes else "", self.material]))

    def answer(self, ask: str) -> str:
        here = f"有现货，还有{self.stock}件" if self.stock else "暂时缺货"
        match ask:
            case "price":
                return f"{self.name}{self.price}元。"
            case "stock":
                return f"{self.name}{here}。"
            case "size":
                return f"{self.name}有{self.sizes}码。" if self.sizes else f"{self.name}不分尺码。"
            case "material":
                return f"{self.name}是{self.material}的。"
        return f"{self.name}{self.price}元，{here}。"


def line(rng: random.Random, colour: str, pattern: str, kind: str, material: str = "") -> Line:
    sizes = SIZES.get(kind, ())
    if sizes:
        start = rng.randrange(0, max(1, len(sizes) - 2))
        sizes = sizes[start : start + rng.randint(2, 4)]
    price = str(rng.choice((rng.randint(5, 60), rng.randint(20, 399)))) + (
        rng.choice((".9", ".5", ".8")) if rng.random() < 0.2 else ""
    )
    return Line(
        f"{colour}{'' if pattern == '纯色' else pattern}{kind}", kind, price,
        0 if rng.random() < 0.18 else rng.randint(1, 99),
        "/".join(sizes), material or rng.choice(tuple(MATERIALS[kind].values())),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class OrderFact:
    number: str
    goods: tuple[tuple[str, int], ...]
    status: str
    parcel: str

    def text(self, *, parcel: bool) -> str:
        goods = "、".join(f"{name}×{n}" for name, n in self.goods)
        return f"订单{self.number} {goods} {self.status}" + (f" {self.parcel}" if parcel and self.parcel else "")

    def state(self, *, parcel: bool) -> str:
        more = {"待付款": "，还没有付款", "已付款": "，正在准备发货"}.get(self.status, "")
        return f"订单{self.number}{self.status}{more}" + (f"，{self.parcel}" if parcel and self.parcel else "")


def order(rng: random.Random, name: str = "") -> OrderFact:
    goods = [name or any_name(rng)] + ([any_name(rng)] if rng.random() < 0.2 else [])
    rng.shuffle(goods)
    status = rng.choice(STATUSES)
    sent = status in ("已发货", "已签收")
    parcel = (
        rng.choice(("顺丰SF", "中通ZT", "圆通YT", "京东JD")) + "".join(rng.choice("0123456789") for _ in range(10))
        if sent
        else ""
    )
    number = "ZG" + "".join(rng.choice("0123456789") for _ in range(6))
    return OrderFact(number, tuple((g, rng.choice((1, 1, 1, 2, 3))) for g in goods), status, parcel)


def match(name: str) -> str:
    """Whether an order has what a photo shows: by the ordered thing's name, empty for none of them."""
    return f"订单里有{name}" if name else "订单里没有照片里的这款"


def any_name(rng: random.Random) -> str:
    pattern = rng.choice(PATTERNS)
    return f"{rng.choice(COLOURS)}{'' if pattern == '纯色' else pattern}{rng.choice(KINDS)}"


def near(item: Item, rng: random.Random) -> str:
    """A name that differs from the item's in one respect, or in two or three: each of them often alone, for what is
    rarely all that differs is never learned.
    """
    differ = rng.sample(("kind", "colour", "pattern"), rng.choice((1, 1, 1, 2, 3)))

    def other(what: str, values: Sequence[str]) -> str:
        own = str(getattr(item, what))
        return rng.choice([value for value in values if value != own]) if what in differ else own

    colour, pattern, kind = other("colour", COLOURS), other("pattern", PATTERNS), other("kind", KINDS)
    return f"{colour}{'' if pattern == '纯色' else pattern}{kind}"


def kind_of(name: str) -> str:
    """The kind at the end of a product's name."""
    return next(kind for kind in KINDS if name.endswith(kind))


def item(name: str, like: Item) -> Item:
    """The thing of that name, in count and damage like another one."""
    kind = kind_of(name)
    rest = name.removesuffix(kind)
    finish = like.finish if like.finish in MATERIALS[kind] else ""
    return replace(like, kind=kind, colour=rest[:2], pattern=rest[2:] or "纯色", finish=finish)
