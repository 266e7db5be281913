"""The customer's page as one more platform."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.errors import PhotoError, StorageError, TryLater
from bot.model import Customer, Event, PhotoRef
from bot.ports import Accept, Capabilities, Finding, Outgoing, PhotoStore, Store

from . import link
from .audience import Audience
from .customers import CHANNEL
from .desk import Desk, OnStop, OnTyping, Preparing
from .pace import Rates
from .server import Server
from .shop import PICTURES, WebShop


class WebAdapter:
    """Implements :class:`bot.ports.Adapter`.

    A reply counts as delivered once it is committed: the page takes its rows from the store, now if a tab is open, else
    when the customer comes back.
    """

    name = CHANNEL
    capabilities = Capabilities(preview=True, shows_label=True)

    def __init__(
        self,
        *,
        store: Store,
        photos: PhotoStore,
        shop: WebShop,
        knowledge: Path,
        origins: Sequence[str],
        on_stop: OnStop,
        on_typing: OnTyping,
        most_photos: int,
        notice_after_s: float,
        preparing: Preparing,
        max_upload_bytes: int = 20_000_000,
        rates: Rates | None = None,
    ) -> None:
        """``origins``: the addresses that the page may be opened under, as browsers send them («http://127.0.0.1:7860»).

        ``on_stop`` ends the answer on its way and returns once what there is of it is committed. ``on_typing`` hears of
        photos whose words are still being typed; it may take its time and is cancelled when other photos take their
        place.

        ``most_photos`` may go with one message; after ``notice_after_s`` seconds without a first word the page says by
        itself that it takes a while; ``preparing`` tells whether what is said now waits for the model to be loaded.
        """
        rates = rates or Rates()
        self._shop = shop
        self._knowledge = knowledge
        self._origins = tuple(origins)
        self._audience = Audience()
        self._desk = Desk(
            store=store,
            photos=photos,
            audience=self._audience,
            demonstration=shop.demonstration,
            rates=rates,
            most_photos=most_photos,
            preparing=preparing,
            on_stop=on_stop,
            on_typing=on_typing,
        )
        self._server = Server(
            store=store,
            desk=self._desk,
            audience=self._audience,
            shop=shop,
            knowledge=knowledge,
            origins=origins,
            max_upload_bytes=max_upload_bytes,
            most_photos=most_photos,
            notice_after_s=notice_after_s,
            rates=rates,
        )

    def mounts(self) -> Sequence[tuple[str, Any]]:
        return [("/", self._server.app)]

    async def run(self, accept: Accept) -> None:
        """Takes messages in until it is cancelled; then lets every tab go, so that none holds the process."""
        self._desk.accept = accept
        try:
            await asyncio.Event().wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Ends every open connection; the pages keep what is not acknowledged and come back by themselves."""
        await self._desk.close()
        self._server.close()
        for listener in self._audience.all():
            listener.end(link.RESTART, "restart")

    def ready(self) -> str | None:
        return None if self._desk.accept is not None else "the page does not take messages yet"

    async def fetch(self, event: Event, ref: PhotoRef) -> bytes:
        raise PhotoError("broken", f"event {event.id}: the page brings its photos along; there is nothing to fetch")

    async def send(self, outgoing: Outgoing) -> None:
        customer = outgoing.reply.customer
        self._audience.over(customer)
        try:
            await self._desk.push(customer, outgoing.reply.choices)
        except StorageError as exc:
            raise TryLater(f"the open pages were not shown reply {outgoing.id}: {exc}", seconds=1) from exc

    async def thinking(self, customer: Customer, route: str) -> None:
        self._audience.thinking(customer)

    async def preview(self, customer: Customer, route: str, text: str) -> None:
        self._audience.preview(customer, text)

    async def notice(self, customer: Customer, route: str, text: str, until: datetime, ahead: int) -> None:
        seconds = (until - datetime.now(UTC)).total_seconds()
        self._audience.notice(customer, text, seconds=seconds, ahead=ahead)

    async def over(self, customer: Customer) -> None:
        self._desk.over(customer)

    async def check(self) -> Sequence[Finding]:
        findings = [Finding(ok=True, what=f"page: its address is {', '.join(self._origins)}")]
        if not (self._knowledge / PICTURES).is_dir():
            findings.append(
                Finding(
                    ok=False,
                    what=f"page: {self._knowledge / PICTURES} is not there, so products show no pictures",
                    fix="put the pictures that products.csv names into this folder",
                )
            )
        return findings
