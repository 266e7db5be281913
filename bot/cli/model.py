"""``model``: which models there are, getting one, trying it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bot.cli import app
from bot.cli.common import document, load
from bot.config import Config

model = typer.Typer(help="Models: what there is, what fits this machine, getting one.", no_args_is_help=True)
app.add_typer(model, name="model")


class Hub(StrEnum):
    HUGGINGFACE = "huggingface"
    MODELSCOPE = "modelscope"


@model.command("list")
def list_(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """The known models: size, licence, memory, and what fits this machine."""
    from bot.backend import memory
    from bot.place import Place
    from inference import models

    config, root = load(context)
    entries = models.catalogue(Place.of(config, root).models, memory(), config.inference.n_ctx)
    if as_json:
        document(
            [
                {
                    "name": e.row.name,
                    "quant": e.quant.name,
                    "title": e.row.title,
                    "licence": e.row.licence,
                    "bytes": e.bytes,
                    "memory": e.memory,
                    "fits": e.fit.ok,
                    "why": e.fit.says,
                    "installed": e.installed,
                    "note": e.row.note_en,
                }
                for e in entries
            ]
        )
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "files", "size", "licence", "memory", "fits this machine", "here"):
        table.add_column(heading)
    for e in entries:
        table.add_row(
            e.row.name,
            e.quant.name,
            models.gigabytes(e.bytes),
            e.row.licence,
            models.gigabytes(e.memory),
            e.fit.says,
            "✓" if e.installed else "",
        )
    console = Console(highlight=False)
    console.print(table)
    console.print(
        '\nGet one: python -m bot model pull NAME · then in bot.toml, under [inference]: model = "NAME"',
        style="dim",
        markup=False,
        soft_wrap=True,
    )


@model.command()
def pull(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A name of «model list», or NAME:FILES (qwen3-vl-8b:Q8_0).")],
    source: Annotated[Hub, typer.Option("--from", help="Where from; modelscope is nearer in China.")] = Hub.HUGGINGFACE,
) -> None:
    """Downloads a model. Goes on where it stopped; size and SHA-256 are checked before the file gets its name."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from bot.place import Place
    from inference import hub, models

    config, root = load(context)
    row, quant = models.find(name)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as bar:
        typer.echo(f"asking {hub.SOURCES[source.value].title} for {row.name} …")
        task: TaskID | None = None

        def progress(done: int, total: int, rate: float) -> None:
            # A bar is there once there is something to measure.
            nonlocal task
            if task is None:
                task = bar.add_task(row.name, total=total)
            bar.update(task, completed=done, total=total)

        asyncio.run(
            hub.Hub(hub.SOURCES[source.value]).pull(
                row, quant or row.quants[0], Place.of(config, root).models, progress
            )
        )
    chosen = row.name if quant is None else f"{row.name}:{quant.name}"
    typer.echo(f'{row.title} is here. In bot.toml, under [inference]: model = "{chosen}"')
    typer.echo("Then try it: python -m bot model check")


@model.command()
def check(context: typer.Context) -> None:
    """Loads the configured model and asks it one question."""
    from bot.backend import model_findings
    from bot.place import Place

    config, root = load(context)
    for finding in model_findings(config, Place.of(config, root)):
        typer.echo(f"✓ {finding.what}")
    answer = asyncio.run(_try(config, root))
    typer.echo(f"✓ it answers: {answer}")


async def _try(config: Config, root: Path) -> str:
    """Asks the model itself, by no channel: it is tried whether the bot is to answer customers or not."""
    import tempfile

    from bot.app import opened
    from bot.model import Customer
    from bot.place import Place

    async def unseen(*_: object) -> None:
        """Nobody looks on while the answer is written."""

    nobody = Customer(channel="check", account="local", id="check")
    # A database of its own: a try is nobody's history. The models stay where they are.
    with tempfile.TemporaryDirectory() as folder:
        async with opened(config, Place.of(config, root).aside(Path(folder))) as house, AsyncExitStack() as stack:
            await house.think(stack)
            conversation = await house.store.begin(nobody, language="zh")
            answered = await house.dialogue(nobody).answer(
                conversation, ["你好，你们卖什么？"], language="zh", show=unseen, tell=unseen
            )
    return f"{answered.text} ({answered.trace.timings.total_s:.1f} s)"
