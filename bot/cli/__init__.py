"""The command line: ``python -m bot [--config bot.toml] COMMAND``.

Exit 0 done · 1 it failed (one line on stderr says what, and how to mend it) · 2 wrong usage or configuration.
``--json`` prints one document on stdout and nothing else there; logs go to stderr. Each command imports what it needs
when it runs: ``--help`` is there at once, and a running bot holds nothing that it does not use.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bot import __version__
from bot.errors import BotError, ConfigError

app = typer.Typer(
    name="python -m bot",
    help="掌柜 Zhanggui: the shop's customer-service bot that can see. It runs on this machine; nothing leaves it.",
    epilog="Start with: python -m bot doctor",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: no frames, nothing of it taken for markup, and flags without a type.
    rich_markup_mode=None,
)


@dataclass(frozen=True, slots=True)
class Given:
    """What stands before the command."""

    config: Path


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zhanggui {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    config: Annotated[Path, typer.Option(help="The configuration; relative paths in it start at its folder.")] = Path(
        "bot.toml"
    ),
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    context.obj = Given(config)


def fail(message: str, code: int) -> int:
    """The error as a person reads it, beginning as those of ./start.sh and of wrong usage do: red only in the first
    word, and only at a terminal.
    """
    from rich.console import Console

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print("Error:", style="red", end=" ", markup=False)
    console.print(message, markup=False)
    return code


def main() -> None:
    """Runs a command and turns what went wrong into an exit code."""
    from bot.cli import ask, bench, customer, db, doctor, model, run  # noqa: F401 - each adds its commands

    try:
        code = app(standalone_mode=False)
    except ConfigError as exc:
        code = fail(str(exc), 2)
    except BotError as exc:
        code = fail(str(exc), 1)
    except typer.Abort:
        code = fail("aborted", 1)
    except KeyboardInterrupt:
        typer.echo("\nstopped", err=True)
        code = 130
    except Exception as exc:
        # Click's own errors (wrong usage) carry their exit code and print themselves; everything else is a defect of
        # ours and deserves its trace.
        show = getattr(exc, "show", None)
        if show is None:
            raise
        show()
        code = int(getattr(exc, "exit_code", 2))
    sys.exit(code if isinstance(code, int) else 0)
