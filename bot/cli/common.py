"""What commands share: the configuration, and JSON on stdout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from bot import config as configuration
from bot.config import Config


def load(context: typer.Context, *, secrets: bool = False) -> tuple[Config, Path]:
    """The configuration and the folder that its relative paths start at; logs are set up as it says.

    ``secrets``: the command talks to platforms, and needs what they ask for.
    """
    from bot import log

    path: Path = context.obj.config
    config = configuration.load(path, secrets=secrets)
    log.configure(config.log.level, config.log.format)
    return config, path.resolve().parent


def document(value: Any) -> None:
    """The one JSON document of a ``--json`` run."""
    typer.echo(json.dumps(value, ensure_ascii=False))
