"""What the demonstration shop sells, as the pictures show it.

An :class:`Item` is the complete label of one picture: every word that the model may say about a photo stands
here, once.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

KINDS = ("连衣裙", "T恤", "裤子", "鞋子", "杯子", "背包", "手机壳", "帽子", "雨伞", "袜子")
COLOURS = ("红色", "橙色", "黄色", "绿色", "蓝色", "紫色", "黑色", "白色", "粉色", "灰色")
PATTERNS = ("纯色", "条纹", "波点", "格子")
DEFECTS = ("破洞", "污渍", "裂痕")
PLACES = ("上方", "下方", "左边", "右边", "中间")
FINISHES = ("光泽", "织纹", "哑光")
QUALITIES = ("清晰", "太暗", "模糊")

#: A kind is made of one of two materials, and the finish of its surface tells which.
MATERIALS: dict[str, dict[str, str]] = {
    "连衣裙": {"哑光": "棉", "织纹": "针织"},
    "T恤": {"哑光": "棉", "织纹": "针织"},
    "裤子": {"哑光": "棉", "织纹": "牛仔"},
    "鞋子": {"织纹": "帆布", "光泽": "皮"},
    "杯子": {"光泽": "陶瓷", "哑光": "陶土"},
    "背包": {"织纹": "帆布", "光泽": "皮"},
    "手机壳": {"哑光": "硅胶", "光泽": "塑料"},
    "帽子": {"哑光": "棉", "织纹": "针织"},
    "雨伞": {"哑光": "涤纶", "光泽": "塑料"},
    "袜子": {"哑光": "棉", "织纹": "针织"},
}

#: The measure word that a kind is counted with.
MEASURES = {
    "连衣裙": "条", "T恤": "件", "裤子": "条", "鞋子": "只", "杯子": "个",
    "背包": "个", "手机壳": "个", "帽子": "顶", "雨伞": "把", "袜子": "只",
}  # fmt: skip

ENGLISH = {
    "连衣裙": "dress", "T恤": "T-shirt", "裤子": "trousers", "鞋子": "shoe", "杯子": "mug", "背包": "backpack",
    "手机壳": "phone case", "帽子": "cap", "雨伞": "umbrella", "袜子": "sock",
    "红色": "red", "橙色": "orange", "黄色": "yellow", "绿色": "green", "蓝色": "blue", "紫色": "purple",
    "黑色": "black", "白色": "white", "粉色": "pink", "灰色": "grey",
    "纯色": "plain", "条纹": "striped", "波点": "dotted", "格子": "checked",
    "破洞": "hole", "污渍": "stain", "裂痕": "crack",
    "上方": "top", "下方": "bottom", "左边": "left", "右边": "right", "中间": "middle",
    "棉": "cotton", "针织": "knit", "牛仔": "denim", "帆布": "canvas", "皮": "leather", "陶瓷": "porcelain",
    "陶土": "clay", "硅胶": "silicone", "塑料": "plastic", "涤纶": "polyester",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One picture's content. A defect is only drawn on a lone item: of several one could not say which."""

    kind: str
    colour: str
    pattern: str = "纯色"
    finish: str = ""
    count: int = 1
    defect: str | None = None
    #: Where the defect is, as a person who looks at the picture would say: relative to the item's own outline.
    place: str | None = None
    quality: str = "清晰"

    def __post_init__(self) -> None:
        if not self.finish:
            object.__setattr__(self, "finish", next(iter(MATERIALS[self.kind])))
        if self.finish not in MATERIALS[self.kind]:
            raise ValueError(f"no {self.kind} has the finish {self.finish}")
        if (self.defect is None) != (self.place is None):
            raise ValueError("a defect has a place, and a place a defect")
        if self.defect is not None and self.count != 1:
            raise ValueError("a defect is drawn on a lone item only")

    @property
    def material(self) -> str:
        return MATERIALS[self.kind][self.finish]

    @property
    def name(self) -> str:
        """As the shop's product lines have it: ``红色条纹T恤``; a plain pattern is not spoken of."""
        return f"{self.colour}{'' if self.pattern == '纯色' else self.pattern}{self.kind}"


def any_item(rng: random.Random, *, defects: float = 0.5, several: float = 0.2, poor: float = 0.06) -> Item:
    """A random item; the shares say how often it is damaged, comes in twos or threes, is badly photographed."""
    kind = rng.choice(KINDS)
    count = rng.choice((2, 3)) if rng.random() < several else 1
    broken = count == 1 and rng.random() < defects / max(1e-9, 1 - several)
    return Item(
        kind=kind,
        colour=rng.choice(COLOURS),
        pattern=rng.choice(PATTERNS),
        finish=rng.choice(tuple(MATERIALS[kind])),
        count=count,
        defect=rng.choice(DEFECTS) if broken else None,
        place=rng.choice(PLACES) if broken else None,
        quality=rng.choice(QUALITIES[1:]) if rng.random() < poor else QUALITIES[0],
    )
