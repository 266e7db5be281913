"""Trains the shipped model from nothing: ``python -m inference.demo.train --out DIR``.

Planned for three hours on two cores. Every stage goes on where it was interrupted; the same command continues. Needs
``requirements-train.txt`` in an environment of its own, and a few GB in DIR.

    photographs → drawings → told (text tower, pictures told in words) → look (vision tower)
                → views (what the vision tower sees, kept) → seen (text tower on it) → export → score
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from gguf import GGMLQuantizationType
from PIL import Image

from bot import prompt
from inference.demo import export, looking, photographs, pictures, shop, speaking, together, tokens
from inference.demo.towers import Shape, Text, Vision

GOODS, STRANGERS, SHARD = 20, 5, 4000
TOLD, LOOK, SEEN = 1000, 5500, 2400
#: Conversations in a batch of all processes together.
ROWS = 32


def say(*what: object) -> None:
    print(time.strftime("%H:%M"), *what, flush=True)


def draw(out: Path, name: str) -> None:
    """One shard of pictures, unless it is there."""
    folder = out / "pictures"
    if (folder / f"{name}.labels.npy").exists():
        return
    if name == "unseen":
        pictures.keep(folder, name, *pictures.goods(900, 2000))
    elif name.startswith("goods"):
        pictures.keep(folder, name, *pictures.goods(int(name[5:]), SHARD))
    else:
        seen = [Image.open(f).copy() for f in sorted((out / "photographs/seen").iterdir())]
        pictures.keep(folder, name, *pictures.strangers(int(name[6:]), SHARD, seen))
    say(f"drawn: {name}")


def gallery(out: Path) -> pictures.Gallery:
    """The pictures that conversations are about: fewer than the vision tower learns from, and fewer strangers."""
    return pictures.Gallery(out / "pictures", "goods00", "others000", "others001", "others002", "others003")


def shape(out: Path) -> Shape:
    return Shape(vocabulary=tokens.load(out / "vocabulary.json").get_vocab_size())


def school(out: Path, *, sees: bool) -> speaking.School:
    import numpy as np

    views = np.load(out / "views.npy", mmap_mode="r") if sees else None
    tokenizer = tokens.load(out / "vocabulary.json")
    return speaking.School.of(tokenizer, shop.system(), shop.sections(), gallery(out).labels, views)


def vocabulary(out: Path) -> None:
    if (out / "vocabulary.json").exists():
        return
    import random

    rng = random.Random("vocabulary")
    pupil = speaking.School.of(None, shop.system(), shop.sections(), gallery(out).labels, None)
    talks = [pupil.conversation(rng) for _ in range(6000)]
    half = out / "vocabulary.part"
    tokens.vocabulary(shop.system(), [*talks, *shop.recitals()]).save(str(half))
    half.rename(out / "vocabulary.json")


def look(out: Path, rank: int, workers: int) -> None:
    together.join(out / "meeting", rank, workers)
    looking.train(out, shape(out), steps=LOOK, size=64 // workers, top=1.2e-3, rank=rank, say=say)


def told(out: Path, rank: int, workers: int) -> None:
    together.join(out / "meeting", rank, workers)
    speaking.train(
        out / "told.pt",
        school(out, sees=False),
        shape(out),
        steps=TOLD,
        size=ROWS // workers,
        top=2.5e-3,
        drills=lambda way: 0.85,
        rank=rank,
        say=say,
    )


def _stale(made: Path, of: Path) -> bool:
    """Whether a file is to be made, for the first time or anew: what it was made of has learned more since."""
    return not made.exists() or made.stat().st_mtime < of.stat().st_mtime


def tower(out: Path) -> Vision:
    """The trained vision tower, its tokens made easy to read."""
    vision = looking.load(out / "vision.pt", shape(out))
    if _stale(out / "channels.pt", out / "vision.pt"):
        half = out / "channels.part"
        torch.save(looking.channels(vision, gallery(out)), half)
        half.rename(out / "channels.pt")
    looking.calm(vision, *torch.load(out / "channels.pt", weights_only=True))
    return vision


def view(out: Path, rank: int, workers: int) -> None:
    torch.set_num_threads(1)
    looking.views(tower(out), gallery(out), out / "views.part.npy", slice(rank, None, workers))


def seen(out: Path, rank: int, workers: int) -> None:
    together.join(out / "meeting", rank, workers)
    speaking.train(
        out / "seen.pt",
        school(out, sees=True),
        shape(out),
        steps=SEEN,
        size=ROWS // workers,
        top=2.0e-3,
        drills=lambda way: 0.6 if way < 0.95 else 0.4,
        start=out / "told.pt",
        rank=rank,
        say=say,
    )


def all_cores(out: Path, stage: Any, workers: int) -> None:
    (out / "meeting").unlink(missing_ok=True)
    side_by_side(*((stage, out, rank, workers) for rank in range(workers)))


def side_by_side(*jobs: tuple[Any, ...]) -> None:
    """Runs ``(function, arguments…)`` in processes of their own; a failed one ends the training."""
    context = get_context("spawn")
    running = [context.Process(target=job[0], args=job[1:], daemon=True) for job in jobs]
    for process in running:
        process.start()
    for process in running:
        process.join()
    if any(process.exitcode for process in running):
        raise SystemExit("a stage failed; the same command goes on from its last checkpoint")


def write(out: Path, target: Path, kind: GGMLQuantizationType) -> None:
    """The checkpoints as a GGUF pair in ``target``."""
    made = shape(out)
    text = Text(made)
    text.load_state_dict(torch.load(out / "seen.pt", weights_only=True)["average"])
    target.mkdir(parents=True, exist_ok=True)
    export.text(
        target / "demo.gguf", text, tokens.load(out / "vocabulary.json"), prompt.sha256(shop.system()), kind=kind
    )
    export.projector(target / "demo-mmproj.gguf", tower(out), kind=kind)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for drawings, checkpoints and the pair")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--f16", action="store_true", help="write F16, twice as large, instead of Q8_0")
    given = parser.parse_args()
    out: Path = given.out
    say("photographs seen and held out:", photographs.collect(out / "photographs"))
    names = ["unseen", *(f"goods{n:03d}" for n in range(GOODS)), *(f"others{n:03d}" for n in range(STRANGERS))]
    with get_context("spawn").Pool(given.workers) as pool:
        pool.map(partial(draw, out), names, chunksize=1)
    vocabulary(out)
    all_cores(out, told, given.workers)
    all_cores(out, look, given.workers)
    if _stale(out / "views.npy", out / "vision.pt"):
        tower(out)  # measures the channels once, for all
        looking.empty_views(shape(out), len(gallery(out)), out / "views.part.npy")
        all_cores(out, view, given.workers)
        (out / "views.part.npy").rename(out / "views.npy")
    all_cores(out, seen, given.workers)
    write(out, out / "pair", GGMLQuantizationType.F16 if given.f16 else GGMLQuantizationType.Q8_0)
    # In a process of its own: torch and llama.cpp each bring a runtime for threads.
    subprocess.run([sys.executable, "-m", "inference.demo.score", "--folder", out / "pair", "--photographs", out
    / "photographs/held",
                    "--json", out / "pair/score.json"], check=True)  # fmt: skip


if __name__ == "__main__":
    main()
