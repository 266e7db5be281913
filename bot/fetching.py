"""Photos that a platform still holds: fetched, kept, or given up with a reason that the customer is told.

The platform keeps them, so a network that is gone for a while is no reason to ask for a photo again; one that stays
away, or a disk that takes none, must not hold up what he says besides for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from bot.errors import Erased, PhotoError, StorageError, TryLater, Unkept
from bot.model import Event, Photo, PhotoRef
from bot.ports import Adapter, PhotoStore, Store

log = logging.getLogger(__name__)

#: A photo is asked for at growing pauses up to the longest, until this long after the first of its burst was; in
#: seconds.
_FETCH_FOR = 1800.0
#: A photo that came and cannot be kept is tried again for so long, however long it was on its way.
_KEEP_FOR = 30.0
_LONGEST = 60.0
#: Seconds between two signs that he was heard, and how many there are before he is told what it waits for.
_SIGN_OF_LIFE = 4.0
_SIGNS = 4


class Fetching:
    """Brings a burst's photos in."""

    def __init__(self, store: Store, photos: PhotoStore) -> None:
        self._store = store
        self._photos = photos

    async def fetched(self, adapter: Adapter, events: Sequence[Event], late: str | None) -> list[Event]:
        """The events of one burst with their photos in the store, or with the reasons why not.

        ``late``: what the customer is told when that takes long; ``None`` where he is not answered. Raises
        :class:`StorageError` while the database is away, :class:`Erased` when the customer is.
        """
        if not any(event.refs for event in events):
            return list(events)
        began = asyncio.get_running_loop().time()
        async with _company(adapter, events[-1], late):
            return [await self._event(adapter, event, began) for event in events]

    async def _event(self, adapter: Adapter, event: Event, began: float) -> Event:
        if not event.refs:
            return event
        photos: list[Photo] = []
        faults: list[str] = []
        for ref in event.refs:
            try:
                photos.append(await self._photo(adapter, event, ref, began))
            except PhotoError as exc:
                log.info("a photo cannot be used: %s", exc.reason)
                faults.append(exc.reason)
            except TryLater as exc:
                log.warning("a photo could not be fetched: %s", exc)
                faults.append("gone")
            except Unkept as exc:
                log.error("a photo is given up: %s", exc)
                faults.append("unkept")
            except (StorageError, Erased):
                raise
            except Exception:
                # A defect of the adapter: the customer is told, and the event does not come back for ever.
                log.exception("a photo could not be fetched")
                faults.append("gone")
        return await self._store.fetched(event, photos, faults)

    async def _photo(self, adapter: Adapter, event: Event, ref: PhotoRef, began: float) -> Photo:
        """Raises :class:`TryLater` when the platform was asked for long enough since the burst's first try ``began``,
        :class:`Unkept` when the store was.
        """
        clock = asyncio.get_running_loop().time
        pause, data, kept_until = min(1.0, _LONGEST), b"", 0.0
        while True:
            try:
                if not data:
                    data = await adapter.fetch(event, ref)
                    kept_until = clock() + _KEEP_FOR
                return await self._photos.add(event.customer, data, event=event.id)
            except TryLater as exc:
                if clock() >= began + _FETCH_FOR:
                    raise
                wait = max(min(exc.seconds, _LONGEST), pause)
            except Unkept as exc:
                if clock() >= kept_until:
                    raise
                log.warning("a photo cannot be kept yet: %s", exc)
                wait = pause
            await asyncio.sleep(wait)
            pause = min(_LONGEST, pause * 2)
            if all(kept.id != event.id for kept in await self._store.events(event.customer)):
                raise Erased("the customer was erased while his photo was fetched")


@asynccontextmanager
async def _company(adapter: Adapter, event: Event, late: str | None) -> AsyncIterator[None]:
    """Signs of life for a while, then one word: a photo may be on its way for long."""

    async def keep() -> None:
        for _ in range(_SIGNS):
            await adapter.thinking(event.customer, event.route)
            await asyncio.sleep(_SIGN_OF_LIFE)
        if late:
            await adapter.notice(event.customer, event.route, late, datetime.now(UTC), 0)

    keeping = None if late is None else asyncio.create_task(keep())
    try:
        yield
    finally:
        if keeping is not None:
            keeping.cancel()
