"""``bench``: the project's own figures, peers side by side where they are installed."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli import app
from bot.cli.common import document, load
from bot.config import Config
from bot.errors import BotError

if TYPE_CHECKING:
    from bench.engine import Pair as Measured
    from bot.place import Place

bench = typer.Typer(help="The project's own figures, peers beside them in the same run.", no_args_is_help=True)
app.add_typer(bench, name="bench")


class Pair(StrEnum):
    #: The model of ``bot.toml``.
    CONFIGURED = "configured"
    #: Random weights with the size of a 0.6 B: what a real model of that shape costs.
    RANDOM = "random"


# A single command would be run without its name: «bench engine» is one of several to come.
@bench.callback()
def _several() -> None:
    """The project's own figures, peers beside them in the same run."""


@bench.command(epilog="LLAMA_SERVER names the llama-server to compare with, built from the same llama.cpp.")
def engine(
    context: typer.Context,
    pair: Annotated[
        Pair, typer.Option(help="Which model; «random» writes 1 GB to a temporary folder.")
    ] = Pair.CONFIGURED,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """First token, follow-ups, customers in turn, after a restart, decode: ours, the stock handler, llama-server."""
    from bench.engine import run
    from bot.place import Place

    config, root = load(context)
    with tempfile.TemporaryDirectory() as folder:
        if pair is Pair.RANDOM:
            config = _random(config, Path(folder))
        result = run(pair_of(config, Place.of(config, root), Path(folder)))
    if as_json:
        document(result)
    else:
        _show(result)


def pair_of(config: Config, place: Place, folder: Path) -> Measured:
    """The configured model, set up as ``run`` sets it up; its state goes to a folder of its own."""
    from bench.engine import Pair as Measured
    from bot.backend import choice_of, files_of, settings_of

    files = files_of(config, place)
    return Measured(settings=settings_of(config, files, choice_of(config, files), folder))


def _random(config: Config, folder: Path) -> Config:
    """The same configuration with a model of random weights."""
    try:
        from bench import random_pair
    except ImportError as exc:
        raise BotError("the random pair is written by the package gguf: pip install -r requirements-dev.txt") from exc
    text, projector = random_pair.write("bench", folder, "Q8_0")
    model = config.inference.model_copy(update={"model": str(text), "mmproj": str(projector)})
    return config.model_copy(update={"inference": model})


def _show(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    peers = list(dict.fromkeys(peer for figure in result["figures"] for peer in figure["peers"]))
    table = Table(box=None, pad_edge=False)
    for heading in ("figure", "unit", "ours", *peers, "target", "met"):
        table.add_column(heading)
    for figure in result["figures"]:
        values = [figure["ours"], *(figure["peers"].get(peer) for peer in peers)]
        met = {True: "✓", False: "✗", None: ""}[figure["met"]]
        shown = ["–" if value is None else f"{value:.3g}" for value in values]
        table.add_row(figure["name"], figure["unit"], *shown, figure["target"] or "", met)
    Console(highlight=False).print(table)
