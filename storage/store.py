"""The store: :class:`bot.ports.Store` on one database; whatever changes something is one transaction."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bot.errors import StorageError
from bot.model import (
    Conversation,
    Customer,
    Event,
    Exchange,
    Faq,
    Knowledge,
    Language,
    Order,
    Photo,
    PolicySection,
    Product,
    Reply,
    Trace,
)
from bot.ports import Erased, Mark, Outgoing, Said
from storage import conversations, customers, inbox, rights
from storage import shop as shops
from storage.database import Database, file_of
from storage.schema import require_current

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[SqlStore]:
    """The store at an address. Raises :class:`~bot.errors.StorageError`: there is none, or it is to be migrated."""
    file = file_of(url)
    require_current(file)
    async with Database(file) as database:
        store = SqlStore(database)
        await store.scrub()
        yield store


class SqlStore:
    """Implements :class:`bot.ports.Store`. Every method raises :class:`~bot.errors.StorageError`."""

    def __init__(self, database: Database) -> None:
        #: For what is kept beside the port: :class:`storage.photos.PhotoFiles`.
        self.database = database

    def ready(self) -> str | None:
        return self.database.trouble

    # --- inbox

    async def accept(self, events: Sequence[Event], mark: Mark | None = None) -> int:
        return await self.database.write(lambda connection: inbox.accept(connection, events, mark))

    async def mark(self, channel: str, account: str) -> str | None:
        return await self.database.read(lambda connection: inbox.marked(connection, channel, account))

    async def waiting(self) -> list[Customer]:
        return await self.database.read(inbox.waiting)

    async def events(self, customer: Customer) -> list[Event]:
        return await self.database.read(lambda connection: inbox.open_events(connection, customer))

    async def fetched(self, event: Event, photos: Sequence[Photo], faults: Sequence[str]) -> Event:
        return await self.database.write(lambda connection: inbox.fetched(connection, event, photos, faults))

    # --- conversations

    async def conversation(self, customer: Customer, *, language: Language) -> Conversation:
        found = await self.database.read(lambda connection: conversations.current(connection, customer))
        if found is not None:
            return found
        return await self.database.write(lambda connection: conversations.keep_current(connection, customer, language))

    async def begin(self, customer: Customer, *, language: Language) -> Conversation:
        return await self.database.write(lambda connection: conversations.begin(connection, customer, language))

    async def open(self, conversation: Conversation, head: str) -> Conversation:
        return await self.database.write(lambda connection: conversations.fix_head(connection, conversation, head))

    async def fold(self, conversation: Conversation, folded: str, keep: int) -> Conversation:
        return await self.database.write(lambda connection: conversations.fold(connection, conversation, folded, keep))

    async def finish(
        self,
        conversation: Conversation,
        done: Sequence[Event],
        exchanges: Sequence[Exchange],
        replies: Sequence[tuple[Reply, Trace]],
    ) -> list[Outgoing]:
        """An empty list, and nothing written, when one of the events is done already or its customer was erased."""
        return await self.database.write(
            lambda connection: conversations.finish(connection, conversation, done, exchanges, replies)
        )

    async def outgoing(self) -> list[Outgoing]:
        return await self.database.read(conversations.outgoing)

    async def unsent(self, id: int) -> bool:  # noqa: A002 - the port's name
        return await self.database.read(lambda connection: conversations.unsent(connection, id))

    async def sent(self, id: int, *, error: str | None = None) -> None:  # noqa: A002 - the port's name
        await self.database.write(lambda connection: conversations.sent(connection, id, error))

    async def history(self, customer: Customer, *, after: int = 0, limit: int = 200) -> list[Said]:
        return await self.database.read(lambda connection: conversations.history(connection, customer, after, limit))

    # --- photos

    async def photo(self, customer: Customer, sha256: str) -> Photo | None:
        return await self.database.read(lambda connection: customers.photo(connection, customer, sha256))

    # --- the customer's rights

    async def customers(self) -> list[rights.Listed]:
        """For the owner's ``customer list``: no part of the port, which serves channels and core."""
        return await self.database.read(rights.listed)

    async def export(self, customer: Customer) -> dict[str, Any]:
        return await self.database.read(lambda connection: rights.export(connection, customer))

    async def erase(self, customer: Customer) -> Erased:
        """The rows, and their traces in the file; ``photos.erase`` takes the photos' files too."""
        erased = await self.database.write(lambda connection: rights.erase(connection, customer))
        await self.scrub()
        return erased

    async def scrub(self) -> None:
        """Cleans the file of what was erased, if that is still to be done. What fails is tried at the next opening."""
        if not await self.database.read(rights.scrub_due):
            return
        try:
            done = await self.database.scrub()
        except StorageError as exc:
            log.warning("the file still holds traces of what was erased: %s", exc)
            return
        if done:
            await self.database.write(rights.scrubbed)

    async def tombstones(self) -> Erased:
        return await self.database.read(rights.erased)

    # --- the shop's data

    async def knowledge_version(self, shop: str) -> str | None:
        return await self.database.read(lambda connection: shops.version(connection, shop))

    async def learn(self, shop: str, knowledge: Knowledge, version: str) -> None:
        await self.database.write(lambda connection: shops.learn(connection, shop, knowledge, version))

    async def products(self, shop: str) -> list[Product]:
        return await self.database.read(lambda connection: shops.all_products(connection, shop))

    async def policy(self, shop: str) -> list[PolicySection]:
        return await self.database.read(lambda connection: shops.all_policy(connection, shop))

    async def faq(self, shop: str) -> list[Faq]:
        return await self.database.read(lambda connection: shops.all_faq(connection, shop))

    async def orders(self, shop: str, customer: Customer) -> list[Order]:
        return await self.database.read(lambda connection: shops.orders_of(connection, shop, customer))

    async def bind(self, shop: str, customer: Customer, number: str, phone_tail: str) -> Order | None:
        # Looked up beside the writer: what is asked in vain must hold nobody up.
        order = await self.database.read(lambda connection: shops.proven(connection, shop, number, phone_tail))
        if order is not None:
            await self.database.write(lambda connection: shops.bind(connection, shop, customer, order.number))
        return order
