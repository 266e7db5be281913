"""Pictures with their labels, drawn once and kept as arrays of bytes.

A shard is ``(images uint8 [n, 128, 128, 3], labels int8 [n, 8])``; the columns of ``labels`` are :data:`HEADS`.
In the column «kind» the value ``len(KINDS)`` means «not of this shop»: then all other columns are -1, «nothing
to learn».
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.demo import others
from inference.demo.drawing import catalogue, draw, photographed
from inference.demo.items import COLOURS, DEFECTS, FINISHES, KINDS, PATTERNS, PLACES, QUALITIES, Item, any_item

SIZE = 128
#: Label head → number of classes.
HEADS = {
    "kind": len(KINDS) + 1, "colour": len(COLOURS), "pattern": len(PATTERNS), "finish": len(FINISHES),
    "count": 3, "defect": len(DEFECTS) + 1, "place": len(PLACES), "quality": len(QUALITIES),
}  # fmt: skip
OTHER = len(KINDS)

Images = NDArray[np.uint8]
Labels = NDArray[np.int8]


def label(item: Item | None) -> list[int]:
    """The numbers of an item's classes; None is a picture of something that the shop does not sell."""
    if item is None:
        return [OTHER] + [-1] * (len(HEADS) - 1)
    return [
        KINDS.index(item.kind), COLOURS.index(item.colour), PATTERNS.index(item.pattern),
        FINISHES.index(item.finish), item.count - 1,
        0 if item.defect is None else 1 + DEFECTS.index(item.defect),
        -1 if item.place is None else PLACES.index(item.place),
        QUALITIES.index(item.quality),
    ]  # fmt: skip


def item_of(numbers: NDArray[np.int8]) -> Item | None:
    """The item that :func:`label` gave these numbers."""
    kind, colour, pattern, finish, count, defect, place, quality = (int(v) for v in numbers)
    if kind == OTHER:
        return None
    return Item(
        kind=KINDS[kind], colour=COLOURS[colour], pattern=PATTERNS[pattern], finish=FINISHES[finish], count=count + 1,
        defect=None if defect == 0 else DEFECTS[defect - 1], place=None if defect == 0 else PLACES[place],
        quality=QUALITIES[quality],
    )  # fmt: skip


def goods(seed: int, number: int) -> tuple[Images, Labels]:
    """``number`` drawings of the shop's goods; the seed alone decides what is on them."""
    rng = random.Random(f"goods {seed}")
    images, labels = np.empty((number, SIZE, SIZE, 3), np.uint8), np.empty((number, len(HEADS)), np.int8)
    for k in range(number):
        item = any_item(rng)
        picture = draw(item, rng, SIZE)
        if item.defect is None and item.count == 1 and item.quality == "清晰" and rng.random() < 0.15:
            picture = photographed(
                catalogue(item, 2 * SIZE).resize((SIZE, SIZE), Image.Resampling.BICUBIC), "清晰", rng
            )
        images[k], labels[k] = np.asarray(picture), label(item)
    return images, labels


def strangers(seed: int, number: int, photographs: Sequence[Image.Image]) -> tuple[Images, Labels]:
    """Pictures that are not of this shop: views of real photographs and cut-outs, and other things drawn."""
    rng = random.Random(f"others {seed}")
    images = np.empty((number, SIZE, SIZE, 3), np.uint8)
    for k in range(number):
        if photographs and rng.random() < 0.6:
            source = rng.choice(photographs)
            if source.mode == "RGBA":
                source = others.on_ground(source, rng, 2 * SIZE)
            images[k] = np.asarray(others.photograph(source, rng, SIZE))
        else:
            images[k] = np.asarray(others.other(rng, SIZE))
    return images, np.tile(np.array(label(None), np.int8), (number, 1))


def keep(folder: Path, name: str, images: Images, labels: Labels) -> None:
    """Two files, each written beside and renamed, the labels last: a shard is whole or absent."""
    folder.mkdir(parents=True, exist_ok=True)
    for what, array in (("images", images), ("labels", labels)):
        half = folder / f"{name}.{what}.part.npy"
        np.save(half, array)
        half.rename(folder / f"{name}.{what}.npy")


class Gallery:
    """All shards of a folder whose names begin with ``prefix``, mapped into memory and addressed as one list."""

    def __init__(self, folder: Path, *prefixes: str) -> None:
        names = sorted(
            f.name.removesuffix(".labels.npy") for f in folder.glob("*.labels.npy") if f.name.startswith(prefixes)
        )
        self._images = [np.load(folder / f"{name}.images.npy", mmap_mode="r") for name in names]
        self._starts = np.cumsum([0] + [len(images) for images in self._images])
        self.labels: Labels = np.concatenate([np.load(folder / f"{name}.labels.npy") for name in names])

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, at: NDArray[np.int64]) -> Images:
        out = np.empty((len(at), SIZE, SIZE, 3), np.uint8)
        shards = np.searchsorted(self._starts, at, "right") - 1
        for k, (shard, n) in enumerate(zip(shards, at, strict=True)):
            out[k] = self._images[shard][n - self._starts[shard]]
        return out
