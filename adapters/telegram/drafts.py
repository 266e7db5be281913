"""What a customer sees of an answer while it is written: Telegram's drafts.

A courtesy. It is at most one state a second, always the newest; it never fails and never holds up the message itself.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot.errors import BotError, TryLater

from .errors import Unsupported
from .pace import Pace

_log = logging.getLogger(__name__)

#: Shows a draft: chat, draft's id, text. Raises the tree of :mod:`bot.errors`.
Show = Callable[[int, int, str], Awaitable[None]]


@dataclass(slots=True)
class _Draft:
    """The answer that is being written to one chat."""

    wanted: str = ""
    shown: str = ""
    #: When it was last shown, on the monotonic clock.
    at: float = 0.0
    #: Stays for one answer, so that its states flow into each other; never 0.
    id: int = field(default_factory=lambda: random.randint(1, 2**31 - 1))
    task: asyncio.Task[None] | None = None


class Drafts:
    def __init__(self, show: Show, pace: Pace) -> None:
        self._show = show
        self._pace = pace
        self._drafts: dict[int, _Draft] = {}
        #: Turned off for the rest of the run by a server that does not know drafts.
        self._supported = True

    def write(self, chat: int, text: str) -> None:
        """The answer so far. Returns at once."""
        if self._supported and text:
            draft = self._drafts.setdefault(chat, _Draft())
            draft.wanted = text
            self._start(chat, draft)

    def keep(self, chat: int) -> None:
        """Shows again what would vanish; called while the answer is still being made."""
        draft = self._drafts.get(chat)
        if draft is not None and draft.shown and time.monotonic() - draft.at >= self._pace.preview_again:
            draft.shown = ""
            self._start(chat, draft)

    def end(self, chat: int) -> None:
        """The message itself goes out now: nothing is shown after it. The next text begins another answer."""
        draft = self._drafts.pop(chat, None)
        if draft is not None and draft.task is not None:
            draft.task.cancel()

    async def aclose(self) -> None:
        tasks = [draft.task for draft in self._drafts.values() if draft.task is not None]
        for chat in list(self._drafts):
            self.end(chat)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, chat: int, draft: _Draft) -> None:
        if draft.task is None or draft.task.done():
            draft.task = asyncio.create_task(self._follow(chat, draft))

    async def _follow(self, chat: int, draft: _Draft) -> None:
        """Shows the newest text until it has caught up, a pause after each; one that failed is not tried again."""
        while self._supported and draft.wanted != draft.shown:
            draft.shown, draft.at = draft.wanted, time.monotonic()
            pause = self._pace.preview
            try:
                await self._show(chat, draft.id, draft.wanted)
            except Unsupported:
                self._supported = False
                _log.info("this Telegram server has no drafts: answers appear when they are finished")
            except TryLater as error:
                pause = max(pause, error.seconds)
            except BotError as error:
                _log.debug("a preview for chat %s was not shown: %s", chat, type(error).__name__)
            await asyncio.sleep(pause)
