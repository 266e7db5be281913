"""A small shop behind the page: the real store, photos and server, and a clerk who answers by rule.

``python -m tests.adapters.web.house FOLDER`` opens it on port 7861 with the demonstration shop, to look at the page in
every state: the first character of a message says which one (see :meth:`House._clerk`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import uvicorn

from adapters.web import Pace, Rates, WebAdapter, WebShop, read_examples
from bot.errors import EngineError
from bot.knowledge import read
from bot.model import (
    Action,
    Choice,
    Customer,
    Defect,
    Event,
    Fact,
    Offer,
    Photo,
    Reply,
    Seen,
    Timings,
    Tokens,
    Trace,
)
from bot.ports import Mark
from inference.darkroom import Normalised
from inference.photos import normalise
from storage.photos import PhotoFiles
from storage.schema import migrate
from storage.store import SqlStore, open_store

ROOT = Path(__file__).parents[3]
SHOP = WebShop(
    account="shop",
    name="小满杂货",
    ai_label="AI 客服",
    language="zh",
    contact="hello@xiaoman.example",
    demonstration=True,
    note={
        "zh": "这是演示用的小模型，只认得本店的商品。换上自己的模型，就能看懂别的照片。",
        "en": "This is a tiny demonstration model that knows only the things of this shop.",
    },
)
OFFERS = (
    Offer(
        product="TS-ST-RD",
        name="红色条纹T恤",
        price=Decimal("89.00"),
        stock=12,
        picture="pictures/tshirt-striped-red.jpg",
    ),
    Offer(
        product="MG-ST-BU",
        name="蓝色条纹杯子",
        price=Decimal("35.50"),
        stock=0,
        picture="pictures/mug-striped-blue.jpg",
    ),
)
LONG = "这件是纯棉的，洗后不容易变形。\n尺码从S到XL都有，按平时穿的选就好。" * 6
#: The steps of an answer that the guard stopped once, and of the look-up that its second attempt asked for.
_AGAIN = (("prompt", 0.001), ("answer", 0.9), ("guard", 0.002), ("look_up", 0.003), ("prompt", 0.001))
SENTENCES = ("这是一件红色条纹T恤。", "从照片上看，左边有一处污渍。", "要换一件的话，我帮您登记。")


@dataclass
class House:
    """The parts of one shop; ``start`` and ``stop`` may be called again and again, on the same port."""

    folder: Path
    store: SqlStore
    photos: PhotoFiles
    shop: WebShop = SHOP
    knowledge: Path = ROOT / "demo"
    rates: Rates = field(default_factory=lambda: Rates(messages=Pace(burst=200, per_second=100)))
    max_upload_bytes: int = 20_000_000
    most_photos: int = 4
    #: Whether the model is being loaded: what is said is kept, and answered when it is there.
    preparing: bool = False
    #: Seconds between two sentences.
    pause: float = 0.0
    #: What the callbacks were told.
    stopped: list[Customer] = field(default_factory=list)
    warmed: list[Sequence[Photo]] = field(default_factory=list)
    #: Of these, what the model has looked at to the end; while ``looking`` is clear it stares.
    looked: list[Sequence[Photo]] = field(default_factory=list)
    looking: asyncio.Event = field(default_factory=asyncio.Event)
    #: Whether the model fails at looking.
    blind: bool = False
    #: While it is clear, nothing of an answer leaves the clerk.
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def start(self) -> None:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", self.port))
        self.port = sock.getsockname()[1]
        self.gate.set()
        self.looking.set()
        self.adapter = WebAdapter(
            store=self.store,
            photos=self.photos,
            shop=self.shop,
            knowledge=self.knowledge,
            origins=[self.url],
            max_upload_bytes=self.max_upload_bytes,
            rates=self.rates,
            most_photos=self.most_photos,
            notice_after_s=8.0,
            preparing=lambda: self.preparing,
            on_stop=self._stop,
            on_typing=self._typing,
        )
        [(_, app)] = self.adapter.mounts()
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                lifespan="off",
                ws="websockets-sansio",
                ws_max_size=1 << 20,
                timeout_graceful_shutdown=3,
            )
        )
        self._work: dict[Customer, asyncio.Task[None]] = {}
        self._tasks = [
            asyncio.create_task(self._server.serve(sockets=[sock])),
            asyncio.create_task(self.adapter.run(self.accept)),
        ]
        while not self._server.started:  # noqa: ASYNC110 - uvicorn tells it no other way
            await asyncio.sleep(0.01)
        if not self.preparing:
            await self.prepared()

    async def stop(self) -> None:
        """As a kill would: what is being answered is cut off where it stands."""
        working = list(self._work.values())
        for task in working:
            task.cancel()
        self._tasks[1].cancel()
        self._server.should_exit = True
        await asyncio.gather(*self._tasks, *working, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # ------------------------------------------------------------------------------ the clerk

    async def accept(self, events: Sequence[Event], mark: Mark | None) -> None:
        if await self.store.accept(events, mark):
            for event in events:
                if not self.preparing:
                    self._answer(event.customer)

    async def prepared(self) -> None:
        """The model is there: what was kept is answered."""
        self.preparing = False
        for customer in await self.store.waiting():
            self._answer(customer)

    def _answer(self, customer: Customer) -> None:
        before = self._work.get(customer)
        self._work[customer] = asyncio.create_task(self._turn(customer, before))

    async def _turn(self, customer: Customer, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        for event in await self.store.events(customer):
            await self.adapter.thinking(customer, "")
            await self._clerk(customer, event)

    async def _clerk(self, customer: Customer, event: Event) -> None:
        text = event.text
        sentences: Sequence[str] = SENTENCES if event.photos else (f"您说的是“{text}”。", "我看看。")
        offers, choices, source = (), (), Trace()  # type: tuple[Offer, ...], tuple[Choice, ...], Trace
        if text.startswith("长"):
            sentences = (LONG, "W" * 300)
        if text.startswith("货"):
            sentences, offers = ("有这两款，您看看。",), OFFERS
        if text.startswith("选"):
            sentences = ("要换一件还是退款？",)
            choices = (Choice(id="swap", label="换一件"), Choice(id="refund", label="退款"))
        if text.startswith("慢"):
            await self.adapter.notice(
                customer,
                "",
                "这张照片我要看仔细些，大约需要20秒，您前面还有2位。",
                datetime.now(UTC) + timedelta(seconds=20 * (self.pause > 0) or 20),
                2,
            )
            await asyncio.sleep(9 * self.pause)
        said = ""
        for sentence in sentences:
            await asyncio.sleep(self.pause)
            await self.gate.wait()
            said += sentence
            await self.adapter.preview(customer, "", said)
        await asyncio.sleep(self.pause)
        await self.gate.wait()
        await self.finish(event, said, offers=offers, choices=choices, trace=self._trace(event, source))

    async def finish(
        self,
        event: Event,
        text: str,
        *,
        offers: tuple[Offer, ...] = (),
        choices: tuple[Choice, ...] = (),
        trace: Trace | None = None,
    ) -> None:
        """Commits one answer and sends it."""
        conversation = await self.store.conversation(event.customer, language=event.language or "zh")
        reply = Reply(customer=event.customer, text=text, offers=offers, choices=choices)
        for outgoing in await self.store.finish(conversation, [event], [], [(reply, trace or Trace())]):
            await self.adapter.send(outgoing)
            await self.store.sent(outgoing.id)

    @staticmethod
    def _trace(event: Event, trace: Trace) -> Trace:
        seen = Seen(
            kind="T恤",
            colour="红色",
            pattern="条纹",
            count=1,
            defects=(Defect(what="污渍", where="左边"),),
            quality="clear",
        )
        return replace(
            trace,
            action=Action.NONE,
            seen=seen if event.photos else None,
            facts=(
                Fact(id="product:TS-ST-RD", text="红色条纹T恤 89元 库存12件 尺码S/M/L 棉"),
                Fact(id="policy:1", text="运费：满99元包邮，不满收8元运费。"),
            ),
            model="demo",
            timings=Timings(image_s=0.012 if event.photos else 0, first_token_s=0.41, total_s=1.23),
            tokens=Tokens(prompt=755, reused=739, reply=24),
            steps=(
                ("event", 0.004),
                ("turn", 0.35),
                ("facts", 0.006),
                ("prompt", 0.001),
                ("answer", 1.1),
                ("guard", 0.002),
                *_AGAIN[: 5 * event.text.startswith("再试")],
            ),
            stopped=("repetition",) if event.text.startswith("再试") else ("price",) if "价" in event.text else (),
        )

    # ------------------------------------------------------------------------------ what the page asks for

    async def _stop(self, customer: Customer) -> None:
        self.stopped.append(customer)
        if task := self._work.pop(customer, None):
            task.cancel()
            await asyncio.wait([task])
        conversation = await self.store.conversation(customer, language="zh")
        await self.store.finish(conversation, await self.store.events(customer), [], [])

    async def _typing(self, customer: Customer, photos: Sequence[Photo]) -> None:
        self.warmed.append(photos)
        async with self._news:
            self._news.notify_all()
        if self.blind:
            raise EngineError("blind")
        await self.looking.wait()
        self.looked.append(photos)
        async with self._news:
            self._news.notify_all()

    async def told(self, number: int) -> None:
        """Returns once the model was told of so many looks."""
        await self._until(lambda: len(self.warmed) >= number)

    async def seen(self, number: int) -> None:
        """Returns once so many looks were ended."""
        await self._until(lambda: len(self.looked) >= number)

    async def _until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(done)


async def _normalise(data: bytes) -> Normalised:
    return await asyncio.to_thread(normalise, data, short_side=768, max_bytes=1_000_000, max_upload_bytes=20_000_000)


_kept: list[bytes] = []


async def _fresh() -> bytes:
    """A migrated database that knows the demonstration shop; made once, since every house begins with one."""
    if not _kept:
        with tempfile.TemporaryDirectory() as folder:
            database = Path(folder) / "bot.db"
            migrate(f"sqlite:///{database}", Path(folder))
            async with open_store(f"sqlite:///{database}") as store:
                await store.learn("shop", read(ROOT / "demo"), "1")
            with sqlite3.connect(database) as connection:
                connection.execute("pragma wal_checkpoint(truncate)")
            connection.close()
            _kept.append(database.read_bytes())
    return _kept[0]


def _place(folder: Path, fresh: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "bot.db"
    if not database.exists():
        database.write_bytes(fresh)
    return database


@contextlib.asynccontextmanager
async def opened(folder: Path, **changes: object) -> AsyncIterator[House]:
    """A house at work; ``changes`` are fields of :class:`House`."""
    database = await asyncio.to_thread(_place, folder, await _fresh())
    async with open_store(f"sqlite:///{database}") as store:
        photos = PhotoFiles(store.database, folder / "photos", _normalise)
        house = House(folder, store, photos)
        for name, value in changes.items():
            setattr(house, name, value)
        await house.start()
        try:
            yield house
        finally:
            await house.stop()


async def _show(folder: Path) -> None:
    shop = replace(SHOP, examples=read_examples(ROOT / "demo"))
    async with opened(folder, pause=0.7, port=7861, shop=shop) as house:
        print(house.url)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_show(Path(sys.argv[1])))
