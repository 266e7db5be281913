"""Pictures with their labels, drawn once and kept as arrays of bytes.

A shard is ``(images uint8 [n, 128, 128, 3], labels int8 [n, 8], traces uint8 [n, 32, 32])``; the columns of
``labels`` are :data:`HEADS`. In the column «kind» the value ``len(KINDS)`` means «not of this shop»: then all other
columns are -1, «nothing to learn». A trace says of every 4 × 4 pixels what they show (``drawing.BODY``, ``DAMAGE``).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.demo import others
from inference.demo.drawing import BODY, DAMAGE, catalogue, draw, photographed
from inference.demo.items import COLOURS, DEFECTS, FINISHES, KINDS, PATTERNS, PLACES, QUALITIES, Item, any_item

SIZE, CELLS = 128, 32
#: Label head → number of classes.
HEADS = {
    "kind": len(KINDS) + 1, "colour": len(COLOURS), "pattern": len(PATTERNS), "finish": len(FINISHES),
    "count": 3, "defect": len(DEFECTS) + 1, "place": len(PLACES), "quality": len(QUALITIES),
}  # fmt: skip
OTHER = len(KINDS)

Images = NDArray[np.uint8]
Labels = NDArray[np.int8]
Traces = NDArray[np.uint8]
Shard = tuple[Images, Labels, Traces]


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


def cells(trace: Image.Image) -> Traces:
    """A painted trace, :data:`CELLS` × :data:`CELLS`: a little damage marks its cell, of the body it takes half."""
    side = trace.width // CELLS
    parts = np.asarray(trace).reshape(CELLS, side, CELLS, side)
    body, damage = (parts > 0).mean((1, 3)) >= 0.5, (parts == DAMAGE).mean((1, 3)) >= 0.2
    return np.where(damage, DAMAGE, np.where(body, BODY, 0)).astype(np.uint8)


def goods(seed: int, number: int) -> Shard:
    """``number`` drawings of the shop's goods; the seed alone decides what is on them."""
    rng = random.Random(f"goods {seed}")
    images, labels = np.empty((number, SIZE, SIZE, 3), np.uint8), np.empty((number, len(HEADS)), np.int8)
    traces = np.empty((number, CELLS, CELLS), np.uint8)
    for k in range(number):
        item = any_item(rng)
        trace = Image.new("L", (2 * SIZE, 2 * SIZE))
        picture = draw(item, rng, SIZE, trace=trace)
        if item.defect is None and item.count == 1 and item.quality == "清晰" and rng.random() < 0.15:
            trace = Image.new("L", (4 * SIZE, 4 * SIZE))
            picture = photographed(
                catalogue(item, 2 * SIZE, trace=trace).resize((SIZE, SIZE), Image.Resampling.BICUBIC), "清晰", rng
            )
        images[k], labels[k], traces[k] = np.asarray(picture), label(item), cells(trace)
    return images, labels, traces


def strangers(seed: int, number: int, photographs: Sequence[Image.Image]) -> Shard:
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
    labels = np.tile(np.array(label(None), np.int8), (number, 1))
    return images, labels, np.zeros((number, CELLS, CELLS), np.uint8)


def keep(folder: Path, name: str, images: Images, labels: Labels, traces: Traces) -> None:
    """Files, each written beside and renamed, the labels last: a shard is whole or absent."""
    folder.mkdir(parents=True, exist_ok=True)
    for what, array in (("images", images), ("traces", traces), ("labels", labels)):
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
        self._traces = [np.load(folder / f"{name}.traces.npy", mmap_mode="r") for name in names]
        self._starts = np.cumsum([0] + [len(images) for images in self._images])
        self.labels: Labels = np.concatenate([np.load(folder / f"{name}.labels.npy") for name in names])

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, at: NDArray[np.int64]) -> Images:
        return self._gathered(self._images, at)

    def traces(self, at: NDArray[np.int64]) -> Traces:
        return self._gathered(self._traces, at)

    def _gathered(self, shards: list[NDArray[np.uint8]], at: NDArray[np.int64]) -> NDArray[np.uint8]:
        where = np.searchsorted(self._starts, at, "right") - 1
        return np.stack([shards[shard][n - self._starts[shard]] for shard, n in zip(where, at, strict=True)])
