"""``customer``: what a customer may ask for by law: everything held of him, and its end."""

from __future__ import annotations

import asyncio
import json
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli import app
from bot.cli.common import document, load
from bot.config import Config
from bot.errors import BotError, StorageError
from bot.model import Customer

if TYPE_CHECKING:
    from storage.rights import Listed

customer = typer.Typer(help="A customer's data: who there is, handing it out, erasing it.", no_args_is_help=True)
app.add_typer(customer, name="customer")

#: Seconds that a running bot has to let go of somebody; its model may be busy with an answer.
_FORGET_S = 30.0

Id = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="As «customer list» shows it: ask:local:me, web:default:…, telegram:BOT:CHAT. "
        "The last part is enough where only one customer has it.",
    ),
]


@customer.command("list")
def list_(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Who there is: id, since when, last message, how many; never what was said."""
    config, root = load(context)
    found = asyncio.run(_list(config, root))
    if as_json:
        document(
            [
                {
                    "id": str(each.customer),
                    "channel": each.customer.channel,
                    "since": each.since.isoformat(),
                    "last": None if each.last is None else each.last.isoformat(),
                    "messages": each.messages,
                }
                for each in found
            ]
        )
        return
    if not found:
        typer.echo("nobody has written yet")
        return
    zone = datetime.now().astimezone().tzname()
    rows = [("id", "channel", f"since ({zone})", f"last message ({zone})", "messages")]
    rows += [
        (str(each.customer), each.customer.channel, _local(each.since), _local(each.last), str(each.messages))
        for each in found
    ]
    # Not cut to the terminal's width: an id is there to be copied.
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _local(at: datetime | None) -> str:
    return "–" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M")


@customer.command()
def export(
    context: typer.Context,
    id_: Id,
    out: Annotated[Path, typer.Option(help="The .zip to write.")] = Path("customer.zip"),
) -> None:
    """Writes everything held of one customer into a .zip: customer.json and his photos."""
    if out.exists():
        raise BotError(f"{out}: exists already; name another with --out, an export is never written over")
    config, root = load(context)
    count, lost = asyncio.run(_export(config, root, id_, out))
    typer.echo(f"{out}: {count} photos and customer.json")
    if lost:
        typer.echo(f"{len(lost)} photos are not in it, because their files were lost: {', '.join(lost)}", err=True)


@customer.command()
def erase(
    context: typer.Context, id_: Id, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Erases one customer: words, photos that only he sent, bindings, and what the model holds of him."""
    config, root = load(context)
    found = asyncio.run(_find(config, root, id_))
    if not yes:
        typer.confirm(f"Erase everything of {found}? It cannot be undone", abort=True)
    photos, remains = asyncio.run(_erase(config, root, found))
    if remains:
        typer.echo(remains, err=True)
    typer.echo(
        f"erased; {photos} photos removed. Backups made before still hold this customer: delete them when you no "
        "longer need them; «db restore» erases him again"
    )


async def _list(config: Config, root: Path) -> list[Listed]:
    from bot.app import kept
    from bot.place import Place
    from storage.health import begun

    place = Place.of(config, root)
    if not begun(place.url):
        # Whoever looks makes no database.
        return []
    async with kept(config, place) as (store, _):
        return await store.customers()


async def _find(config: Config, root: Path, text: str) -> Customer:
    return one([each.customer for each in await _list(config, root)], text)


def one(customers: Sequence[Customer], text: str) -> Customer:
    """Whom an ID names: by all of it, or by its last part where that is his alone. Raises :class:`BotError`."""
    whole = [each for each in customers if str(each) == text]
    named = whole or [each for each in customers if each.id == text]
    if len(named) == 1:
        return named[0]
    if named:
        raise BotError(f"{text} is the last part of several IDs: {', '.join(map(str, named))}; give the whole one")
    raise BotError(
        f"nothing is held of {text}. An ID is CHANNEL:ACCOUNT:ID (ask:local:me, telegram:BOT:CHAT); "
        "`python -m bot customer list` shows them all"
    )


async def _export(config: Config, root: Path, id_: str, out: Path) -> tuple[int, list[str]]:
    """How many photos were handed out, and the hashes of those whose files were lost."""
    from bot.app import kept
    from bot.place import Place

    who = await _find(config, root, id_)
    async with kept(config, Place.of(config, root)) as (store, photos):
        held: dict[str, Any] = await store.export(who)
        if not held:
            # He was erased between the two looks.
            raise BotError(f"nothing is held of {who} any more")
        # A photo without its size was cut off before its file was written.
        hashes = [photo["sha256"] for photo in held["photos"] if photo["bytes"] is not None]
        return _pack(out, held, hashes, photos.read)


def _pack(
    out: Path, held: dict[str, Any], hashes: Sequence[str], read: Callable[[str], bytes]
) -> tuple[int, list[str]]:
    """The whole .zip, for its owner's eyes, or none. What is lost is listed in it; the rest is handed out."""
    part = out.with_name(f"{out.name}.part")
    lost: list[str] = []
    try:
        part.unlink(missing_ok=True)
        try:
            with (
                os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
                zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
            ):
                for sha256 in hashes:
                    try:
                        jpeg = read(sha256)
                    except StorageError:
                        lost.append(sha256)
                        continue
                    archive.writestr(f"photos/{sha256}.jpg", jpeg)
                listed = held | {"photos_lost": lost}
                archive.writestr("customer.json", json.dumps(listed, ensure_ascii=False, indent=2))
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
    except OSError as exc:
        raise BotError(f"{out}: cannot be written ({exc.strerror})") from exc
    return len(hashes) - len(lost), lost


async def _erase(config: Config, root: Path, who: Customer) -> tuple[int, str]:
    """How many photos were removed, and what is still to happen."""
    from bot.app import kept
    from bot.place import Place, door_of
    from storage.photos import erase as erase_all

    async with kept(config, Place.of(config, root)) as (store, photos):
        erased = await erase_all(store, photos, who)
    # The running bot's model lets go of him too; one that does not run does so when it starts.
    door = door_of(Place.of(config, root))
    return len(erased.photos), "" if door is None else await _forget(door)


async def _forget(door: Mapping[str, str | int]) -> str:
    """Has the running bot's model let go of what was erased; returns what is still to happen, if anything."""
    import httpx

    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_FORGET_S) as client:
            response = await client.post(
                f"http://127.0.0.1:{door['port']}/ask/forget", headers={"Authorization": f"Bearer {door['token']}"}
            )
    except httpx.HTTPError as exc:
        why = type(exc).__name__
    else:
        if response.is_success:
            return ""
        why = f"status {response.status_code}"
    return (
        f"the running bot did not say that its model let go of this customer ({why}); it forgets at its next start: "
        "restart it"
    )
