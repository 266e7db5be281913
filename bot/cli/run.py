"""``run``: the whole bot, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

import typer

from bot.cli import app
from bot.cli.common import load
from bot.config import Config
from bot.ports import EngineInfo


@app.command()
def run(context: typer.Context) -> None:
    """Runs the bot: channels, answers and the web page. Ctrl-C (or SIGTERM) stops it; nothing is lost."""
    config, root = load(context, secrets=True)
    asyncio.run(_run(config, root, command(context.obj.config)))
    typer.echo("\n已停止 · stopped")


def command(settings: Path) -> str:
    """How this bot's other commands begin in a terminal of their own, in this folder: nothing is activated there."""
    here = Path.cwd() / ".venv"
    python = ".venv/bin/python" if here.exists() and here.samefile(sys.prefix) else "python"
    return f"{python} -m bot" if settings == Path("bot.toml") else f"{python} -m bot --config {quote(str(settings))}"


async def _run(config: Config, root: Path, bot: str) -> None:
    from bot.app import running
    from bot.place import Place

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        # A second signal ends the process at once, the ordinary way.
        loop.add_signal_handler(name, _stop, loop, stop)
    starting = asyncio.current_task()
    assert starting is not None
    watcher = asyncio.create_task(_interrupt(stop, starting))
    loading = contextlib.ExitStack()
    try:
        loading.enter_context(_loading())
        async with running(config, Place.of(config, root)) as (house, port):
            loading.close()
            _hello(config, house.engine.info, port, bot)
            await stop.wait()
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
    finally:
        loading.close()
        watcher.cancel()


@contextlib.contextmanager
def _loading() -> Iterator[None]:
    """A moving line while the start takes its time; a terminal alone gets it, and logs are written over it."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status("正在载入模型 · loading the model …"):
        yield


def _stop(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    stop.set()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(name)


async def _interrupt(stop: asyncio.Event, starting: asyncio.Task[None]) -> None:
    """A signal during the start (a model is being loaded) ends it; later ``stop`` is awaited where it belongs."""
    await stop.wait()
    with contextlib.suppress(asyncio.CancelledError):
        starting.cancel()


def _hello(config: Config, model: EngineInfo, port: int, bot: str) -> None:
    """Six lines: where, what answers and what it is good for, how to stop, what to do next.

    ``bot``: see :func:`command`.
    """
    from rich.console import Console

    host = "127.0.0.1" if config.web.host in {"0.0.0.0", "::"} else config.web.host  # noqa: S104
    say = Console(highlight=False, soft_wrap=True).print
    say(f"\n[bold]掌柜[/] 已就绪 · ready: [bold cyan]http://{host}:{port}[/]")
    say(f"模型 · model: {model.title}")
    say(f"  {model.notes[config.shop.language]}", markup=False)
    say("停止 · stop: Ctrl-C")
    say("试一试 · try: 打开上面的网址，发一张照片 (open the page and send a photo)")
    say(f"接下来 · next: {bot} doctor · {bot} model list · README.md", markup=False)
