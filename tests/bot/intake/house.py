"""The core with the real store, for the tests of the one door: what lies outside is scripted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from bot.errors import (
    StorageError,
)
from bot.intake import Intake
from bot.model import Customer, Event, Photo, Reply, Trace
from bot.ports import Outgoing, Request, Said
from storage.photos import PhotoFiles
from storage.store import SqlStore
from tests.fakes.adapter import RecordingAdapter
from tests.fakes.engine import Answered, ScriptedEngine, written

ME = Customer(channel="test", account="shop", id="1")
YOU = Customer(channel="test", account="shop", id="2")
PHOTO = Photo(sha256="a" * 64, media_type="image/jpeg", width=100, height=100)


def echo(request: Request) -> Answered:
    """Answers with the customer's last words."""
    said = [part for part in request.messages[-1].body if isinstance(part, str) and not part.startswith("顾客：")]
    return written(f"您说「{'/'.join(said)}」。")


@dataclass
class House:
    """The core with the real store; what lies outside is scripted."""

    store: SqlStore
    photos: PhotoFiles
    engine: ScriptedEngine
    adapter: RecordingAdapter
    intake: Intake
    ids: Any = field(default_factory=lambda: count(1))

    def event(self, text: str = "", customer: Customer = ME, **fields: Any) -> Event:
        number = next(self.ids)
        defaults: dict[str, Any] = {"id": f"e{number}", "at": datetime.now(UTC), "route": f"r{number}"}
        return Event(customer=customer, text=text, **(defaults | fields))

    async def accept(self, *events: Event) -> None:
        await self.intake.accept(events)

    async def say(self, text: str = "", customer: Customer = ME, **fields: Any) -> Event:
        event = self.event(text, customer, **fields)
        await self.accept(event)
        return event

    async def settled(self) -> None:
        """Until nobody is being served."""
        async with asyncio.timeout(120):
            while tasks := [place.task for place in self.intake._customers.values() if place.task]:
                await asyncio.wait(tasks)

    async def said(self, customer: Customer = ME) -> list[Said]:
        return await self.store.history(customer)

    def bodies(self) -> list[tuple[str | Photo, ...]]:
        """What each request asked, the head left out."""
        heads = [request.messages[-1].body for request in self.engine.requests]
        return [tuple(p for p in body if isinstance(p, Photo) or not p.startswith("顾客：")) for body in heads]


Built = Callable[..., House]


async def until(true: Callable[[], bool]) -> None:
    """Waits for what nobody tells the news of."""
    async with asyncio.timeout(120):
        while not true():  # noqa: ASYNC110 - a few tests ask of many things
            await asyncio.sleep(0.001)


class Flaky:
    """A store that is away for so many calls of a method."""

    def __init__(self, store: SqlStore, method: str, times: int) -> None:
        self._store = store
        self._method = method
        self.times = times

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            return getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.times:
                self.times -= 1
                raise StorageError("the disk is full")
            return await getattr(self._store, name)(*args, **kwargs)

        return call


async def left_behind(store: SqlStore, *texts: str, customer: Customer = ME) -> list[Outgoing]:
    """Replies that were committed and not sent."""
    conversation = await store.begin(customer, language="zh")
    replies = [(Reply(customer=customer, text=text), Trace()) for text in texts]
    return await store.finish(conversation, [], [], replies)
