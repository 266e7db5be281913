"""``db``: migrations, integrity, copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bot.cli import app
from bot.cli.common import document, load

db = typer.Typer(help="The database: migrations, integrity, copies.", no_args_is_help=True)
app.add_typer(db, name="db")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@db.command()
def upgrade(context: typer.Context) -> None:
    """Brings the database to this version; a copy is made first. ``run`` does it by itself."""
    from bot.place import Place
    from storage.schema import migrate

    config, root = load(context)
    place = Place.of(config, root)
    place.data.mkdir(parents=True, exist_ok=True)
    copy = migrate(place.url, place.copies)
    typer.echo(f"up to date; the copy of before is {copy}" if copy else "up to date; nothing was to be done")


@db.command()
def check(context: typer.Context, as_json: Json = False) -> None:
    """Integrity, drift from the program's tables, photos that are missing."""
    from bot.place import Place
    from storage.health import check as checked

    config, root = load(context)
    place = Place.of(config, root)
    found = checked(place.url, place.photos)
    if as_json:
        document([{"ok": f.ok, "what": f.what, "fix": f.fix} for f in found])
    else:
        for finding in found:
            typer.echo(f"{'✓' if finding.ok else '✗'} {finding.what}{'' if finding.ok else ' → ' + finding.fix}")
    raise typer.Exit(0 if all(f.ok for f in found) else 1)


@db.command()
def backup(context: typer.Context, file: Annotated[Path, typer.Argument(help="Where the copy goes.")]) -> None:
    """One file with a consistent copy of database and photos; the bot may run meanwhile."""
    from bot.place import Place
    from storage.copies import backup as save

    config, root = load(context)
    place = Place.of(config, root)
    with _bar("copying") as progress:
        save(place.url, place.photos, file, progress)
    typer.echo(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


@db.command()
def restore(context: typer.Context, file: Annotated[Path, typer.Argument(help="A file made by «backup».")]) -> None:
    """Puts a copy in place; what was there is moved aside, not deleted. The bot must not run."""
    from bot.place import Place
    from storage.copies import restore as put_back
    from storage.lock import RunLock

    config, root = load(context)
    place = Place.of(config, root)
    place.data.mkdir(parents=True, exist_ok=True)
    with RunLock(place.lock), _bar("restoring") as progress:
        restored = put_back(file, place.url, place.photos, in_use=False, progress=progress)
    before = " and ".join(map(str, restored.aside))
    typer.echo("restored" + (f"; what was there before: {before}" if before else ""))
    if gone := restored.erased_again:
        who, were = ("customer who was", "was") if gone == 1 else ("customers who were", "were")
        typer.echo(f"{gone} {who} erased after the copy was made {were} erased again")


@contextmanager
def _bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar at a terminal, nothing elsewhere; called with (done, total)."""
    from rich.console import Console
    from rich.progress import Progress

    # Even where it draws nothing it would leave an empty line behind.
    with Progress(transient=True, disable=not Console().is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
