"""What can be said before the first start installs anything: ``python -m scripts.before ARGUMENTS-OF-START.SH``.

A set-up takes minutes; a port that is taken, a slip in ``bot.toml`` or a word that ``./start.sh`` does not know must
not wait for its end. Any Python of ours runs it, with nothing but the standard library; the sentences are those of
``run``. Prints what is wrong, if anything. Exit 0 all is well · 1 it cannot start now · 2 wrong usage or configuration.
"""  # noqa: INP001 - beside shell scripts

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot import address, toml
from bot.errors import ConfigError, StorageError
from storage import lock

#: What ``run`` takes; a test compares.
KNOWN = {"--help"}
_SQLITE = "sqlite:///"


def said(root: Path, arguments: Sequence[str]) -> tuple[int, str]:
    """Exit status and sentence for a start in this folder with these arguments."""
    try:
        if arguments and arguments[0] not in KNOWN:
            raise ConfigError(_unknown(arguments[0]))
        if not arguments:
            settings = _settings(root / "bot.toml")
            lock.free(_lock(root, settings))
            _address(settings)
    except ConfigError as exc:
        return 2, str(exc).replace(f"{root}/", "")
    except StorageError as exc:
        return 1, str(exc)
    return 0, ""


def _unknown(argument: str) -> str:
    if argument.startswith("--config"):
        return "./start.sh always reads bot.toml; for another file: .venv/bin/python -m bot --config FILE run"
    if argument.startswith(("--port", "--host")):
        name = argument.lstrip("-").partition("=")[0]
        return f"./start.sh knows no {argument}; set {name} under [web] in bot.toml"
    return f"./start.sh knows no {argument}; it takes no arguments: what there is to set stands in bot.toml"


def _settings(path: Path) -> dict[str, Any]:
    """What the file says, where every key is known and every value of its kind; the rest is judged by ``run``."""
    if not path.exists():
        raise ConfigError(f"{path}: there is no such file; `git checkout {path.name}` brings it back")
    text, settings = toml.read(path)
    if wrong := toml.faults(settings):
        raise ConfigError(toml.told(path, text, wrong))
    return settings


def _lock(root: Path, settings: dict[str, Any]) -> Path:
    """Where ``run`` holds its lock; what is no address of a file is judged later."""
    url: str = settings.get("storage", {}).get("url", f"{_SQLITE}data/bot.db")
    file = root / url.removeprefix(_SQLITE)
    return file.with_suffix(".lock")


def _address(settings: dict[str, Any]) -> None:
    web = settings.get("web", {})
    host, port = web.get("host", "127.0.0.1"), web.get("port", 7860)
    if 0 <= port <= 65535:
        with address.bound(host, port):
            pass


if __name__ == "__main__":
    status, sentence = said(Path.cwd(), sys.argv[1:])
    print(sentence, end="")
    sys.exit(status)
