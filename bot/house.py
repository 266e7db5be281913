"""The house: a bot's shops, their voices and the parts that stay together from its start to its end.

:mod:`bot.app` opens it, brings its channels in and runs it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from bot import config as configuration
from bot import knowledge, prompt
from bot.config import DEFAULT_SHOP, Config, Shop
from bot.dialogue import Dialogue
from bot.errors import ConfigError, EngineError, TooLong
from bot.facts import ShopFacts
from bot.intake import Intake
from bot.model import Customer, Photo, PolicySection
from bot.outbox import Outbox
from bot.place import Place
from bot.ports import Adapter, Engine, EngineInfo, PhotoStore, Store
from bot.voice import Voice

log = logging.getLogger(__name__)

_PROMPTS = Path(__file__).parent / "prompts"


class House:
    """All parts of a bot at work, from the store to the model. Made by :func:`opened`."""

    def __init__(self, config: Config, place: Place, store: Store, photos: PhotoStore, engine: Engine) -> None:
        self.config = config
        self.place = place
        self.store = store
        self.photos = photos
        self.engine = engine
        self.adapters: dict[str, Adapter] = {}
        #: Why a part is not ready yet.
        self.pending: dict[str, str] = {"model": "is being loaded"}
        #: Which shop an account belongs to, where it is not the nameless one: by channel and account.
        self.accounts: dict[tuple[str, str], str] = {}
        self._facts = ShopFacts(store, DEFAULT_SHOP, self.accounts)
        self._dialogues: dict[str, Dialogue] = {}
        self.intake = Intake(
            store,
            photos,
            self.adapters,
            self.dialogue,
            Outbox(store, self.adapters),
            merge_s=config.dialogue.merge_seconds,
            answers=config.dialogue.mode == "answer",
        )

    @property
    def shops(self) -> dict[str, Shop]:
        return {DEFAULT_SHOP: self.config.shop} | {name: self.config.shop_of(name) for name in self.config.shops}

    async def prepare(self) -> None:
        """Reads the shops' data and makes their voices. Raises :class:`ConfigError`."""
        for name, shop in self.shops.items():
            await learn(self.store, name, self.place.root / shop.knowledge)
            policy = await self.store.policy(name)
            made = voice(self.config, shop, self.place.root, self.engine.info, policy)
            if warning := foreign(made, self.engine.info):
                log.warning("shop %s: %s", name, warning)
            self._dialogues[name] = Dialogue(self.engine, self._facts, self.store, made)

    def dialogue(self, customer: Customer) -> Dialogue:
        return self._dialogues[self._facts.shop_of(customer)]

    async def forget(self) -> None:
        """Has the model let go of what was erased, by this process or by a command beside it."""
        erased = await self.store.tombstones()
        await self.engine.forget(erased.conversations, erased.photos)

    async def think(self, stack: AsyncExitStack) -> None:
        """Loads the model; from here on what was accepted is answered."""
        await stack.enter_async_context(self.engine)
        await self.forget()
        for name, shop in self.shops.items():
            await self._read(name, shop)
        del self.pending["model"]
        self.intake.open()

    async def _read(self, name: str, shop: Shop) -> None:
        """Has the model read a shop's prompt. Raises :class:`ConfigError` when it leaves no room for a question;
        whatever else fails shows when it answers.
        """
        try:
            await self.engine.warm(self._dialogues[name].voice.system)
        except TooLong as exc:
            frame, persona = texts(shop, self.place.root, self.engine.info.prompt)
            policy = self.place.root / shop.knowledge / "policy.md"
            raise ConfigError(f"shop {name}: {persona}, {policy} and {frame} make too long a prompt: {exc}") from exc
        except EngineError as exc:
            log.warning("shop %s: its prompt was not read in advance: %s", name, exc)

    def not_ready(self) -> dict[str, str]:
        channels = {name: why for name, adapter in self.adapters.items() if (why := adapter.ready()) is not None}
        storage = {} if (why := self.store.ready() or self.photos.ready()) is None else {"storage": why}
        model = {} if (why := self.engine.ready()) is None else {"model": why}
        return model | self.pending | storage | channels

    def preparing(self) -> bool:
        """Whether what customers say now is answered only when the model is there."""
        return "model" in self.pending and self.config.dialogue.mode == "answer"

    async def stop(self, customer: Customer) -> None:
        await self.intake.stop(customer)

    async def typing(self, customer: Customer, photos: Sequence[Photo]) -> None:
        """Has photos looked at whose words are still being typed."""
        if "model" not in self.pending:
            await self.dialogue(customer).warm(photos)


def texts(shop: Shop, root: Path, kind: str) -> tuple[Path, Path]:
    """The files of a shop's prompt and persona; those that ship stand in for what it has not. ``kind``: brief, full."""
    folder = root / shop.knowledge
    persona = root / shop.persona if shop.persona else folder / f"persona.{shop.language}.md"
    if not shop.persona and not persona.exists():
        persona = _PROMPTS / f"persona.{shop.language}.md"
    own = folder / f"prompt.{shop.language}.md"
    return own if own.exists() else _PROMPTS / f"{kind}.{shop.language}.md", persona


def voice(config: Config, shop: Shop, root: Path, info: EngineInfo, policy: Sequence[PolicySection]) -> Voice:
    """How a shop speaks through this model: persona and prompt are the shop's own files where it has them."""
    frame, persona = texts(shop, root, info.prompt)
    return Voice(
        shop=shop.name,
        contact=shop.contact,
        label=shop.label,
        language=shop.language,
        system=prompt.system(
            configuration.template(frame),
            shop=shop.name,
            contact=shop.contact,
            persona=configuration.template(persona, prompt.PERSONA_VARIABLES),
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
    # At every start: a shop that has nothing to tell is easily taken for a bot that knows nothing.
    for gap in await asyncio.to_thread(knowledge.gaps, folder):
        log.warning("shop %s: %s", name, gap.replace(f"{folder.parent}/", ""))
    if lacking := await asyncio.to_thread(knowledge.lacking_pictures, folder):
        more = f"; so it is with {len(lacking) - 1} more, see `python -m bot doctor`" if lacking[1:] else ""
        log.warning("shop %s: %s/%s%s", name, folder.name, lacking[0], more)
