"""What a customer can do from a page, and what he is shown: the store's rows, never a copy of our own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.errors import BotError, StorageError
from bot.model import Choice, Customer, Event, EventKind, Holder, Language, Photo
from bot.ports import Accept, PhotoStore, Said, Store

from . import frames
from .audience import Audience
from .customers import event_id, page_id
from .pace import Buckets, Rates

log = logging.getLogger(__name__)

OnStop = Callable[[Customer], Awaitable[None]]
OnTyping = Callable[[Customer, Sequence[Photo]], Awaitable[None]]
#: Whether what is said now is answered only after the model was loaded.
Preparing = Callable[[], bool]

#: Rows that are asked for at once.
_PART = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """Photos that are being looked at while their words are typed."""

    photos: tuple[str, ...]
    task: asyncio.Task[None]


class Desk:
    """The one place where frames of a page meet the store."""

    def __init__(
        self,
        *,
        store: Store,
        photos: PhotoStore,
        audience: Audience,
        demonstration: bool,
        rates: Rates,
        most_photos: int,
        preparing: Preparing,
        on_stop: OnStop,
        on_typing: OnTyping,
    ) -> None:
        self._store = store
        self._photos = photos
        self._audience = audience
        self._demonstration = demonstration
        self._pace = Buckets(rates.messages)
        self._most_photos = most_photos
        self._preparing = preparing
        self._on_stop = on_stop
        self._on_typing = on_typing
        self._looks: dict[Customer, _Look] = {}
        #: The core's door; there from the start of :meth:`WebAdapter.run` to its end.
        self.accept: Accept | None = None

    # ------------------------------------------------------------------------------ what the page is shown

    async def snapshot(
        self, customer: Customer, language: Language, *, after: int = 0, conversation: int = 0
    ) -> tuple[frames.Sent, int]:
        """All of the current conversation, or what came after a row of it; and the id of the newest row.

        Looking begins nothing: a visitor who never wrote leaves no row behind.
        """
        if not await self._store.history(customer, limit=1):
            return frames.snapshot(live=self._live(customer, "bot", unanswered=False)), 0
        known = await self._store.conversation(customer, language=language)
        # With the newest row that the page has: if it is not there, the page's conversation is not the store's.
        rows = await self._history(customer, after - 1) if conversation == known.id else []
        partial = bool(rows) and rows[0].id == after
        if not partial:
            rows = await self._history(customer)
        unanswered = bool(rows) and rows[-1].turn.speaker == "customer"
        frame = frames.snapshot(
            conversation=known.id,
            holder=known.holder,
            partial=partial,
            rows=self._rows(customer, rows[1:] if partial else rows),
            live=self._live(customer, known.holder, unanswered=unanswered),
        )
        return frame, rows[-1].id if rows else 0

    def _live(self, customer: Customer, holder: Holder, *, unanswered: bool) -> list[frames.Sent]:
        return self._audience.live(customer) or self._waiting(holder, unanswered=unanswered)

    def _waiting(self, holder: Holder, *, unanswered: bool) -> list[frames.Sent]:
        """What stands for an answer that nobody could begin yet; a person's takes as long as it takes."""
        return [frames.preparing()] if unanswered and holder == "bot" and self._preparing() else []

    async def push(self, customer: Customer, choices: tuple[Choice, ...] = ()) -> None:
        """Sends each open tab the rows that it does not have; ``choices`` belong to the newest."""
        listeners = self._audience.of(customer)
        if not listeners:
            return
        after = min(listener.newest for listener in listeners)
        rows = await self._history(customer, after)
        for listener in self._audience.of(customer):
            new = [said for said in rows if said.id > listener.newest]
            if new:
                listener.show(frames.said(self._rows(customer, new, choices)))
                listener.newest = new[-1].id

    async def _history(self, customer: Customer, after: int = 0) -> list[Said]:
        """All that came after a row; the store gives it in parts, the oldest first."""
        rows: list[Said] = []
        while True:
            part = await self._store.history(customer, after=rows[-1].id if rows else after, limit=_PART)
            rows += part
            if len(part) < _PART:
                return rows

    def _rows(self, customer: Customer, rows: Sequence[Said], choices: tuple[Choice, ...] = ()) -> list[frames.Sent]:
        return [
            frames.row(
                said,
                event=page_id(customer, said.event),
                trace=self._demonstration,
                choices=choices if said is rows[-1] else (),
            )
            for said in rows
        ]

    # ------------------------------------------------------------------------------ what the customer does

    async def say(self, customer: Customer, frame: frames.Say) -> frames.Sent:
        """Takes one message in; the answer says whether it is safe. Raises :class:`~bot.errors.BotError`."""
        text = frame.text.strip()
        if len(text) > frames.MOST_TEXT:
            return frames.refused(frame.event, "long")
        if len(frame.photos) > self._most_photos:
            return frames.refused(frame.event, "many")
        if not text and not frame.photos:
            return frames.refused(frame.event, "empty")
        if seconds := self._pace.take(customer.id):
            return frames.refused(frame.event, "pace", seconds)
        photos = await self._own(customer, frame.photos)
        if len(photos) < len(set(frame.photos)):
            return frames.refused(frame.event, "photo")
        event = Event(
            id=event_id(customer, frame.event),
            customer=customer,
            at=datetime.now(UTC),
            text=text,
            photos=photos,
            language=frame.language,
        )
        return await self._take(event, frame)

    async def choose(self, customer: Customer, frame: frames.Choose) -> frames.Sent:
        if not frame.choice.strip():
            return frames.refused(frame.event, "empty")
        if seconds := self._pace.take(customer.id):
            return frames.refused(frame.event, "pace", seconds)
        event = Event(
            id=event_id(customer, frame.event),
            customer=customer,
            at=datetime.now(UTC),
            kind=EventKind.CHOICE,
            text=frame.choice,
            language=frame.language,
        )
        return await self._take(event, frame)

    async def _take(self, event: Event, frame: frames.Say | frames.Choose) -> frames.Sent:
        if self.accept is None:
            return frames.refused(frame.event, "pace", 2.0)
        await self.accept([event], None)
        await self.push(event.customer)
        if self._preparing():
            known = await self._store.conversation(event.customer, language=frame.language)
            for sign in self._waiting(known.holder, unanswered=True):
                self._audience.show(event.customer, sign)
        return frames.taken(frame.event)

    def typing(self, customer: Customer, frame: frames.Typing) -> None:
        """Has photos looked at while their words are typed. Beside the tab, which goes on reading: looking may take
        seconds, and what the customer says next must not wait for it.
        """
        photos, before = tuple(frame.photos), self._looks.get(customer)
        if self.accept is None or (before is not None and before.photos == photos):
            return
        if before is not None:
            before.task.cancel()
        task = asyncio.create_task(self._look(customer, photos))
        look = self._looks[customer] = _Look(photos=photos, task=task)
        task.add_done_callback(lambda _: self._looked(customer, look))

    async def _look(self, customer: Customer, photos: Sequence[str]) -> None:
        try:
            await self._on_typing(customer, await self._own(customer, photos))
        except BotError as exc:
            # A courtesy: the photos are looked at again when the message is there, and what is wrong shows then.
            log.info("photos of customer %s were not looked at before their words: %s", customer.id, exc)

    def _looked(self, customer: Customer, look: _Look) -> None:
        if self._looks.get(customer) is look:
            del self._looks[customer]

    async def close(self) -> None:
        """Takes nothing more in, and ends what is under way beside the tabs."""
        self.accept = None
        tasks = [look.task for look in self._looks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self, customer: Customer) -> None:
        await self._on_stop(customer)
        self._audience.over(customer)
        await self.push(customer)
        self._audience.show(customer, frames.stopped())

    def over(self, customer: Customer) -> None:
        """The answer on its way ends without a reply: there is no row to show."""
        self._audience.over(customer)
        self._audience.show(customer, frames.stopped())

    async def new(self, customer: Customer, language: Language) -> None:
        # The answer on its way belongs to the conversation that it was asked in, and is committed there.
        await self._on_stop(customer)
        await self._store.begin(customer, language=language)
        self._audience.over(customer)
        frame, newest = await self.snapshot(customer, language)
        for listener in self._audience.of(customer):
            listener.newest = newest
            listener.show(frame)
        await self.push(customer)  # what was said while the snapshot was read

    # ------------------------------------------------------------------------------ photos

    async def add_photo(self, customer: Customer, data: bytes) -> Photo:
        """Keeps a photo as this customer's. Raises :class:`~bot.errors.PhotoError`."""
        return await self._photos.add(customer, data)

    async def read_photo(self, customer: Customer, sha256: str) -> bytes | None:
        """The bytes of a photo that this customer sent or was sent; ``None`` for everybody else's."""
        if await self._store.photo(customer, sha256) is None:
            return None
        try:
            return await asyncio.to_thread(self._photos.read, sha256)
        except StorageError:
            return None

    async def _own(self, customer: Customer, hashes: Sequence[str]) -> tuple[Photo, ...]:
        """The photos behind these hashes, each once; left out is what is not there or not his."""
        found = []
        for sha256 in dict.fromkeys(hashes):
            if (photo := await self._store.photo(customer, sha256)) is None:
                continue
            try:
                await asyncio.to_thread(self._photos.read, sha256)
            except StorageError:
                continue  # its file was lost: the page still has it, and brings it again
            found.append(photo)
        return tuple(found)
