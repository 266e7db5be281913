"""A bot on a stand-in server, with an inbox that keeps what it takes in as the store does: by id, with the mark."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from decimal import Decimal

from adapters.telegram import Pace, TelegramAdapter
from bot.errors import StorageError
from bot.model import Choice, Customer, Event, Offer, Photo, Reply, Trace
from bot.ports import Mark, Outgoing
from tests.fakes.telegram import TelegramServer

#: Everything at once; only Telegram's own «retry after» and the held question take a second.
PACE = Pace(
    long_poll=1,
    first_retry=0.01,
    last_retry=0.05,
    after_conflict=0.05,
    preview=0.01,
    preview_again=0.05,
    download=5.0,
    unreachable=0.01,
    not_now=0.05,
    token_refused=0.05,
)


class Inbox:
    """Keeps events by customer and id, and the mark with them; refuses as often as it is told to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        #: By channel and account.
        self.marks: dict[tuple[str, str], str] = {}
        #: Raised, one by one, by the next calls instead of keeping anything.
        self.refusals: list[Exception] = []
        self.deliveries = 0

    async def __call__(self, events: Sequence[Event], mark: Mark | None) -> None:
        self.deliveries += 1
        if self.refusals:
            raise self.refusals.pop(0)
        assert mark is not None
        known = {(event.customer, event.id) for event in self.events}
        self.events += [event for event in events if (event.customer, event.id) not in known]
        self.marks[mark.channel, mark.account] = mark.value

    async def stored(self, channel: str, account: str) -> str | None:
        return self.marks.get((channel, account))

    @property
    def mark(self) -> str | None:
        """How far the stand-in's bot was taken in."""
        return self.marks.get(("telegram", "7000001"))

    @mark.setter
    def mark(self, value: str) -> None:
        self.marks["telegram", "7000001"] = value

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.events]


class Shelf:
    """Pictures by name; a name that is not there is an error, as in the stores."""

    def __init__(self) -> None:
        self.pictures: dict[str, bytes] = {}

    def read(self, name: str) -> bytes:
        if name not in self.pictures:
            raise StorageError(f"picture {name} is not there")
        return self.pictures[name]


def make(
    telegram: TelegramServer, inbox: Inbox, shelf: Shelf | None = None, *, token: str = "", pace: Pace = PACE
) -> TelegramAdapter:
    shelf = shelf or Shelf()
    return TelegramAdapter(
        token=token or telegram.token,
        store_mark=inbox.stored,
        read_photo=shelf.read,
        read_picture=shelf.read,
        base_url=telegram.base_url,
        base_file_url=telegram.base_file_url,
        max_photo_bytes=1_000_000,
        pace=pace,
    )


@asynccontextmanager
async def running(adapter: TelegramAdapter, inbox: Inbox) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(adapter.run(inbox))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def outgoing(
    customer: Customer,
    text: str = "",
    *,
    id_: int = 1,
    route: str = "",
    photos: Sequence[str] = (),
    offers: Sequence[Offer] = (),
    choices: Sequence[Choice] = (),
) -> Outgoing:
    shown = tuple(Photo(sha256=name, media_type="image/jpeg", width=4, height=4) for name in photos)
    reply = Reply(customer=customer, text=text, route=route, photos=shown, offers=tuple(offers), choices=tuple(choices))
    return Outgoing(id=id_, reply=reply, trace=Trace())


def offer(product: str, picture: str = "") -> Offer:
    return Offer(product=product, name=f"cup {product}", price=Decimal("19.90"), stock=3, picture=picture)


def person(chat: int) -> Customer:
    return Customer(channel="telegram", account="7000001", id=str(chat))
