"""Committed replies on their way out: sent in order, marked when the platform has them.

A reply is a row before it is a message: after a kill, what was not marked is sent again at the next start.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence

from bot.errors import SendError, TryLater
from bot.ports import Adapter, Outgoing, Store

log = logging.getLogger(__name__)

#: Longest pause between two tries, in seconds.
_LONGEST = 60.0


class Outbox:
    def __init__(self, store: Store, adapters: Mapping[str, Adapter]) -> None:
        self._store = store
        self._adapters = adapters

    async def send(self, outgoing: Sequence[Outgoing]) -> None:
        """Sends one customer's replies in order; waits out what passes, and gives up on what does not."""
        for each in outgoing:
            adapter = self._adapters.get(each.reply.customer.channel)
            if adapter is None:
                # The channel is switched off: the row waits for the start that has it again.
                continue
            await self._deliver(adapter, each)

    async def _deliver(self, adapter: Adapter, outgoing: Outgoing) -> None:
        pause = 1.0
        while True:
            try:
                await adapter.send(outgoing)
            except TryLater as exc:
                pause = min(_LONGEST, max(pause * 2, exc.seconds))
                log.info("reply %d: %s; again in %.0f s", outgoing.id, exc, pause)
                # Jitter: many replies that met the same outage do not come back in one wave.
                await asyncio.sleep(pause * random.uniform(0.9, 1.1) if exc.seconds < pause else exc.seconds)
            except SendError as exc:
                log.warning("reply %d was not delivered: %s", outgoing.id, exc)
                await self._store.sent(outgoing.id, error=f"{type(exc).__name__}: {exc}")
                return
            else:
                await self._store.sent(outgoing.id)
                return
