"""The composition root: the one place that knows every room and puts the parts together."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot import config as configuration
from bot import knowledge, prompt, server
from bot.config import Config, Shop
from bot.dialogue import Dialogue, Voice
from bot.errors import BotError, ConfigError
from bot.facts import ShopFacts
from bot.intake import Intake
from bot.model import Customer, Language, Photo, PolicySection
from bot.outbox import Outbox
from bot.ports import Adapter, Engine, EngineInfo, Store

if TYPE_CHECKING:
    from adapters.ask import AskAdapter
    from inference.hardware import Choice
    from inference.models import Memory, ModelFiles
    from storage.photos import PhotoFiles
    from storage.store import SqlStore

log = logging.getLogger(__name__)

_PROMPTS = Path(__file__).parent / "prompts"
#: The name of ``[shop]`` where shops have names.
DEFAULT_SHOP = "default"
#: Bytes of one question at the loopback door: words, and photos as base64.
_QUESTION_BYTES = 64_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where this bot keeps things. Relative paths of the configuration start at its folder."""

    root: Path
    database: Path
    photos: Path
    models: Path

    @classmethod
    def of(cls, config: Config, root: Path) -> Place:
        database = root / config.storage.url.removeprefix("sqlite:///")
        return cls(root=root, database=database, photos=root / config.storage.photos, models=database.parent / "models")

    @property
    def url(self) -> str:
        return f"sqlite:///{self.database}"

    @property
    def engine(self) -> Path:
        """The system text's state and the measured rates."""
        return self.database.parent / "engine"

    @property
    def copies(self) -> Path:
        """Copies of the database that are made before a migration."""
        return self.database.parent / "copies"

    @property
    def lock(self) -> Path:
        return self.database.with_suffix(".lock")

    @property
    def door(self) -> Path:
        """Port and token of the running bot, for its owner only."""
        return self.database.with_suffix(".door.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brain:
    """The model as it was chosen for this machine, not loaded yet."""

    engine: Engine
    files: ModelFiles
    choice: Choice


# ---------------------------------------------------------------------------------------------- the parts


def choice_of(config: Config, files: ModelFiles) -> Choice:
    """What this machine does with a model: layers, threads, conversations side by side, the cost of a photo."""
    from inference import hardware
    from inference.llama import devices

    wanted, row = config.inference, files.row
    return hardware.choose(
        hardware.find(devices.find()),
        hardware.Shape(
            text=files.text.stat().st_size,
            projector=files.projector.stat().st_size,
            layers=row.layers,
            cell=row.kv_bytes_per_cell,
            buffers=row.buffers,
        ),
        n_ctx=wanted.n_ctx,
        gpu_layers=_number(wanted.gpu_layers),
        threads=_number(wanted.threads),
        parallel=_number(wanted.parallel),
        visual_tokens=row.visual_tokens or _number(config.photos.visual_tokens),
    )


def _number(value: int | str) -> int | None:
    """A setting that may be «auto»."""
    return value if isinstance(value, int) else None


def memory() -> Memory:
    """What this machine has for a model."""
    from inference import hardware
    from inference.llama import devices
    from inference.models import Memory

    found = hardware.find(devices.find())
    return Memory(main=found.memory, graphics=max((device.free for device in found.devices), default=0))


def brain(config: Config, place: Place, read_photo: Callable[[str], bytes]) -> Brain:
    """The engine for the configured model. Raises :class:`~bot.errors.ModelError` with the way out."""
    from inference import models
    from inference.llama.engine import LlamaEngine
    from inference.llama.settings import Sampling, Settings

    wanted = config.inference
    files = models.resolve(wanted.model, wanted.mmproj, place.models)
    row = files.row
    choice = choice_of(config, files)
    info = EngineInfo(
        model=row.name,
        note=row.note(config.shop.language),
        prompt=row.prompt,
        fact_lines=row.fact_lines,
        context=wanted.n_ctx // choice.parallel,
        prompt_sha256=files.header.prompt_sha256,
    )
    settings = Settings(
        model=files.text,
        projector=files.projector,
        info=info,
        state_dir=place.engine,
        n_ctx=wanted.n_ctx,
        threads=choice.threads,
        most_threads=choice.most_threads,
        gpu_layers=choice.gpu_layers,
        parallel=choice.parallel,
        visual_tokens=choice.visual_tokens,
        square=row.square,
        sampling=Sampling(greedy=row.greedy),
    )
    return Brain(engine=LlamaEngine(settings, read_photo), files=files, choice=choice)


def voice(config: Config, shop: Shop, root: Path, info: EngineInfo, policy: Sequence[PolicySection]) -> Voice:
    """How a shop speaks through this model: persona and prompt are the shop's own files where it has them."""
    folder = root / shop.knowledge
    persona = root / shop.persona if shop.persona else folder / f"persona.{shop.language}.md"
    if not shop.persona and not persona.exists():
        persona = _PROMPTS / f"persona.{shop.language}.md"
    own = folder / f"prompt.{shop.language}.md"
    frame = own if own.exists() else _PROMPTS / f"{info.prompt}.{shop.language}.md"
    return Voice(
        shop=shop.name,
        contact=shop.contact,
        label=shop.ai_label,
        language=shop.language,
        system=prompt.system(
            configuration.template(frame),
            shop=shop.name,
            contact=shop.contact,
            persona=configuration.template(persona),
            policy=policy,
        ),
        max_tokens=config.inference.max_tokens,
        history_turns=config.dialogue.history_turns,
        notice_after_s=config.slow.notice_after_seconds,
        notice_text=config.slow.text,
    )


def foreign(voice: Voice, info: EngineInfo) -> str | None:
    """What to say when the model is tied to another prompt than this shop's; ``None`` when all is well."""
    if info.prompt_sha256 is None or info.prompt_sha256 == prompt.sha256(voice.system):
        return None
    return (
        f"the model {info.model} was trained on the demonstration shop's own persona and policy, and yours differ: "
        "expect wrong answers. Take a larger model for your own shop: `python -m bot model list`"
    )


async def learn(store: Store, name: str, folder: Path) -> None:
    """Reads a knowledge folder into the store when it changed. Raises :class:`ConfigError` naming file and line."""
    version = await asyncio.to_thread(knowledge.version, folder)
    if await store.knowledge_version(name) != version:
        read = await asyncio.to_thread(knowledge.read, folder)
        await store.learn(name, read, version)
        log.info(
            "shop %s: %d products, %d orders read from %s", name, len(read.products), len(read.orders), folder.name
        )


# ---------------------------------------------------------------------------------------------- the house


class House:
    """All parts of a bot at work, from the store to the model. Made by :func:`opened`."""

    def __init__(self, config: Config, place: Place, store: Store, photos: PhotoFiles, brain: Brain) -> None:
        self.config = config
        self.place = place
        self.store = store
        self.photos = photos
        self.brain = brain
        self.adapters: dict[str, Adapter] = {}
        #: Why a part is not ready yet.
        self.pending: dict[str, str] = {"model": "is being loaded"}
        self._facts = ShopFacts(store, DEFAULT_SHOP, self._accounts())
        self._dialogues: dict[str, Dialogue] = {}
        self.intake = Intake(
            store,
            photos,
            self.adapters,
            self.dialogue,
            Outbox(store, self.adapters),
            merge_s=config.dialogue.merge_seconds,
            answers=config.dialogue.mode == "answer",
            language=config.shop.language,
        )

    def _accounts(self) -> dict[tuple[str, str], str]:
        """Which shop an account belongs to, where it is not the nameless one."""
        return {("telegram", shop): shop for shop in [self.config.adapters.telegram.shop] if shop}

    @property
    def shops(self) -> dict[str, Shop]:
        return {DEFAULT_SHOP: self.config.shop} | {name: self.config.shop_of(name) for name in self.config.shops}

    async def prepare(self) -> None:
        """Reads the shops' data and makes their voices. Raises :class:`ConfigError`."""
        for name, shop in self.shops.items():
            await learn(self.store, name, self.place.root / shop.knowledge)
            policy = await self.store.policy(name)
            made = voice(self.config, shop, self.place.root, self.brain.engine.info, policy)
            if warning := foreign(made, self.brain.engine.info):
                log.warning("shop %s: %s", name, warning)
            self._dialogues[name] = Dialogue(self.brain.engine, self._facts, self.store, made)

    def dialogue(self, customer: Customer) -> Dialogue:
        return self._dialogues[self._facts.shop_of(customer)]

    async def forget(self) -> None:
        """Has the model let go of what was erased, by this process or by a command beside it."""
        erased = await self.store.tombstones()
        await self.brain.engine.forget(erased.conversations, erased.photos)

    async def think(self, stack: AsyncExitStack) -> None:
        """Loads the model; from here on what was accepted is answered."""
        await stack.enter_async_context(self.brain.engine)
        await self.forget()
        for dialogue in self._dialogues.values():
            await dialogue.warm(())
        del self.pending["model"]
        self.intake.open()
        await self.intake.resume()

    def not_ready(self) -> dict[str, str]:
        channels = {name: why for name, adapter in self.adapters.items() if (why := adapter.ready()) is not None}
        return self.pending | channels

    async def stop(self, customer: Customer) -> None:
        await self.intake.stop(customer)

    async def begin(self, customer: Customer, language: Language) -> None:
        await self.store.begin(customer, language=language)

    async def typing(self, customer: Customer, photos: Sequence[Photo]) -> None:
        """Has photos looked at whose words are still being typed."""
        if not self.pending:
            await self.dialogue(customer).warm(photos)


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
        house = House(config, place, store, photos, brain(config, place, photos.read))
        await house.prepare()
        yield house


def _folders(place: Place) -> None:
    try:
        for folder in (place.database.parent, place.photos, place.engine):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(
            f"storage: {exc.filename} cannot be made ({exc.strerror}); set another place in [storage]"
        ) from exc


def asker(house: House, token: str) -> AskAdapter:
    """The channel behind ``ask``."""
    from adapters.ask import AskAdapter

    return AskAdapter(house.store, house.photos, token=token, max_body=_QUESTION_BYTES, forget=house.forget)


def channels(house: House, port: int) -> dict[str, Adapter]:
    """The adapters that the configuration enables. What is off is not imported."""
    config, out = house.config, dict[str, Adapter]()
    if config.adapters.web.enabled:
        from adapters.web.adapter import WebAdapter
        from adapters.web.shop import WebShop, read_examples

        folder = house.place.root / config.shop.knowledge
        row = house.brain.files.row
        out["web"] = WebAdapter(
            store=house.store,
            photos=house.photos,
            shop=WebShop(
                account=DEFAULT_SHOP,
                name=config.shop.name,
                ai_label=config.shop.ai_label,
                language=config.shop.language,
                contact=config.shop.contact,
                demonstration=config.web.demonstration,
                examples=read_examples(folder),
                note={"zh": row.note("zh"), "en": row.note("en")},
            ),
            knowledge=folder,
            origins=[*_origins(config.web.host, port), *config.web.origins],
            max_upload_bytes=config.photos.max_upload_bytes,
            on_stop=house.stop,
            on_new=house.begin,
            on_typing=house.typing,
        )
    if (telegram := config.adapters.telegram).enabled:
        from adapters.telegram.adapter import TelegramAdapter

        account = telegram.shop or DEFAULT_SHOP
        folder = house.place.root / config.shop_of(telegram.shop).knowledge
        out["telegram"] = TelegramAdapter(
            token=configuration.secret(telegram.token_env),
            account=account,
            base_url=telegram.base_url,
            base_file_url=telegram.base_file_url,
            store_mark=lambda: house.store.mark("telegram", account),
            read_photo=house.photos.read,
            read_picture=lambda picture: (folder / picture).read_bytes(),
            max_photo_bytes=config.photos.max_upload_bytes,
        )
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
        sock = stack.enter_context(server.bound(config.web.host, config.web.port))
        port = int(sock.getsockname()[1])
        house = await stack.enter_async_context(opened(config, place))
        token = secrets.token_urlsafe(32)
        house.adapters.update(channels(house, port) | {"ask": asker(house, token)})
        mounts = [mount for adapter in house.adapters.values() for mount in adapter.mounts()]
        stack.push_async_callback(house.intake.close)
        await stack.enter_async_context(server.serving(server.build(mounts, house.not_ready), sock))
        stack.enter_context(_door(place.door, port, token))
        tasks = [asyncio.create_task(_receive(house, adapter)) for adapter in house.adapters.values()]
        stack.push_async_callback(_end, tasks)
        await house.think(stack)
        yield house, port


async def _receive(house: House, adapter: Adapter) -> None:
    """A channel at work. One that breaks says why in ``/readyz`` and leaves the others alone."""
    try:
        await adapter.run(house.intake.accept)
    except BotError as exc:
        house.pending[adapter.name] = str(exc)
        log.error("channel %s stopped: %s", adapter.name, exc)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _door(path: Path, port: int, token: str) -> Iterator[None]:
    """Port and token of the running bot in a file that only its owner reads; gone with the bot."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"port": port, "token": token, "pid": os.getpid()}, file)
    new.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def door_of(place: Place) -> Mapping[str, str | int] | None:
    """Port and token of the bot that runs on this database, or ``None``."""
    try:
        found = json.loads(place.door.read_text())
        with socket.create_connection(("127.0.0.1", int(found["port"])), timeout=1):
            return {"port": int(found["port"]), "token": str(found["token"])}
    except (OSError, ValueError, KeyError, TypeError):
        # A bot that was killed leaves its door behind; nobody answers there.
        return None


@asynccontextmanager
async def asking(config: Config, place: Place) -> AsyncIterator[AskAdapter]:
    """A house for one command: no channel but ``ask``, no server. A running bot beside it is not disturbed."""
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(opened(config, place))
        adapter = asker(house, secrets.token_urlsafe(32))
        house.adapters["ask"] = adapter
        stack.push_async_callback(house.intake.close)
        tasks = [asyncio.create_task(_receive(house, adapter))]
        stack.push_async_callback(_end, tasks)
        await house.think(stack)
        yield adapter
