"""Stage 1: the vision tower learns to see, with label heads that are thrown away afterwards.

Language alone does not teach it: after 200 steps the sentences are right, the loss is small and what is left of
it hides the picture. Eight classifiers that look at the visual tokens do, and quicker with a second set that asks
every patch what is on it: the drawing knows where the item and its damage are.
"""

# torch is no dependency of the product, so that mypy may not see it: its classes and decorators are untyped here.
# mypy: disable-error-code="misc, untyped-decorator"
from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inference.demo import together
from inference.demo.drawing import BODY, DAMAGE
from inference.demo.items import PLACES
from inference.demo.muon import Average, Muon, groups
from inference.demo.pictures import CELLS, HEADS, SIZE, Gallery, Traces
from inference.demo.towers import GRID, Shape, Vision

NAMES = tuple(HEADS)
#: A photo too dark or blurred teaches only what it is and that it is bad.
_ALWAYS = (NAMES.index("kind"), NAMES.index("quality"))
_LEFT, _RIGHT = PLACES.index("左边"), PLACES.index("右边")


class Heads(nn.Module):
    """What the text tower will do with the visual tokens: gather from all of them, or find the one that tells.

    The second is what teaches it small things: a stain is evidence in one token, however quiet the others are.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ask = nn.Linear(width, len(HEADS), bias=False)
        self.norm = nn.LayerNorm(width)
        self.classes = nn.ModuleList(nn.Linear(width, n) for n in HEADS.values())
        self.tokens = nn.ModuleList(nn.Linear(width, n) for n in HEADS.values())

    def forward(self, tokens: Tensor) -> list[Tensor]:
        """tokens [B, 16, width] → logits [B, n] per head."""
        x = self.norm(tokens)
        pooled = self.ask(x).softmax(1).transpose(1, 2) @ x
        return [
            classes(pooled[:, k]) + token(x).logsumexp(1)
            for k, (classes, token) in enumerate(zip(self.classes, self.tokens, strict=True))
        ]


#: What a patch of the item's body tells by itself.
_LOCAL = tuple(NAMES.index(name) for name in ("kind", "colour", "pattern", "finish"))
_DEFECT = NAMES.index("defect")


class Spots(nn.Module):
    """What each patch shows: its damage first, then the :data:`_LOCAL` labels of what it is a part of."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = tuple(HEADS.values())
        self.norm = nn.LayerNorm(width)
        self.classes = nn.ModuleList(nn.Linear(width, sizes[k]) for k in (_DEFECT, *_LOCAL))

    def forward(self, patches: Tensor) -> list[Tensor]:
        """patches [B, 64, c] → logits [B, 64, n] per label."""
        x = self.norm(patches)
        return [classes(x) for classes in self.classes]


def spots(labels: NDArray[np.int64], traces: Traces) -> NDArray[np.int64]:
    """The right answers of :class:`Spots`, [B, 64, 1 + local] row by row, -1 where there is none."""
    side = CELLS // GRID
    parts = traces.reshape(-1, GRID, side, GRID, side)
    body = ((parts >= BODY).mean((2, 4)) >= 0.5).reshape(-1, GRID * GRID)
    damaged = ((parts == DAMAGE).sum((2, 4)) >= 2).reshape(-1, GRID * GRID)
    damage = np.where(damaged, labels[:, _DEFECT, None], np.minimum(labels[:, _DEFECT, None], 0))
    return np.stack((damage, *(np.where(body, labels[:, k, None], -1) for k in _LOCAL)), -1)


@dataclass(frozen=True, slots=True)
class Batch:
    #: Bytes as floats [B, 128, 128, 3].
    pictures: Tensor
    #: [B, 8], the columns of :data:`HEADS`, -1: not to be learned.
    labels: Tensor
    #: See :func:`spots`.
    spots: Tensor


def batch(gallery: Gallery, rng: np.random.Generator, number: int) -> Batch:
    """Pictures, half of them mirrored, all shifted and lit a little."""
    at = rng.integers(0, len(gallery), number)
    images, labels, traces = gallery.images(at), gallery.labels[at].astype(np.int64), gallery.traces(at)
    mirror = rng.random(number) < 0.5
    images[mirror], traces[mirror] = images[mirror, :, ::-1], traces[mirror, :, ::-1]
    place = labels[:, NAMES.index("place")]
    swap = np.arange(-1, len(PLACES))
    swap[1 + _LEFT], swap[1 + _RIGHT] = _RIGHT, _LEFT
    labels[:, NAMES.index("place")] = np.where(mirror, swap[place + 1], place)
    pictures = torch.from_numpy(images)
    shift = int(rng.integers(-5, 6)), int(rng.integers(-5, 6))
    pictures = torch.roll(pictures, shift, (1, 2))
    traces = np.roll(traces, [round(s * CELLS / SIZE) for s in shift], (1, 2))
    light = torch.from_numpy(rng.uniform(0.94, 1.06, (number, 1, 1, 3)).astype(np.float32))
    poor = labels[:, NAMES.index("quality")] > 0
    labels[np.ix_(poor, [k for k in range(len(NAMES)) if k not in _ALWAYS])] = -1
    return Batch(
        (pictures.float() * light).clamp_(0, 255), torch.from_numpy(labels), torch.from_numpy(spots(labels, traces))
    )


def loss_of(logits: list[Tensor], labels: Tensor) -> Tensor:
    parts = []
    for k, name in enumerate(NAMES):
        known = int((labels[:, k] >= 0).sum())
        if known:
            # A rare label counts by how often it is there; small things on the item are the hardest to see.
            weight = known / len(labels) * (2.0 if name in ("defect", "place") else 1.0)
            parts.append(
                weight
                * functional.cross_entropy(
                    logits[k], labels[:, k], ignore_index=-1, label_smoothing=0.02 if name == "kind" else 0.0
                )
            )
    return torch.stack(parts).sum()


def spots_loss(logits: list[Tensor], right: Tensor) -> Tensor:
    """``right`` in the order of ``logits``: the sum over the labels; damage is rare and counts for more."""
    rare = torch.tensor([1.0] + [6.0] * (logits[0].shape[-1] - 1))
    return torch.stack(
        [
            functional.cross_entropy(
                part.flatten(0, 1), right[..., k].flatten(), weight=None if k else rare, ignore_index=-1
            )
            for k, part in enumerate(logits)
        ]
    ).sum()


@torch.no_grad()
def exact(both: nn.ModuleDict, weights: dict[str, Tensor], gallery: Gallery, number: int = 2000) -> dict[str, float]:
    """Shares of right labels on pictures that were kept away; ``whole``: all labels of a picture right."""
    kept = {name: weight.clone() for name, weight in both.state_dict().items()}
    both.load_state_dict(weights)
    vision, heads = both["vision"], both["heads"]
    right: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in (*NAMES, "whole")}
    for start in range(0, min(number, len(gallery)), 100):
        at = np.arange(start, min(start + 100, len(gallery)))
        labels = gallery.labels[at]
        logits = heads(vision(torch.from_numpy(gallery.images(at))))
        guesses = np.stack([part.argmax(-1).numpy() for part in logits], 1)
        poor = labels[:, NAMES.index("quality")] > 0
        fine = (guesses == labels) | (labels < 0)
        for k, name in enumerate(NAMES):
            right[name].append(fine[(labels[:, k] >= 0) & (~poor | (k in _ALWAYS)), k])
        right["whole"].append(fine[~poor].all(1))
    both.load_state_dict(kept)
    return {name: float(np.concatenate(found).mean()) for name, found in right.items() if sum(map(len, found))}


def train(
    folder: Path, shape: Shape, *, steps: int, size: int = 64, top: float = 3e-3, rank: int = 0, say: Any = print
) -> Vision:
    """Trains or goes on training; ``folder/vision.pt`` holds everything that a later run needs."""
    torch.manual_seed(1)
    vision, heads = Vision(shape), Heads((1 + len(shape.deepstack)) * shape.width)
    watch = Spots(shape.sees_width)
    both = nn.ModuleDict({"vision": vision, "heads": heads, "spots": watch})
    parts = groups(both, top, top / 3)
    optimiser, begin, path = Muon(parts), 0, folder / "vision.pt"
    if path.exists():
        kept = torch.load(path, weights_only=True)
        both.load_state_dict(kept["weights"])
        optimiser.load_state_dict(kept["optimiser"])
        for group, fresh in zip(optimiser.param_groups, parts, strict=True):
            group["top"] = fresh["top"]
        begin = int(kept["step"])
    average = Average(both, kept.get("average") if path.exists() else None)
    gallery, unseen = Gallery(folder / "pictures", "goods", "others"), Gallery(folder / "pictures", "unseen")
    watched = torch.compile(vision.watched)
    started, mean = time.monotonic(), None
    for step in range(begin, steps):
        rng = np.random.default_rng((7, step, rank))
        rate = min(1.0, (step + 1) / 150) * max(0.01, min(1.0, (steps - step) / (0.56 * steps)))
        for group in optimiser.param_groups:
            group["lr"] = group["top"] * rate
        part = batch(gallery, rng, size)
        seen, patches = watched(part.pictures)
        loss = loss_of(heads(seen), part.labels) + spots_loss(watch(patches), part.spots[:, vision.order])
        loss.backward()
        together.average(both)
        nn.utils.clip_grad_norm_(both.parameters(), 2.0)
        optimiser.step()
        optimiser.zero_grad()
        average.update(both)
        mean = loss.item() if mean is None else 0.97 * mean + 0.03 * loss.item()
        if rank:
            continue
        if step % 50 == 0 or step + 1 == steps:
            pace = (time.monotonic() - started) / (step + 1 - begin)
            say(f"look {step}/{steps} loss {mean:.3f} {pace:.2f} s/step {pace * (steps - step) / 60:.0f} min left")
        if (step + 1) % 250 == 0 or step + 1 == steps:
            say("  " + " ".join(f"{k} {v:.3f}" for k, v in exact(both, average.weights, unseen, 600).items()))
            half = path.with_suffix(".part")
            torch.save(
                {
                    "weights": both.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "step": step + 1,
                    "average": average.weights,
                },
                half,
            )
            half.rename(path)
    return vision


def load(path: Path, shape: Shape) -> Vision:
    """The tower of a checkpoint of :func:`train`."""
    vision = Vision(shape)
    weights = torch.load(path, weights_only=True)["average"]
    vision.load_state_dict({k.removeprefix("vision."): v for k, v in weights.items() if k.startswith("vision.")})
    return vision


@torch.no_grad()
def calm(vision: Vision, mean: Tensor, spread: Tensor) -> None:
    """Gives every channel of what the text tower reads the mean 0 and the spread 0.5; the pictures' mean and spread
    per channel are what :func:`channels` found.

    Trained by label heads alone, the tokens have a large common part that hides what differs between them: the text
    tower then learns for long to write without looking. Shifting and scaling is a matter of the last linear layers.
    """
    width = vision.shape.width
    for n, merger in enumerate((vision.merger, *vision.deep)):
        part = slice(n * width, (n + 1) * width)
        scale = 0.5 / spread[part]
        merger.fc2.weight.mul_(scale[:, None])
        merger.fc2.bias.sub_(mean[part]).mul_(scale)


@torch.no_grad()
def channels(vision: Vision, gallery: Gallery, number: int = 2000) -> tuple[Tensor, Tensor]:
    """Mean and spread of every channel over the tokens of some pictures."""
    at = np.linspace(0, len(gallery) - 1, number).astype(np.int64)
    parts = [vision(torch.from_numpy(gallery.images(at[k : k + 100]))) for k in range(0, number, 100)]
    seen = torch.cat(parts).flatten(0, 1)
    return seen.mean(0), seen.std(0) + 1e-4


def empty_views(shape: Shape, number: int, path: Path) -> None:
    np.lib.format.open_memmap(path, "w+", np.float16, (number, 16, (1 + len(shape.deepstack)) * shape.width)).flush()


@torch.no_grad()
def views(vision: Vision, gallery: Gallery, path: Path, part: slice) -> None:
    """Writes what the tower sees of the gallery's pictures, float16 [n, 16, (1 + deepstack) · width]; one
    process per ``part``.
    """
    out = np.lib.format.open_memmap(path, "r+")
    numbers = np.arange(len(gallery))[part]
    for start in range(0, len(numbers), 64):
        at = numbers[start : start + 64]
        out[at] = vision(torch.from_numpy(gallery.images(at))).numpy().astype(np.float16)
    out.flush()
