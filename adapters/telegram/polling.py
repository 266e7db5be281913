"""The stream of updates: ask, keep, confirm.

Telegram repeats an update until a question with a higher offset confirms it. The offset moves only after ``accept`` has
returned, that is, after events and offset were committed together; so a kill at any point repeats updates, which the
inbox knows by their ids, and loses none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from bot.errors import BotError, TryLater
from bot.model import Event, EventKind
from bot.ports import Accept, Mark

from .errors import Conflict, TokenRefused
from .pace import Backoff, Pace
from .routes import Route
from .updates import CHANNEL, event, update_id

_log = logging.getLogger(__name__)

_CONTESTED = (
    "another program polls Telegram with the same token (a second copy of this bot, perhaps on another machine): stop "
    "one of the two; until then each takes messages away from the other"
)
_HOOKED = (
    "another program sets a webhook for this bot again and again, and Telegram gives it all messages: stop that "
    "program, or make a bot of its own for it at @BotFather"
)


class NotKept(BotError):
    """Updates arrived and could not be committed."""


class Source(Protocol):
    """What polling needs of the Bot API."""

    async def updates(self, offset: int | None, wait: int) -> list[Any]: ...

    async def delete_webhook(self) -> None: ...

    async def answer_choice(self, query: str) -> None: ...


class Polling:
    """One run of the stream. ``trouble`` says at any time why it does not work, or is ``None``."""

    def __init__(
        self,
        source: Source,
        *,
        account: str,
        stored: Callable[[str, str], Awaitable[str | None]],
        pace: Pace,
    ) -> None:
        self.trouble: str | None = "Telegram has not answered yet"
        self._source = source
        self._account = account
        self._stored = stored
        self._pace = pace
        self._backoff = Backoff(pace.first_retry, pace.last_retry)
        self._hook_removed = False
        self._courtesies: set[asyncio.Task[None]] = set()

    async def run(self, accept: Accept) -> None:
        """Receives until it is cancelled; no failure of the network, of Telegram or of ``accept`` ends it."""
        try:
            offset = await self._first_offset()
            wait = 0  # the first question is answered at once, so that one soon knows whether the channel works
            while True:
                try:
                    updates = await self._source.updates(offset, wait)
                    if updates:
                        offset = await self._take(updates, accept) + 1
                    self._works()
                    wait = self._pace.long_poll
                except Conflict as error:
                    await self._give_way(error)
                    wait = self._pace.long_poll  # only a question that is held shows whether we are alone again
                except BotError as error:
                    trouble, at_least = self._explained(error)
                    await self._pause(trouble, at_least=at_least)
                    wait = 0
        finally:
            self.trouble = "Telegram is not polled any more"
            for task in self._courtesies:
                task.cancel()

    async def _first_offset(self) -> int | None:
        while True:
            try:
                mark = await self._stored(CHANNEL, self._account)
            except BotError as error:
                await self._pause(f"the database does not say how far Telegram was read: {error}")
            else:
                return None if mark is None else int(mark) + 1

    def _explained(self, error: BotError) -> tuple[str, float]:
        """What is wrong, and the least seconds before the next try."""
        match error:
            case TokenRefused(seconds=seconds):
                return f"Telegram refuses the token: {error}", seconds
            case TryLater(seconds=seconds):
                return f"Telegram does not give messages: {error}", seconds
            case NotKept():
                return str(error), 0.0
        return f"Telegram does not give messages: {error}", 0.0

    async def _give_way(self, error: Conflict) -> None:
        if not error.webhook:
            await self._pause(_CONTESTED, at_least=self._pace.after_conflict)
        elif self._hook_removed:
            await self._pause(_HOOKED, at_least=self._pace.last_retry)
        else:
            try:
                await self._source.delete_webhook()
            except BotError as failed:
                await self._pause(f"a webhook is set for this bot and cannot be removed: {failed}")
            else:
                self._hook_removed = True
                _log.warning(
                    "a webhook was set for this bot; it is removed, because mode is «polling»; nothing is lost"
                )

    async def _take(self, updates: Sequence[Any], accept: Accept) -> int:
        """Commits what customers sent and returns the last update's id. Raises :class:`NotKept`."""
        last = max(filter(None, map(update_id, updates)), default=None)
        if last is None:
            raise NotKept("Telegram sends updates without ids, which cannot be confirmed")
        events = [found for update in updates if (found := self._read(update)) is not None]
        try:
            await accept(events, Mark(channel=CHANNEL, account=self._account, value=str(last)))
        except Exception as error:  # whatever it was: unconfirmed, the updates come again, and the stream must live
            why = error if isinstance(error, BotError) else type(error).__name__  # a stranger may quote a customer
            raise NotKept(f"messages wait at Telegram because they cannot be stored: {why}") from error
        for found in events:
            if found.kind is EventKind.CHOICE:
                self._thank(found)
        return last

    def _read(self, update: Any) -> Event | None:
        try:
            return event(update, account=self._account, now=datetime.now(UTC))
        except Exception as error:  # foreign data: whatever it breaks, the customers behind it must not wait
            _log.error("update %s cannot be read (%s); it is skipped", update_id(update), type(error).__name__)
            return None

    def _thank(self, choice: Event) -> None:
        """Answers a tap without holding up the stream."""
        if query := Route.parse(choice.route).query:
            task = asyncio.create_task(self._answer(query))
            self._courtesies.add(task)
            task.add_done_callback(self._courtesies.discard)

    async def _answer(self, query: str) -> None:
        try:
            await self._source.answer_choice(query)
        except BotError as error:
            _log.info("a tapped button keeps its clock: %s", type(error).__name__)

    def _works(self) -> None:
        if self.trouble is not None:
            _log.info("Telegram gives messages")
        self.trouble = None
        self._backoff.reset()

    async def _pause(self, trouble: str, *, at_least: float = 0.0) -> None:
        if trouble != self.trouble:
            _log.warning("%s", trouble)
        self.trouble = trouble
        await asyncio.sleep(max(at_least, self._backoff.wait()))
