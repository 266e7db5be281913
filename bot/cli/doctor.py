"""``doctor``: what is well, what is not, and how to mend it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot import log
from bot.cli import app
from bot.cli.common import document, load
from bot.config import Config, Shop
from bot.errors import BotError, ConfigError
from bot.ports import Finding

if TYPE_CHECKING:
    from bot.knowledge import LackingPicture

#: Bytes of free disk under which the owner is told.
_LITTLE_DISK = 1 << 30
#: Pictures of one kind that are named; the rest is counted.
_SHOWN = 3


@app.command()
def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Checks configuration, storage, model, hardware and every enabled channel; each failure with its way out."""
    config, root = load(context, secrets=True)
    if config.log.level != "debug":
        # What a start would log stands among the findings.
        log.configure("error", config.log.format)
    parts = asyncio.run(_parts(config, context.obj.config, root))
    well = all(finding.ok for findings in parts.values() for finding in findings)
    if as_json:
        document(
            {
                "ok": well,
                "findings": [
                    {"part": part, "ok": f.ok, "what": f.what, "fix": f.fix}
                    for part, found in parts.items()
                    for f in found
                ],
                "unchecked": [part for part, found in parts.items() if not found],
            }
        )
    else:
        _show(parts)
    raise typer.Exit(0 if well else 1)


async def _parts(config: Config, path: Path, root: Path) -> dict[str, list[Finding]]:
    """What was found, by part; a part without a finding waits until another is mended."""
    out = {
        "configuration": [Finding(ok=True, what=f"{path.name} is well formed; every key is known")],
        "storage": await asyncio.to_thread(_storage, config, root),
        "shop": await asyncio.to_thread(_shop, config, root),
        "model": await asyncio.to_thread(_model, config, root),
        "hardware": await asyncio.to_thread(_hardware, config, root),
        "address": await asyncio.to_thread(_address, config, root),
    }
    well = all(finding.ok for findings in out.values() for finding in findings)
    return out | {"channels": await _channels(config, root, well=well)}


def _storage(config: Config, root: Path) -> list[Finding]:
    from bot.place import Place
    from storage.health import begun, check

    place = Place.of(config, root)
    out = []
    if begun(place.url):
        out += check(place.url, place.photos)
    else:
        out.append(Finding(ok=True, what="no database yet; the first start makes it"))
    folder = next(p for p in (place.data, *place.data.parents) if p.exists())
    free = shutil.disk_usage(folder).free
    out.append(
        Finding(
            ok=free > _LITTLE_DISK,
            what=f"{free / 2**30:.1f} GiB of disk are free",
            fix="make room, or put the database elsewhere in [storage]",
        )
    )
    return out


def _shop(config: Config, root: Path) -> list[Finding]:
    """Every file of every shop; each one that is wrong is said once, with its own way out."""
    out = []
    for name, shop in {"": config.shop, **{n: config.shop_of(n) for n in config.shops}}.items():
        label, table = (f"shop {name}: ", f"shops.{name}") if name else ("", "shop")
        out += [
            Finding(ok=f.ok, what=f"{label}{f.what.replace(f'{root}/', '')}", fix=f.fix)
            for f in (*_knowledge(shop, root / shop.knowledge, table), *_texts(shop, root, table))
        ]
    if config.adapters.web.enabled:
        from adapters.web.shop import read_examples

        try:
            read_examples(root / config.shop.knowledge)
        except ConfigError as exc:
            out.append(Finding(ok=False, what=str(exc).replace(f"{root}/", ""), fix="mend the file, or remove it"))
    return out


def _knowledge(shop: Shop, folder: Path, table: str) -> Iterator[Finding]:
    from bot import knowledge

    if not folder.is_dir():
        fix = f"set knowledge under [{table}] to the folder with products.csv and policy.md"
        yield Finding(ok=False, what=f"{folder}: there is no such folder", fix=fix)
        return
    try:
        read = knowledge.read(folder)
    except ConfigError as exc:
        yield Finding(ok=False, what=str(exc), fix="mend the file; the README shows the columns")
        return
    yield Finding(
        ok=True,
        what=f"{len(read.products)} products, {len(read.orders)} orders, {len(read.faq)} questions, "
        f"{len(read.policy)} policy sections in {shop.knowledge}/",
    )
    for gap in knowledge.gaps(folder):
        yield Finding(ok=False, what=gap, fix="put the file there; demo/ is an example, the README shows what is in it")
    yield from _pictures(knowledge.lacking_pictures(folder), f"{shop.knowledge}/")


def _pictures(lacking: Sequence[LackingPicture], folder: str) -> Iterator[Finding]:
    """A few of each kind, by name; the rest is counted."""
    from bot.knowledge import NO_PICTURE, NOT_THERE

    ways = {
        NOT_THERE: f"put it into {folder} under this name, or empty its cell in the column picture",
        NO_PICTURE: "save it anew as one of these: another ending alone does not change what is in a file",
    }
    for why in dict.fromkeys(each.why for each in lacking):
        same = [f"{folder}{each}" for each in lacking if each.why == why]
        if same[_SHOWN:]:
            same[_SHOWN - 1] += f" (and {len(same) - _SHOWN} more)"
        fix = ways.get(why, "put a picture there that the user of the bot may read")
        yield from (Finding(ok=False, what=what, fix=fix) for what in same[:_SHOWN])


def _texts(shop: Shop, root: Path, table: str) -> Iterator[Finding]:
    """The shop's own persona and prompt, where it has them."""
    from bot import config as configuration
    from bot.house import texts
    from bot.prompt import PERSONA_VARIABLES, VARIABLES

    for path, variables in zip(texts(shop, root, "full"), (VARIABLES, PERSONA_VARIABLES), strict=True):
        try:
            configuration.template(path, variables)
        except ConfigError as exc:
            fix = "mend the file" if path.exists() else f"put the file there, or mend persona under [{table}]"
            yield Finding(ok=False, what=str(exc), fix=fix)


def _model(config: Config, root: Path) -> list[Finding]:
    from bot.backend import model_findings
    from bot.place import Place

    try:
        return model_findings(config, Place.of(config, root))
    except BotError as exc:
        return [Finding(ok=False, what=str(exc), fix="python -m bot model list")]


def _hardware(config: Config, root: Path) -> list[Finding]:
    from bot.backend import machine_findings
    from bot.place import Place

    try:
        return machine_findings(config, Place.of(config, root))
    except BotError:
        # Said under «model» already; without one there is nothing to choose.
        return []


def _address(config: Config, root: Path) -> list[Finding]:
    """Whether the page can open where the settings want it; a bot of ours that is there already is well."""
    from bot import address
    from bot.place import Place, door_of

    host, port = config.web.host, config.web.port
    door = door_of(Place.of(config, root))
    if door is not None and port in {0, door["port"]}:
        return [Finding(ok=True, what=f"the bot is running: it has port {door['port']}")]
    try:
        with address.bound(host, port):
            return [Finding(ok=True, what=f"{host}:{port} is free" if port else f"{host} can be used; any free port")]
    except ConfigError as exc:
        what, end, fix = str(exc).partition(")")
        return [Finding(ok=False, what=what + end, fix=fix.lstrip(";. "))]


async def _channels(config: Config, root: Path, *, well: bool) -> list[Finding]:
    """``well``: nothing was found wrong so far. Else what keeps the house from opening was said there."""
    from bot.app import channels, opened
    from bot.place import Place

    # Whoever looks changes nothing: what a house makes when it is opened goes to a folder that is thrown away.
    with tempfile.TemporaryDirectory() as folder:
        try:
            async with opened(config, Place.of(config, root).aside(Path(folder))) as house:
                adapters = channels(house, config.web.port)
                found = [finding for adapter in adapters.values() for finding in await adapter.check()]
                return found or [Finding(ok=False, what="no channel is enabled", fix="enable one in [adapters]")]
        except BotError as exc:
            return [Finding(ok=False, what=str(exc), fix="the log of `python -m bot run` says more")] if well else []


def _show(parts: dict[str, list[Finding]]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for part, findings in parts.items():
        console.print(part, style="bold")
        if not findings:
            console.print("  – not checked: mend what stands above first", style="dim", markup=False)
        for finding in findings:
            console.print("  ✓ " if finding.ok else "  ✗ ", style="green" if finding.ok else "red", end="")
            console.print(finding.what, markup=False)
            if not finding.ok and finding.fix:
                console.print(f"    → {finding.fix}", markup=False)
