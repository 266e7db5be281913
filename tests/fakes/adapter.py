"""A channel that remembers what it was told, and fails when a test wants it to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.errors import BotError, SendError
from bot.model import Customer, Event, PhotoRef, Reply
from bot.ports import Accept, Capabilities, Finding, Outgoing


class RecordingAdapter:
    """Implements :class:`bot.ports.Adapter`."""

    def __init__(self, name: str = "test", *, preview: bool = True) -> None:
        self.name = name
        self.capabilities = Capabilities(preview=preview)
        self.sent: list[Outgoing] = []
        #: (route, text) in order.
        self.previews: list[tuple[str, str]] = []
        self.notices: list[tuple[str, str, datetime, int]] = []
        self.thoughts = 0
        #: Whose turns ended without a reply, in order.
        self.silences: list[Customer] = []
        #: Errors that the next sends meet, in order, before one succeeds; ``None`` is a success in between.
        self.refusals: list[SendError | None] = []
        #: Sends that meet a mistake in the adapter itself.
        self.defects = 0
        #: What a reference stands for: bytes, or errors and bytes in the order of the tries.
        self.files: dict[str, list[bytes | BotError]] = {}
        self.fetches: list[str] = []
        #: Fetches, and notices, wait for these.
        self.held = asyncio.Event()
        self.held.set()
        self.noticed = asyncio.Event()
        self.noticed.set()
        self._news = asyncio.Condition()

    def mounts(self) -> Sequence[tuple[str, Any]]:
        return ()

    async def run(self, accept: Accept) -> None:
        await asyncio.Event().wait()

    def ready(self) -> str | None:
        return None

    async def fetch(self, event: Event, ref: PhotoRef) -> bytes:
        self.fetches.append(ref.ref)
        await self.held.wait()
        found = self.files[ref.ref]
        answer = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(answer, BotError):
            raise answer
        return answer

    async def send(self, outgoing: Outgoing) -> None:
        if self.defects:
            self.defects -= 1
            raise ZeroDivisionError
        if self.refusals and (refusal := self.refusals.pop(0)) is not None:
            raise refusal
        self.sent.append(outgoing)
        async with self._news:
            self._news.notify_all()

    async def thinking(self, customer: Customer, route: str) -> None:
        self.thoughts += 1

    async def preview(self, customer: Customer, route: str, text: str) -> None:
        self.previews.append((route, text))

    async def notice(self, customer: Customer, route: str, text: str, until: datetime, ahead: int) -> None:
        self.notices.append((route, text, until, ahead))
        await self.noticed.wait()

    async def over(self, customer: Customer) -> None:
        self.silences.append(customer)

    async def check(self) -> Sequence[Finding]:
        return ()

    # ------------------------------------------------------------------ for tests

    async def replies(self, number: int) -> list[Reply]:
        """The first ``number`` replies, once they were sent."""
        async with asyncio.timeout(120):
            async with self._news:
                await self._news.wait_for(lambda: len(self.sent) >= number)
        return [outgoing.reply for outgoing in self.sent[:number]]

    def texts(self) -> list[str]:
        return [outgoing.reply.text for outgoing in self.sent]
