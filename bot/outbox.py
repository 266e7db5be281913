"""Committed replies on their way out: sent in order, marked when the platform has them.

A reply is a row before it is a message: after a kill, what was not marked is sent again at the next start.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence

from bot.errors import SendError, StorageError, TryLater, Unknown
from bot.ports import Adapter, Outgoing, Store

log = logging.getLogger(__name__)

#: Longest pause between two tries, in seconds.
_LONGEST = 60.0
#: Most seconds that a platform's own word is kept to: whatever it asks for, a reply is not held back for good.
_ASKED = 600.0
#: Pause while the store is away.
_AWAY = 5.0
#: Seconds that a send under way gets when the bot is stopped.
_FINISH = 4.0


class Outbox:
    def __init__(self, store: Store, adapters: Mapping[str, Adapter]) -> None:
        self._store = store
        self._adapters = adapters

    async def send(self, outgoing: Sequence[Outgoing], *, fresh: bool = True) -> None:
        """Sends one customer's replies in order; waits out what passes, and gives up on what does not.

        What was not committed in this moment (``fresh``), or had to wait, is looked for before it is sent: it is gone
        when its customer was erased meanwhile.
        """
        for each in outgoing:
            adapter = self._adapters.get(each.reply.customer.channel)
            if adapter is None:
                # The channel is switched off: the row waits for the start that has it again.
                continue
            fresh = await self._deliver(adapter, each, fresh=fresh)

    async def _deliver(self, adapter: Adapter, outgoing: Outgoing, *, fresh: bool) -> bool:
        """Whether nothing had to wait: what comes behind is then as fresh as it was."""
        pause = 1.0
        while True:
            # What is being sent when the bot is stopped is finished and marked: cut off, it would be sent twice.
            attempt = asyncio.create_task(self._attempt(adapter, outgoing, fresh=fresh))
            try:
                wait_s = await asyncio.shield(attempt)
            except asyncio.CancelledError:
                await asyncio.wait({attempt}, timeout=_FINISH)
                raise
            if wait_s is None:
                return fresh
            fresh = False
            pause = min(_LONGEST, pause * 2)
            # Jitter: many replies that met the same outage do not come back in one wave.
            await asyncio.sleep(max(min(_ASKED, wait_s), pause * random.uniform(0.8, 1.2)))

    async def _attempt(self, adapter: Adapter, outgoing: Outgoing, *, fresh: bool) -> float | None:
        """One try; the seconds to wait before the next, or ``None`` when there is none."""
        error: str | None = None
        try:
            if not fresh and not await self._store.unsent(outgoing.id):
                log.info("reply %d is not sent: it is gone from the store", outgoing.id)
                return None
        except StorageError as exc:
            log.warning("reply %d is held back: %s", outgoing.id, exc)
            return _AWAY
        try:
            await adapter.send(outgoing)
        except TryLater as exc:
            log.info("reply %d: %s", outgoing.id, exc)
            return exc.seconds
        except SendError as exc:
            log.warning("reply %d was not delivered: %s", outgoing.id, exc)
            error = f"{type(exc).__name__}: {exc}"
        except Exception as exc:
            # A defect of the adapter. Whether the platform has it is not known, and it must not hold up the next reply.
            log.exception("reply %d met a defect", outgoing.id)
            error = f"{Unknown.__name__}: {type(exc).__name__}"
        await self._mark(outgoing, error)
        return None

    async def _mark(self, outgoing: Outgoing, error: str | None) -> None:
        """Says what became of a reply. A store that is away is waited for: unmarked, the reply would be sent again."""
        while True:
            try:
                return await self._store.sent(outgoing.id, error=error)
            except StorageError as exc:
                log.warning("reply %d cannot be marked yet: %s", outgoing.id, exc)
                await asyncio.sleep(_AWAY)
