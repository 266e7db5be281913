"""Draws the demonstration shop's pictures: ``python -m demo.draw``.

One picture per variant of ``products.csv``, and the photos of ``examples.json`` as a customer might take them, by the
code that drew the shipped model's training pictures. The same tables give the same pictures.
"""  # noqa: INP001 - a shop's folder of data, not a package

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from bot import knowledge
from bot.model import Product, Variant
from inference.demo import drawing, others
from inference.demo.drawing import Form
from inference.demo.items import MATERIALS, Item

FOLDER = Path(__file__).parent
#: Pixels of a side: sharp on a phone, and the whole shop stays below 6 MB.
SIZE = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A customer's photo: what it shows and the seed that placed, lit and cluttered it well."""

    item: Item
    seed: str
    #: Another outline, for a thing that the shop does not sell.
    form: Form | None = None


EXAMPLES = {
    "tshirt": Example(item=Item(kind="T恤", colour="红色", pattern="条纹"), seed="example 0 6"),
    "mug": Example(item=Item(kind="杯子", colour="白色", defect="裂痕", place="左边"), seed="example 1 5"),
    "backpack": Example(item=Item(kind="背包", colour="绿色"), seed="example 4 7"),
    "umbrella": Example(item=Item(kind="雨伞", colour="蓝色", pattern="波点", finish="光泽"), seed="example 3 5"),
    "socks": Example(item=Item(kind="袜子", colour="红色", pattern="条纹", count=2), seed="example 2 1"),
    "guitar": Example(item=Item(kind="T恤", colour="橙色"), seed="example 5 1", form=others.guitar),
}


def catalogue_item(product: Product, variant: Variant) -> Item:
    """What a row of ``products.csv`` looks like; its material is told by the finish of the surface."""
    finish = next(f for f, material in MATERIALS[product.kind].items() if material == product.material)
    return Item(kind=product.kind, colour=variant.colour, pattern=product.pattern, finish=finish)


def pictures() -> dict[str, Callable[[], Image.Image]]:
    """What draws each file below the folder, the catalogue's first."""
    out: dict[str, Callable[[], Image.Image]] = {}
    for product in knowledge.read(FOLDER).products:
        for variant in product.variants:
            out[variant.picture] = partial(drawing.catalogue, catalogue_item(product, variant), SIZE)
    for name, example in EXAMPLES.items():
        rng = random.Random(example.seed)
        out[f"pictures/examples/{name}.jpg"] = partial(drawing.draw, example.item, rng, SIZE, form=example.form)
    return out


def main() -> None:
    for name, picture in pictures().items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture().save(path, "JPEG", quality=84, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
