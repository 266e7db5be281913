"""``bench``: the project's own figures, peers side by side where they are installed."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli import app

bench = typer.Typer(help="The project's own figures, peers beside them in the same run.", no_args_is_help=True)
app.add_typer(bench, name="bench")


@bench.command()
def engine(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """First token, follow-ups, customers in turn, after a restart, decode: ours, the stock handler, llama-server."""
    raise typer.Exit(1)
