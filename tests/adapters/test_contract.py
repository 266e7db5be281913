"""What every channel promises the core: the words of :class:`bot.ports.Adapter` as tests, for each module here.

A new channel is found by itself, and fails until it has a stand below: a place where a test can play its platform.
"""

from __future__ import annotations

import asyncio
import json
import pkgutil
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

import adapters
from adapters.ask import AskAdapter, Question
from adapters.telegram import TelegramAdapter
from adapters.web import WebAdapter
from bot import server
from bot.errors import PhotoError, SendError, StorageError, TryLater
from bot.model import Choice, Customer, Event, Offer, Photo, PhotoRef, Reply, Trace
from bot.ports import Accept, Adapter, Capabilities, Finding, Mark, Outgoing
from storage.database import Database
from storage.photos import PhotoFiles
from storage.store import SqlStore
from tests.adapters.telegram.stage import PACE
from tests.adapters.web.house import SHOP
from tests.fakes.telegram import TelegramServer

T = TypeVar("T")

#: Seconds in which a platform would surely have heard of something that it must not hear.
_MOMENT = 0.3


# ---------------------------------------------------------------------------------------------- where they stand


@dataclass
class Stand:
    """A channel and its platform, where a test can speak as a customer. The test runs the channel itself."""

    adapter: Adapter
    #: Somebody who can be written to, and the way to him.
    customer: Customer
    route: str
    #: Has a customer say something on the platform.
    speak: Callable[[str], Awaitable[None]]
    #: Whether the platform, or the customer, was told that we have it.
    acknowledged: Callable[[], bool]
    #: What the platform, or the customer, has been sent, as text.
    received: Callable[[], Sequence[str]]
    #: Takes the platform away.
    down: Callable[[], Awaitable[None]]


class Fickle:
    """A database that is away when a test wants it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.away = False

    async def read(self, job: Callable[[Any], T]) -> T:
        return await self._there().read(job)

    async def write(self, job: Callable[[Any], T]) -> T:
        return await self._there().write(job)

    def _there(self) -> Database:
        if self.away:
            raise StorageError("the database is away")
        return self._database


@dataclass
class Parts:
    """What a channel is built from."""

    database: Fickle
    store: SqlStore
    photos: PhotoFiles

    async def away(self) -> None:
        self.database.away = True


async def _nothing(*_: object) -> None:
    """A callback that nobody listens to."""


@asynccontextmanager
async def telegram(parts: Parts) -> AsyncIterator[Stand]:
    async with TelegramServer() as platform:
        anna = platform.customer()

        async def speak(text: str) -> None:
            anna.says(text)

        adapter = TelegramAdapter(
            token=platform.token,
            store_mark=parts.store.mark,
            read_photo=parts.photos.read,
            read_picture=lambda name: Path("/nowhere", name).read_bytes(),
            base_url=platform.base_url,
            base_file_url=platform.base_file_url,
            pace=PACE,
        )
        yield Stand(
            adapter=adapter,
            customer=Customer(channel="telegram", account=adapter.account, id=str(anna.id)),
            route=json.dumps({"chat": anna.id}),
            speak=speak,
            acknowledged=lambda: not platform.waiting,
            received=lambda: [sent.text for sent in anna.received],
            down=platform.down,
        )


def rows(frames: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a page was told that was said."""
    return [row for frame in frames if frame["type"] == "said" for row in frame["rows"]]


@asynccontextmanager
async def web(parts: Parts) -> AsyncIterator[Stand]:
    heard: list[dict[str, Any]] = []
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        adapter = WebAdapter(
            store=parts.store,
            photos=parts.photos,
            shop=SHOP,
            knowledge=Path("/nowhere"),
            origins=[f"http://{address}"],
            most_photos=4,
            notice_after_s=8.0,
            preparing=lambda: False,
            on_stop=_nothing,
            on_typing=_nothing,
        )
        async with AsyncExitStack() as tabs:
            await tabs.enter_async_context(server.serving(server.build(adapter.mounts(), dict), sock))
            ears: list[asyncio.Task[None]] = []

            async def listen(line: ClientConnection) -> None:
                with suppress(ConnectionClosed):
                    while True:
                        heard.append(json.loads(await line.recv()))

            async def speak(text: str) -> None:
                """A browser opens the page and says it."""
                opening = connect(f"ws://{address}/ws", origin=f"http://{address}", proxy=None)  # type: ignore[arg-type]
                line = await tabs.enter_async_context(opening)
                ears.append(asyncio.create_task(listen(line)))
                await line.send(json.dumps({"type": "hello", "token": None, "language": "zh"}))
                frame = {"type": "say", "event": "event-0001", "text": text, "language": "zh", "photos": []}
                await line.send(json.dumps(frame))

            yield Stand(
                adapter=adapter,
                customer=Customer(channel="web", account=SHOP.account, id="anna"),
                route="",
                speak=speak,
                acknowledged=lambda: any(frame["type"] == "taken" for frame in heard),
                received=lambda: [row["text"] for row in rows(heard) if row["speaker"] == "bot"],
                down=parts.away,
            )
            for ear in ears:
                ear.cancel()
            await asyncio.gather(*ears, return_exceptions=True)


@asynccontextmanager
async def ask(parts: Parts) -> AsyncIterator[Stand]:
    adapter = AskAdapter(parts.store, parts.photos, token="open", max_body=1000, answers=True, forget=_nothing)
    asking: list[asyncio.Task[dict[str, Any]]] = []

    async def speak(text: str) -> None:
        asking.append(asyncio.create_task(adapter.ask(Question(customer="anna", text=text))))

    yield Stand(
        adapter=adapter,
        customer=Customer(channel="ask", account="local", id="anna"),
        route="0123456789abcdef",
        speak=speak,
        acknowledged=lambda: any(task.done() and task.exception() is None for task in asking),
        received=lambda: [task.result()["reply"] for task in asking if task.done() and task.exception() is None],
        down=parts.away,
    )
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)


CHANNELS = [module.name for module in pkgutil.iter_modules(adapters.__path__)]


@pytest.fixture
async def parts(store: SqlStore, photos: PhotoFiles) -> Parts:
    database = Fickle(store.database)
    return Parts(database=database, store=SqlStore(cast(Database, database)), photos=photos)


@pytest.fixture(params=CHANNELS)
async def stand(parts: Parts, request: pytest.FixtureRequest) -> AsyncIterator[Stand]:
    built: Callable[[Parts], AbstractAsyncContextManager[Stand]] | None
    built = getattr(sys.modules[__name__], request.param, None)
    assert built is not None, f"adapters/{request.param} has no stand in this file: the contract holds for it too"
    async with built(parts) as made:
        yield made


@dataclass
class Core:
    """Keeps what it is given, when the test lets it, and answers nobody."""

    store: SqlStore
    adapter: Adapter
    taken: list[Event] = field(default_factory=list)
    full: bool = False
    called: asyncio.Event = field(default_factory=asyncio.Event)
    kept: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    turns: set[asyncio.Task[None]] = field(default_factory=set)

    async def accept(self, events: Sequence[Event], mark: Mark | None) -> None:
        if not events:
            return
        self.called.set()
        await self.gate.wait()
        if self.full:
            raise StorageError("the disk is full")
        await self.store.accept(events, mark)
        self.taken += events
        self.kept.set()
        self.turns.add(asyncio.create_task(self._end(events)))

    async def _end(self, events: Sequence[Event]) -> None:
        """Behind the door, as the core does: who was taken in is not answered before he hears of it."""
        for event in events:
            conversation = await self.store.conversation(event.customer, language="zh")
            await self.store.finish(conversation, [event], (), ())
            await self.adapter.over(event.customer)


@pytest.fixture
async def core(parts: Parts, stand: Stand) -> AsyncIterator[Core]:
    made = Core(parts.store, stand.adapter)
    yield made
    await asyncio.gather(*made.turns, return_exceptions=True)  # some tests take the store away


@asynccontextmanager
async def at_work(adapter: Adapter, accept: Accept) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(adapter.run(accept))
    try:
        async with asyncio.timeout(30):
            while adapter.ready() is not None:  # noqa: ASYNC110 - the port has no news of it
                await asyncio.sleep(0.01)
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# ---------------------------------------------------------------------------------------------- who it is


def test_every_channel_is_found() -> None:
    assert {"ask", "telegram", "web"} <= set(CHANNELS)


async def test_it_has_the_name_of_its_module_and_customers_of_that_name(stand: Stand, core: Core) -> None:
    assert stand.adapter.name in CHANNELS
    core.gate.set()
    async with at_work(stand.adapter, core.accept):
        await stand.speak("在吗")
        await core.kept.wait()
    assert {event.customer.channel for event in core.taken} == {stand.adapter.name}


async def test_it_says_what_it_can_do(stand: Stand) -> None:
    assert isinstance(stand.adapter.capabilities, Capabilities)


async def test_what_it_serves_is_a_path_and_an_application(stand: Stand) -> None:
    for path, app in stand.adapter.mounts():
        assert path.startswith("/")
        assert callable(app)


# ---------------------------------------------------------------------------------------------- receiving


async def test_it_is_ready_while_it_runs_and_says_why_not_before_and_after(stand: Stand, core: Core) -> None:
    assert stand.adapter.ready()
    async with at_work(stand.adapter, core.accept):
        assert stand.adapter.ready() is None
    assert stand.adapter.ready()


async def test_cancelling_ends_it(stand: Stand, core: Core) -> None:
    async with at_work(stand.adapter, core.accept) as task:
        task.cancel()
        async with asyncio.timeout(10):
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_cancelling_ends_it_while_the_core_is_still_committing(stand: Stand, core: Core) -> None:
    async with at_work(stand.adapter, core.accept) as task:
        await stand.speak("在吗")
        await core.called.wait()
        task.cancel()
        async with asyncio.timeout(10):
            with pytest.raises(asyncio.CancelledError):
                await task
        assert not stand.acknowledged()


async def test_nobody_is_told_that_we_have_it_before_it_is_committed(stand: Stand, core: Core) -> None:
    async with at_work(stand.adapter, core.accept):
        await stand.speak("在吗")
        await core.called.wait()
        await asyncio.sleep(_MOMENT)
        assert not stand.acknowledged()
        core.gate.set()
        async with asyncio.timeout(30):
            while not stand.acknowledged():  # noqa: ASYNC110 - platforms tell it in their own ways
                await asyncio.sleep(0.01)
    [event] = core.taken
    [said] = await core.store.history(event.customer)
    assert said.turn.text == "在吗"


async def test_what_the_core_cannot_keep_is_not_acknowledged_and_the_channel_lives(stand: Stand, core: Core) -> None:
    core.full = True
    core.gate.set()
    async with at_work(stand.adapter, core.accept) as task:
        await stand.speak("在吗")
        await core.called.wait()
        await asyncio.sleep(_MOMENT)
        assert not stand.acknowledged()
        assert not task.done()


async def test_a_photo_that_nobody_holds_is_a_fault_or_a_delay(stand: Stand) -> None:
    event = Event(id="m1", customer=stand.customer, at=datetime.now(UTC), route=stand.route)
    with pytest.raises((PhotoError, TryLater)):
        await stand.adapter.fetch(event, PhotoRef(ref="nobody's"))


# ---------------------------------------------------------------------------------------------- sending


def replies(stand: Stand) -> list[Reply]:
    """Plain, rich, long, empty and senseless ones; to somebody, and to nobody."""
    gone = Photo(sha256="0" * 64, media_type="image/jpeg", width=1, height=1)
    nobody = Customer(channel=stand.adapter.name, account="?", id="nobody")
    return [
        Reply(customer=stand.customer, route=stand.route, text="在的。"),
        Reply(customer=stand.customer, route=stand.route, text="好" * 20_000),
        Reply(customer=stand.customer, route=stand.route, text=""),
        Reply(
            customer=stand.customer,
            route=stand.route,
            text="看看？",
            photos=(gone,),
            offers=(Offer(product="1", name="杯子", price=Decimal(1), stock=0, picture="gone.jpg"),),
            choices=(Choice(id="a", label="一"),),
        ),
        Reply(customer=stand.customer, route="no route at all", text="在的。"),
        Reply(customer=nobody, text="在的。"),
    ]


async def test_a_committed_reply_reaches_the_customer(stand: Stand, parts: Parts) -> None:
    answering: list[asyncio.Task[None]] = []

    async def answer(event: Event) -> None:
        conversation = await parts.store.conversation(event.customer, language="zh")
        reply = Reply(customer=event.customer, route=event.route, text="在的，您说。")
        for outgoing in await parts.store.finish(conversation, [event], (), [(reply, Trace())]):
            await stand.adapter.send(outgoing)

    async def accept(events: Sequence[Event], mark: Mark | None) -> None:
        await parts.store.accept(events, mark)
        answering.extend(asyncio.create_task(answer(event)) for event in events)

    async with at_work(stand.adapter, accept):
        await stand.speak("在吗")
        async with asyncio.timeout(30):
            while not stand.received():  # noqa: ASYNC110 - platforms tell it in their own ways
                await asyncio.sleep(0.01)
        await asyncio.gather(*answering)
    assert stand.received() == ["在的，您说。"]


@pytest.mark.parametrize("platform", ["up", "down"])
async def test_any_reply_goes_out_or_is_a_send_error(stand: Stand, core: Core, platform: str) -> None:
    core.gate.set()
    async with at_work(stand.adapter, core.accept):
        await stand.speak("在吗")  # who has a page open is sent to through it
        await core.kept.wait()
        if platform == "down":
            await stand.down()
        for number, reply in enumerate(replies(stand), start=1):
            for to in {reply.customer, *(event.customer for event in core.taken)}:
                with suppress(SendError):
                    await stand.adapter.send(Outgoing(id=number, reply=replace(reply, customer=to), trace=Trace()))


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("platform", ["up", "down"])
async def test_signs_of_life_never_raise(stand: Stand, core: Core, platform: str, running: bool) -> None:
    async def give() -> None:
        if platform == "down":
            await stand.down()
        for reply in replies(stand):
            to, route = reply.customer, reply.route
            await stand.adapter.thinking(to, route)
            await stand.adapter.preview(to, route, reply.text)
            await stand.adapter.notice(to, route, reply.text, datetime.now(UTC), 2)
            await stand.adapter.over(to)
        await asyncio.sleep(_MOMENT)  # what they started beside themselves

    if not running:
        await give()
        return
    async with at_work(stand.adapter, core.accept) as task:
        await give()
        assert not task.done()


# ---------------------------------------------------------------------------------------------- the owner's


@pytest.mark.parametrize("platform", ["up", "down"])
async def test_what_is_wrong_is_told_with_its_fix(stand: Stand, platform: str) -> None:
    if platform == "down":
        await stand.down()
    for finding in await stand.adapter.check():
        assert isinstance(finding, Finding)
        assert finding.what
        assert finding.ok or finding.fix
