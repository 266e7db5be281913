"""``doctor``: what is well, what is not, and how to mend it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bot.cli import app
from bot.cli.common import document, load
from bot.config import Config
from bot.errors import BotError, ConfigError
from bot.ports import Finding

#: Bytes of free disk under which the owner is told.
_LITTLE_DISK = 1 << 30


@app.command()
def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Checks configuration, storage, model, hardware and every enabled channel; each failure with its way out."""
    config, root = load(context)
    parts = asyncio.run(_parts(config, root))
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
            }
        )
    else:
        _show(parts)
    raise typer.Exit(0 if well else 1)


async def _parts(config: Config, root: Path) -> dict[str, list[Finding]]:
    return {
        "configuration": [Finding(ok=True, what="bot.toml is well formed; every key is known")],
        "storage": await asyncio.to_thread(_storage, config, root),
        "shop": await _shop(config, root),
        "model": await asyncio.to_thread(_model, config, root),
        "hardware": await asyncio.to_thread(_hardware, config, root),
        "channels": await _channels(config, root),
    }


def _storage(config: Config, root: Path) -> list[Finding]:
    from bot.app import Place
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


async def _shop(config: Config, root: Path) -> list[Finding]:
    from bot import knowledge

    out = []
    for name, shop in {"": config.shop, **{n: config.shop_of(n) for n in config.shops}}.items():
        folder = root / shop.knowledge
        label = f"shop {name}: " if name else ""
        try:
            read = await asyncio.to_thread(knowledge.read, folder)
            lacking = await asyncio.to_thread(knowledge.lacking_pictures, folder, read)
        except ConfigError as exc:
            out.append(Finding(ok=False, what=f"{label}{exc}", fix="mend the file; the README shows the columns"))
            continue
        out.append(
            Finding(
                ok=True,
                what=f"{label}{len(read.products)} products, {len(read.orders)} orders, {len(read.faq)} questions, "
                f"{len(read.policy)} policy sections in {shop.knowledge}/",
            )
        )
        if lacking:
            out.append(
                Finding(
                    ok=False,
                    what=f"{label}{len(lacking)} pictures are missing, {lacking[0]} first",
                    fix="put them into the knowledge folder, or empty the column",
                )
            )
    return out


def _model(config: Config, root: Path) -> list[Finding]:
    from bot.app import Place, model_findings

    try:
        return model_findings(config, Place.of(config, root))
    except BotError as exc:
        return [Finding(ok=False, what=str(exc), fix="python -m bot model list")]


def _hardware(config: Config, root: Path) -> list[Finding]:
    from bot.app import Place, machine_findings

    try:
        return machine_findings(config, Place.of(config, root))
    except BotError:
        # Said under «model» already; without one there is nothing to choose.
        return []


async def _channels(config: Config, root: Path) -> list[Finding]:
    from bot.app import Place, channels, opened

    # Whoever looks changes nothing: what a house makes when it is opened goes to a folder that is thrown away.
    with tempfile.TemporaryDirectory() as folder:
        try:
            async with opened(config, Place.of(config, root).aside(Path(folder))) as house:
                adapters = channels(house, config.web.port)
                found = [finding for adapter in adapters.values() for finding in await adapter.check()]
                return found or [Finding(ok=False, what="no channel is enabled", fix="enable one in [adapters]")]
        except BotError as exc:
            return [Finding(ok=False, what=str(exc), fix="see above")]


def _show(parts: dict[str, list[Finding]]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for part, findings in parts.items():
        console.print(part, style="bold")
        for finding in findings:
            console.print("  ✓ " if finding.ok else "  ✗ ", style="green" if finding.ok else "red", end="")
            console.print(finding.what, markup=False)
            if not finding.ok and finding.fix:
                console.print(f"    → {finding.fix}", markup=False)
