"""The text tower learns the shop's conversations.

First with pictures told in words (*told*), which needs no vision tower: manners, the answer's form, copying.
Then with the pictures as the vision tower sees them (*seen*).
"""

# torch is no dependency of the product, so that mypy may not see it: its classes and decorators are untyped here.
# mypy: disable-error-code="misc, untyped-decorator"
from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from bot.model import Conversation
from bot.ports import Message
from inference.demo import conversations, dialogues, drills, together, tokens
from inference.demo.items import Item
from inference.demo.muon import Average, Muon, groups
from inference.demo.pictures import Labels, item_of
from inference.demo.towers import MERGED, Shape, Text


@dataclass(frozen=True, slots=True)
class School:
    """What all lessons share."""

    tokenizer: Tokenizer
    shared: Message
    sections: tuple[tuple[str, str], ...]
    #: Labels of the gallery, and what the vision tower sees of each picture (None: told in words).
    labels: Labels
    views: NDArray[np.float16] | None
    #: Numbers of the clear pictures of each name.
    named: Mapping[str, Sequence[int]]

    @classmethod
    def of(
        cls,
        tokenizer: Tokenizer | None,
        shared: Message,
        sections: tuple[tuple[str, str], ...],
        labels: Labels,
        views: NDArray[np.float16] | None,
    ) -> School:
        named: dict[str, list[int]] = {}
        for number, numbers in enumerate(labels):
            item = item_of(numbers)
            if item is not None and item.quality == "清晰":
                named.setdefault(item.name, []).append(number)
        return cls(tokenizer, shared, sections, labels, views, named)

    @property
    def prefix(self) -> Tensor:
        return torch.tensor(tokens.prefix(self.tokenizer, self.shared))

    def conversation(self, rng: random.Random) -> Conversation:
        return conversations.conversation(rng, lambda: self.pick(rng), self.sections, most_lines=MOST_LINES)

    def item(self, number: int) -> Item | None:
        return item_of(self.labels[number])

    def pick(self, rng: random.Random) -> dialogues.Picture:
        number = rng.randrange(len(self.labels))
        return number, self.item(number)

    def row(self, rng: random.Random) -> tokens.Row:
        return self._row(self.conversation(rng))

    def drill(self, rng: random.Random) -> tokens.Row:
        """Copying, looking or judging what was sent, as densely as it goes."""
        kind = rng.random()
        if kind < (0.7 if self.views is None else 0.35):
            return drills.copying(self.tokenizer, rng)
        if self.views is not None and kind < 0.65:
            return drills.looking(self.tokenizer, rng, lambda: self.pick(rng))
        return self._row(drills.ordered(rng, lambda: self.pick(rng), self.named, self.item))

    def _row(self, talk: Conversation) -> tokens.Row:
        photos = [int(p.sha256, 16) for e in talk.exchanges for p in e.body if not isinstance(p, str)]
        told = [in_words(self.item(number)) for number in photos] if self.views is None else None
        return tokens.row(self.tokenizer, self.shared, talk, spoken=told)


def in_words(item: Item | None) -> str:
    if item is None:
        return "其他"
    if item.quality != "清晰":
        return item.quality
    return f"{item.name}{item.count} {item.material}" + (f" {item.place}{item.defect}" if item.defect else "")


_FIRST = 4.0
#: Product lines that a message carries at most.
MOST_LINES = 2


@dataclass(slots=True)
class Lesson:
    """A batch: see :meth:`Text.forward` for the shapes."""

    rows: Tensor
    positions: Tensor
    seen: Tensor
    at: Tensor
    wanted: Tensor
    right: Tensor
    #: Which answer a wanted token belongs to.
    answer: Tensor
    #: What each counts for: the first token of an answer decides what to do, or where to look.
    weight: Tensor


def lesson(school: School, rows: list[tokens.Row], before: int, width: int) -> Lesson:
    length = max(len(r.ids) for r in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    positions = torch.zeros(len(rows), length, 3)
    pictures: list[int] = []
    at: list[int] = []
    wanted: list[int] = []
    right: list[int] = []
    answered: list[int] = []
    weight: list[float] = []
    answers = 0
    for k, r in enumerate(rows):
        ids[k, : len(r.ids)] = torch.tensor(r.ids)
        positions[k, : len(r.ids)] = torch.tensor(r.positions, dtype=torch.float) + before
        for number, start in r.pictures:
            pictures.append(number)
            at.extend(range(k * length + start, k * length + start + MERGED))
        for places in r.chosen:
            wanted += [k * length + p - 1 for p in places]
            right += [r.ids[p] for p in places]
            answered += [answers] * len(places)
            weight += [_FIRST, *[1.0] * (len(places) - 1)]
            answers += 1
    early = torch.arange(before, dtype=torch.float)[:, None].expand(-1, 3)
    seen = torch.zeros(0, width)
    if pictures:
        assert school.views is not None
        seen = torch.from_numpy(school.views[pictures].astype(np.float32)).reshape(-1, width)
    return Lesson(
        ids,
        torch.cat((early, positions.reshape(-1, 3))),
        seen,
        torch.tensor(at, dtype=torch.long),
        torch.tensor(wanted),
        torch.tensor(right),
        torch.tensor(answered),
        torch.tensor(weight),
    )


def lessons(
    school: School, seed: str, rank: int, number: int, before: int, width: int, drills: float = 0.0
) -> list[Lesson]:
    """Eight batches of rows of like length, so that little is padding; in the same order for processes that learn
    together, so that none waits for another's long rows.
    """
    rng = random.Random(f"{seed} {rank}")
    rows = [school.row(rng) if rng.random() > drills else school.drill(rng) for _ in range(8 * number)]
    rows.sort(key=lambda r: len(r.ids))
    out = [lesson(school, rows[k : k + number], before, width) for k in range(0, len(rows), number)]
    random.Random(seed).shuffle(out)
    return out


@torch.no_grad()
def exact(text: Text, weights: dict[str, Tensor], school: School, number: int = 64) -> tuple[float, float]:
    """Shares of right tokens and of answers that greedy decoding writes letter for letter, on unseen talks."""
    prefix = school.prefix
    width = (1 + len(text.shape.deepstack)) * text.shape.width
    mine = {name: weight.clone() for name, weight in text.state_dict().items()}
    text.load_state_dict(weights)
    fine, whole, n, m = 0.0, 0.0, 0, 0
    for part in lessons(school, "examination", 0, max(1, number // 8), len(prefix), width):
        right = text(prefix, part.rows, part.positions, part.seen, part.at, part.wanted).argmax(-1) == part.right
        fine, n = fine + float(right.sum()), n + len(right)
        wrong = torch.zeros(int(part.answer.max()) + 1).index_add_(0, part.answer, (~right).float())
        whole, m = whole + float((wrong == 0).sum()), m + len(wrong)
    text.load_state_dict(mine)
    return fine / n, whole / m


def train(
    path: Path,
    school: School,
    shape: Shape,
    *,
    steps: int,
    size: int,
    top: float,
    drills: Callable[[float], float],
    start: Path | None = None,
    rank: int = 0,
    say: Any = print,
    warm: int = 100,
) -> Text:
    """Trains or goes on training; ``path`` holds everything that a later run needs, ``start`` weights to begin from.

    ``drills`` tells how many of the rows are drills at a share of the way. With torch.distributed running, several
    processes of one thread each learn together.
    """
    torch.manual_seed(2)
    text = Text(shape)
    optimiser, begin = Muon(groups(text, top, top / 2)), 0
    if path.exists():
        kept = torch.load(path, weights_only=True)
        text.load_state_dict(kept["weights"])
        optimiser.load_state_dict(kept["optimiser"])
        for group in optimiser.param_groups:
            group["top"] = top if group["muon"] else top / 2
        begin = int(kept["step"])
    elif start is not None:
        text.load_state_dict(torch.load(start, weights_only=True)["weights"])
    average = Average(text, kept.get("average") if path.exists() else None)
    prefix, width = school.prefix, (1 + len(shape.deepstack)) * shape.width
    started, mean = time.monotonic(), 0.0
    queue: list[Lesson] = []
    for step in range(begin, steps):
        if not queue:
            seed, way = f"speak {path.stem} {step}", step / steps
            queue = lessons(school, seed, rank, size, len(prefix), width, drills(way))
        part = queue.pop()
        rate = min(1.0, (step + 1) / warm) * max(0.02, min(1.0, (steps - step) / (0.6 * steps)))
        for group in optimiser.param_groups:
            group["lr"] = group["top"] * rate
        logits = text(prefix, part.rows, part.positions, part.seen, part.at, part.wanted)
        each = functional.cross_entropy(logits, part.right, reduction="none")
        loss = (each * part.weight).sum() / part.weight.sum()
        loss.backward()
        together.average(text)
        nn.utils.clip_grad_norm_(text.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        average.update(text)
        mean = loss.item() if step == begin else 0.96 * mean + 0.04 * loss.item()
        if rank:
            continue
        if step % 25 == 0 or step + 1 == steps:
            pace = (time.monotonic() - started) / (step + 1 - begin)
            left = pace * (steps - step) / 60
            say(f"{path.stem} {step}/{steps} loss {mean:.3f} {pace:.2f} s/step {left:.0f} min left")
        if (step + 1) % 200 == 0 or step + 1 == steps:
            say("  right tokens {:.3f}, whole answers {:.3f}".format(*exact(text, average.weights, school)))
        if (step + 1) % 100 == 0 or step + 1 == steps:
            half = path.with_suffix(".part")
            torch.save(
                {
                    "weights": text.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "step": step + 1,
                    "average": average.weights,
                },
                half,
            )
            half.rename(path)
    return text
