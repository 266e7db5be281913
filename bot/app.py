"""The composition root: the one place that knows every room and puts the parts together."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.ask import AskAdapter
from bot import config as configuration
from bot import knowledge, prompt, server
from bot.config import Config, Shop
from bot.dialogue import Dialogue, Voice
from bot.errors import BotError, ConfigError
from bot.facts import ShopFacts
from bot.intake import Intake
from bot.model import Customer, PolicySection
from bot.outbox import Outbox
from bot.ports import Adapter, Engine, EngineInfo, Store

log = logging.getLogger(__name__)

_PROMPTS = Path(__file__).parent / "prompts"
#: Customers' words are a hundred times shorter; photos travel as base64.
_ASK_BODY = 64_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where this bot keeps things, from its configuration. Relative paths start at the configuration's folder."""

    root: Path
    database: Path
    photos: Path
    models: Path
    state: Path

    @classmethod
    def of(cls, config: Config, root: Path) -> Place:
        database = root / config.storage.url.removeprefix("sqlite:///")
        data = database.parent
        return cls(
            root=root,
            database=database,
            photos=root / config.storage.photos,
            models=data / "models",
            state=data / "engine",
        )

    @property
    def lock(self) -> Path:
        return self.database.with_suffix(".lock")

    @property
    def door(self) -> Path:
        """Port and token of the running bot, readable by its owner only."""
        return self.database.with_suffix(".run.json")

    @property
    def url(self) -> str:
        return f"sqlite:///{self.database}"


def settings_of(config: Config, name: str) -> Shop:
    """The shop behind an account. The nameless one is ``[shop]``."""
    return config.shop_of(name)


async def voice(config: Config, shop: Shop, root: Path, info: EngineInfo, policy: Sequence[PolicySection]) -> Voice:
    """How a shop speaks through this model: persona and prompt are the shop's own files where it has them."""
    folder = root / shop.knowledge
    persona = root / shop.persona if shop.persona else folder / f"persona.{shop.language}.md"
    if not persona.exists() and not shop.persona:
        persona = _PROMPTS / f"persona.{shop.language}.md"
    own = folder / f"prompt.{shop.language}.md"
    frame = own if own.exists() else _PROMPTS / f"{info.prompt}.{shop.language}.md"
    system = prompt.system(
        configuration.template(frame),
        shop=shop.name,
        contact=shop.contact,
        persona=configuration.template(persona),
        policy=policy,
    )
    return Voice(
        shop=shop.name,
        contact=shop.contact,
        language=shop.language,
        system=system,
        max_tokens=config.inference.max_tokens,
        history_turns=config.dialogue.history_turns,
        notice_after_s=config.slow.notice_after_seconds,
        notice_text=config.slow.text,
    )
