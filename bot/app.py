"""The composition root: the one place that knows every room and puts the parts together."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bot import address, server
from bot import config as configuration
from bot.backend import engine_of
from bot.burst import MOST_PHOTOS
from bot.config import DEFAULT_SHOP, Config
from bot.errors import BotError, ConfigError
from bot.house import House
from bot.place import Place, door
from bot.ports import Adapter

if TYPE_CHECKING:
    from adapters.ask import AskAdapter
    from storage.photos import PhotoFiles
    from storage.store import SqlStore

log = logging.getLogger(__name__)

#: Bytes of one question at the loopback door: words, and photos as base64.
_QUESTION_BYTES = 64_000_000
#: Seconds between two looks whether another command is done.
_ANOTHER = 0.2


@asynccontextmanager
async def kept(config: Config, place: Place) -> AsyncIterator[tuple[SqlStore, PhotoFiles]]:
    """Database and photos alone, brought to this version. Raises :class:`~bot.errors.StorageError`."""
    from inference.darkroom import Darkroom
    from storage.photos import PhotoFiles
    from storage.schema import migrate
    from storage.store import open_store

    await asyncio.to_thread(_folders, place)
    await asyncio.to_thread(migrate, place.url, place.copies)
    limits = config.photos
    async with (
        Darkroom(
            short_side=limits.short_side, max_bytes=limits.max_bytes, max_upload_bytes=limits.max_upload_bytes
        ) as darkroom,
        open_store(place.url) as store,
    ):
        photos = PhotoFiles(store.database, place.photos, darkroom.normalise)
        await photos.remove_erased()
        yield store, photos


@asynccontextmanager
async def opened(config: Config, place: Place) -> AsyncIterator[House]:
    """A house with store, photos and a model that is not loaded yet. Raises :class:`BotError`s with the way out."""
    async with kept(config, place) as (store, photos):
        house = House(config, place, store, photos, engine_of(config, place, photos.read))
        await house.prepare()
        yield house


def _folders(place: Place) -> None:
    try:
        for folder in (place.data, place.photos, place.engine):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(
            f"storage: {exc.filename} cannot be made ({exc.strerror}). If this folder cannot be written: copy it to a "
            "place of your own and start it there; or set another place in [storage]"
        ) from exc


def asker(house: House, token: str) -> AskAdapter:
    """The channel behind ``ask``."""
    from adapters.ask import AskAdapter

    return AskAdapter(
        house.store,
        house.photos,
        token=token,
        max_body=_QUESTION_BYTES,
        answers=house.config.dialogue.mode == "answer",
        forget=house.forget,
    )


def channels(house: House, port: int) -> dict[str, Adapter]:
    """The adapters that the configuration enables; the house learns whose their accounts are. What is off is not
    imported.
    """
    config, out = house.config, dict[str, Adapter]()
    if config.adapters.web.enabled:
        from adapters.web.adapter import WebAdapter
        from adapters.web.shop import WebShop, read_examples

        folder = house.place.root / config.shop.knowledge
        out["web"] = WebAdapter(
            store=house.store,
            photos=house.photos,
            shop=WebShop(
                account=DEFAULT_SHOP,
                name=config.shop.name,
                ai_label=config.shop.label,
                language=config.shop.language,
                contact=config.shop.contact,
                demonstration=config.web.demonstration,
                examples=read_examples(folder),
                note=house.engine.info.notes,
            ),
            knowledge=folder,
            origins=[*_origins(config.web.host, port), *config.web.origins],
            max_upload_bytes=config.photos.max_upload_bytes,
            most_photos=MOST_PHOTOS,
            notice_after_s=config.slow.notice_after_seconds,
            preparing=house.preparing,
            on_stop=house.stop,
            on_typing=house.typing,
        )
    if (telegram := config.adapters.telegram).enabled:
        from adapters.telegram.adapter import TelegramAdapter

        folder = house.place.root / config.shop_of(telegram.shop).knowledge
        bot = TelegramAdapter(
            token=configuration.secret(telegram.token_env),
            base_url=telegram.base_url,
            base_file_url=telegram.base_file_url,
            store_mark=house.store.mark,
            read_photo=house.photos.read,
            read_picture=lambda picture: (folder / picture).read_bytes(),
            max_photo_bytes=config.photos.max_upload_bytes,
        )
        out[bot.name] = bot
        if telegram.shop:
            house.accounts[bot.name, bot.account] = telegram.shop
    return out


def _origins(host: str, port: int) -> list[str]:
    """The addresses that a browser on this machine opens the page under."""
    names = {host, "127.0.0.1", "localhost"} if host in {"127.0.0.1", "localhost", "0.0.0.0", "::"} else {host}  # noqa: S104
    return [f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}" for name in sorted(names)]


# ---------------------------------------------------------------------------------------------- at work


@asynccontextmanager
async def running(config: Config, place: Place) -> AsyncIterator[tuple[House, int]]:
    """A whole bot: channels take in from the first moment, answers come when the model is there.

    Gives the house and the port of its server. Leaving stops in order: channels first, then answers, then the model.
    """
    from storage.lock import RunLock

    await asyncio.to_thread(_folders, place)
    async with AsyncExitStack() as stack:
        stack.enter_context(RunLock(place.lock))
        sock = stack.enter_context(address.bound(config.web.host, config.web.port))
        port = int(sock.getsockname()[1])
        house = await stack.enter_async_context(opened(config, place))
        token = secrets.token_urlsafe(32)
        house.adapters.update(channels(house, port) | {"ask": asker(house, token)})
        mounts = [mount for adapter in house.adapters.values() for mount in adapter.mounts()]
        # Its place in the order: the model is loaded last, and is the last to go but for the store.
        model = await stack.enter_async_context(AsyncExitStack())
        stack.push_async_callback(house.intake.close)
        await stack.enter_async_context(server.serving(server.build(mounts, house.not_ready), sock))
        stack.enter_context(door(place.door, port, token))
        tasks = [asyncio.create_task(_receive(house, adapter)) for adapter in house.adapters.values()]
        stack.push_async_callback(_end, tasks)
        async with AsyncExitStack() as others:
            # An `ask` that works by itself waits for its own answer: nobody else takes its question up.
            await _after_others(others, place.asking)
        # Sending needs no model, and what an earlier run left behind comes before anything newer.
        await house.intake.resume()
        await house.think(model)
        yield house, port


async def _receive(house: House, adapter: Adapter) -> None:
    """A channel at work. One that breaks says why in ``/readyz`` and leaves the others alone."""
    try:
        await adapter.run(house.intake.accept)
    except BotError as exc:
        house.pending[adapter.name] = str(exc)
        log.error("channel %s stopped: %s", adapter.name, exc)
    except Exception:
        # A defect of the adapter: the other channels go on, and the owner is told which one does not.
        house.pending[adapter.name] = "stopped by a defect; the log has more"
        log.exception("channel %s stopped by a defect", adapter.name)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _after_others(stack: AsyncExitStack, path: Path) -> None:
    from storage.lock import Held, RunLock

    said = False
    while True:
        with suppress(Held):
            stack.enter_context(RunLock(path))
            return
        if not said:
            log.warning("an `ask` is at work on this data; waiting for its end")
            said = True
        await asyncio.sleep(_ANOTHER)


@asynccontextmanager
async def asking(config: Config, place: Place) -> AsyncIterator[AskAdapter]:
    """A house for one command: no channel but ``ask``, no server. A running bot beside it is not disturbed.

    One such house after the other: two would answer each other's questions where the customer is the same.
    """
    async with AsyncExitStack() as stack:
        await _after_others(stack, place.asking)
        house = await stack.enter_async_context(opened(config, place))
        adapter = asker(house, secrets.token_urlsafe(32))
        house.adapters["ask"] = adapter
        model = await stack.enter_async_context(AsyncExitStack())
        stack.push_async_callback(house.intake.close)
        tasks = [asyncio.create_task(_receive(house, adapter))]
        stack.push_async_callback(_end, tasks)
        await house.think(model)
        yield adapter
