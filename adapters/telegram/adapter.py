"""The Telegram channel, as :class:`bot.ports.Adapter` asks for it.

**A long reply is several messages**, and Telegram has no key by which it would know one again. So the adapter
remembers, for each reply, how many messages have arrived: the next try goes on with the first that has not. Once one
has arrived, whatever then goes wrong for good is :class:`~bot.errors.Unknown` and says how many did. The memory is the
process's: a reply that a kill cut in two is sent anew from its beginning.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bot.errors import BotError, PhotoError, SendError, TryLater, Undeliverable, Unknown
from bot.model import Customer, Event, PhotoRef, Reply
from bot.ports import Accept, Capabilities, Finding, Outgoing

from .check import findings
from .drafts import Drafts
from .pace import Pace
from .parts import Part, Words, parts
from .polling import Polling
from .routes import chat
from .text import split
from .updates import CHANNEL

if TYPE_CHECKING:
    from .client import BotApi

_log = logging.getLogger(__name__)

#: Replies whose progress is remembered at most; far more than are ever on their way at once.
_REMEMBERED = 1000


class TelegramAdapter:
    """One bot of Telegram. Nothing is contacted, and the library not imported, before the first call.

    Its account is the bot's own id, which its token begins with. ``store_mark`` tells how far a channel's account was
    committed; ``read_photo`` gives a stored photo by its hash, ``read_picture`` a product's picture by
    its name in the knowledge folder – both may block, and raise :class:`~bot.errors.StorageError` or :class:`OSError`.
    """

    def __init__(
        self,
        *,
        token: str,
        store_mark: Callable[[str, str], Awaitable[str | None]],
        read_photo: Callable[[str], bytes],
        read_picture: Callable[[str], bytes],
        base_url: str = "https://api.telegram.org/bot",
        base_file_url: str = "https://api.telegram.org/file/bot",
        max_photo_bytes: int = 20_000_000,
        pace: Pace | None = None,
    ) -> None:
        number, colon, _ = token.partition(":")
        # What is no token Telegram refuses: nothing is ever kept under this name.
        self.account = number if colon and number.isdecimal() else CHANNEL
        self._token = token
        self._base_url = base_url
        self._base_file_url = base_file_url
        self._store_mark = store_mark
        self._read_photo = read_photo
        self._read_picture = read_picture
        self._max_photo_bytes = max_photo_bytes
        self._pace = pace or Pace()
        self._polling: Polling | None = None
        self._drafts = Drafts(self._show, self._pace)
        self._api: BotApi | None = None
        self._connecting = asyncio.Lock()
        #: Calls under way, the running channel among them.
        self._users = 0
        #: Messages of a reply that have arrived, by the reply's id.
        self._arrived: OrderedDict[int, int] = OrderedDict()

    @property
    def name(self) -> str:
        return CHANNEL

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(preview=True)

    def mounts(self) -> Sequence[tuple[str, Any]]:
        return ()

    # --- receiving

    async def run(self, accept: Accept) -> None:
        """Polls until it is cancelled. Replies can be sent before, beside and after it."""
        async with self._connected() as api:
            polling = Polling(api, account=self.account, stored=self._store_mark, pace=self._pace)
            self._polling = polling
            try:
                await polling.run(accept)
            finally:
                await self._drafts.aclose()

    def ready(self) -> str | None:
        return "Telegram is not polled yet" if self._polling is None else self._polling.trouble

    async def fetch(self, event: Event, ref: PhotoRef) -> bytes:
        if ref.size is not None and ref.size > self._max_photo_bytes:
            raise PhotoError("too_big", f"the photo has {ref.size} bytes; at most {self._max_photo_bytes} are taken")
        try:
            async with asyncio.timeout(self._pace.download), self._connected() as api:
                return await api.file(ref.ref, self._max_photo_bytes)
        except TimeoutError as error:
            raise TryLater(f"a photo did not arrive within {self._pace.download:g} s", seconds=5) from error

    # --- sending

    async def send(self, outgoing: Outgoing) -> None:
        reply = outgoing.reply
        to = chat(reply.customer, reply.route)
        messages = await self._messages(reply)
        if not messages:
            raise SendError(f"reply {outgoing.id} is empty; there is nothing to send")
        self._drafts.end(to)
        async with self._connected() as api:
            for message in messages[self._arrived.get(outgoing.id, 0) :]:
                try:
                    await api.deliver(to, message)
                except (TryLater, Undeliverable):
                    raise
                except SendError as error:
                    if not (arrived := self._arrived.get(outgoing.id, 0)):
                        raise
                    part = f"{arrived} of {len(messages)} messages of reply {outgoing.id} have arrived"
                    raise Unknown(f"{part}, then: {error}") from error
                self._remember(outgoing.id)
        self._arrived.pop(outgoing.id, None)

    async def _messages(self, reply: Reply) -> tuple[Part, ...]:
        photos = [await self._load(self._read_photo, photo.sha256) for photo in reply.photos]
        pictures = {
            offer.product: data
            for offer in reply.offers
            if offer.picture and (data := await self._load(self._read_picture, offer.picture))
        }
        return parts(reply, list(filter(None, photos)), pictures)

    async def _load(self, read: Callable[[str], bytes], name: str) -> bytes | None:
        """A picture's bytes. One that is gone must not keep the words from the customer."""
        try:
            return await asyncio.to_thread(read, name)
        except (BotError, OSError) as error:
            _log.warning("picture %s cannot be read (%s); the reply goes out without it", name, type(error).__name__)
            return None

    def _remember(self, id_: int) -> None:
        self._arrived[id_] = self._arrived.pop(id_, 0) + 1
        if len(self._arrived) > _REMEMBERED:
            self._arrived.popitem(last=False)

    async def notice(self, customer: Customer, route: str, text: str, until: datetime, ahead: int) -> None:
        """A message of its own. A courtesy like typing: if it fails, the answer itself still comes."""
        try:
            async with self._connected() as api:
                for part in split(text):
                    await api.deliver(chat(customer, route), Words(text=part))
        except BotError as error:
            _log.warning("a notice to %s did not go out: %s", customer, error)

    async def thinking(self, customer: Customer, route: str) -> None:
        try:
            to = chat(customer, route)
            self._drafts.keep(to)
            async with self._connected() as api:
                await api.typing(to)
        except BotError as error:
            _log.debug("typing was not shown to %s: %s", customer, type(error).__name__)

    async def preview(self, customer: Customer, route: str, text: str) -> None:
        try:
            shown = split(text)[:1]
            self._drafts.write(chat(customer, route), *shown) if shown else None
        except BotError as error:
            _log.debug("a preview was not shown to %s: %s", customer, type(error).__name__)

    async def over(self, customer: Customer) -> None:
        """The draft vanishes by itself, like «typing»; it is only not shown again."""
        try:
            self._drafts.end(chat(customer, ""))
        except BotError as error:
            _log.debug("a draft to %s was not ended: %s", customer, type(error).__name__)

    async def _show(self, to: int, draft: int, text: str) -> None:
        async with self._connected() as api:
            await api.draft(to, draft, text)

    # --- the owner's

    async def check(self) -> Sequence[Finding]:
        async with self._connected() as api:
            return await findings(api)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[BotApi]:
        """The Bot API. Its connections live while the channel runs, and as long as any call is under way."""
        async with self._connecting:
            if self._api is None:
                # In a thread: the import takes 0.3 s and more, in which the page can already answer.
                library = await asyncio.to_thread(_library)
                self._api = library(
                    token=self._token, base_url=self._base_url, base_file_url=self._base_file_url, pace=self._pace
                )
            api = self._api
            self._users += 1
        try:
            yield api
        finally:
            self._users -= 1
            if not self._users:
                self._api = None
                await api.aclose()


def _library() -> type[BotApi]:
    """Imports what only a bot that is really used needs."""
    from .client import BotApi

    return BotApi
