"""``customer``: what a customer may ask for by law: everything held of him, and its end."""

from __future__ import annotations

import asyncio
import json
import zipfile
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.cli import app
from bot.cli.common import load
from bot.config import Config
from bot.errors import BotError
from bot.model import Customer

customer = typer.Typer(help="One customer's data: hand it out, or erase it.", no_args_is_help=True)
app.add_typer(customer, name="customer")

Id = Annotated[str, typer.Argument(metavar="ID", help="CHANNEL:ACCOUNT:ID, as the logs and the console name him.")]


@customer.command()
def export(
    context: typer.Context,
    id_: Id,
    out: Annotated[Path, typer.Option(help="The .zip to write.")] = Path("customer.zip"),
) -> None:
    """Writes everything held of one customer into a .zip: customer.json and his photos."""
    config, root = load(context)
    count = asyncio.run(_export(config, root, _parse(id_), out))
    typer.echo(f"{out}: {count} photos and customer.json")


@customer.command()
def erase(
    context: typer.Context, id_: Id, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Erases one customer: words, photos that only he sent, bindings, and what the model holds of him."""
    config, root = load(context)
    found = _parse(id_)
    if not yes:
        typer.confirm(f"Erase everything of {found}? It cannot be undone", abort=True)
    photos = asyncio.run(_erase(config, root, found))
    typer.echo(
        f"erased; {photos} photos removed. Backups made before still hold this customer: delete them when you no "
        "longer need them; «db restore» erases him again"
    )


def _parse(text: str) -> Customer:
    try:
        return Customer.parse(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{text!r} is not CHANNEL:ACCOUNT:ID") from exc


async def _export(config: Config, root: Path, who: Customer, out: Path) -> int:
    from bot.app import Place, kept

    async with kept(config, Place.of(config, root)) as (store, photos):
        held: dict[str, Any] = await store.export(who)
        if not held:
            raise BotError(f"nothing is held of {who}; is the ID spelt CHANNEL:ACCOUNT:ID?")
        # A photo whose file was lost is in the list without its size; what is left is handed out all the same.
        hashes = [photo["sha256"] for photo in held["photos"] if photo["bytes"] is not None]
        try:
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("customer.json", json.dumps(held, ensure_ascii=False, indent=2))
                for sha256 in hashes:
                    archive.writestr(f"photos/{sha256}.jpg", photos.read(sha256))
        except OSError as exc:
            raise BotError(f"{out}: cannot be written ({exc.strerror})") from exc
        return len(hashes)


async def _erase(config: Config, root: Path, who: Customer) -> int:
    from bot.app import Place, door_of, kept
    from storage.photos import erase as erase_all

    async with kept(config, Place.of(config, root)) as (store, photos):
        erased = await erase_all(store, photos, who)
    if (door := door_of(Place.of(config, root))) is not None:
        # The running bot's model lets go of him too; one that does not run does so when it starts.
        import httpx

        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            await client.post(
                f"http://127.0.0.1:{door['port']}/ask/forget", headers={"Authorization": f"Bearer {door['token']}"}
            )
    return len(erased.photos)
