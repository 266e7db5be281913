"""The channel behind ``python -m bot ask``: one message through the whole house, and its answer back.

It is a channel like any other; only that who asks waits. A running bot offers it on the loopback address to whoever
holds the token in the data folder, so that a model is never loaded twice.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.errors import BotError, Erased, PhotoError, PhotoFault, StorageError, TryLater
from bot.model import Customer, Event, Holder, Photo, PhotoRef, Trace
from bot.ports import Accept, Capabilities, Finding, Outgoing, PhotoStore, Store

_MOST_PHOTOS = 9

Forget = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    customer: str
    text: str
    photos: tuple[bytes, ...] = ()


class Unusable(PhotoError):
    """A photo of a question cannot be used: the one at ``place``, counted from 0. Who asked knows its name."""

    def __init__(self, reason: PhotoFault, detail: str, *, place: int) -> None:
        super().__init__(reason, detail)
        self.place = place


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """Somebody who asked."""

    customer: Customer
    #: Whether the core has the question: before that no turn can end it.
    taken: bool = False
    #: What became of it; ``None`` is silence: a person speaks, or the bot is switched off, or he was erased.
    reply: asyncio.Future[Outgoing | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    notice: str | None = None


class AskAdapter:
    """Implements :class:`~bot.ports.Adapter`."""

    name = "ask"
    capabilities = Capabilities(shows_label=True)

    def __init__(
        self, store: Store, photos: PhotoStore, *, token: str, max_body: int, answers: bool, forget: Forget
    ) -> None:
        """``token`` opens the loopback door, for at most ``max_body`` bytes a question; ``answers`` is whether the bot
        answers at all; ``forget`` has the model let go of what was erased.
        """
        self._store = store
        self._photos = photos
        self._token = token
        self._max_body = max_body
        self._answers = answers
        self._forget = forget
        self._accept: Accept | None = None
        self._opened = asyncio.Event()
        #: By route, which is the question's event too.
        self._waiting: dict[str, _Waiting] = {}

    # ------------------------------------------------------------------ asking

    async def ask(self, question: Question) -> dict[str, Any]:
        """One message as a customer would send it, and what became of it: see :meth:`_document`.

        Raises :class:`Unusable` and :class:`~bot.errors.StorageError`.
        """
        await self._opened.wait()
        accept = self._accept
        assert accept is not None
        customer = Customer(channel=self.name, account="local", id=question.customer)
        photos = tuple([await self._add(customer, at, data) for at, data in enumerate(question.photos)])
        # The route comes back with the reply: it is the question's own name.
        route = secrets.token_hex(8)
        waiting = self._waiting[route] = _Waiting(customer=customer)
        event = Event(id=route, customer=customer, at=datetime.now(UTC), text=question.text, photos=photos, route=route)
        try:
            await accept([event], None)
            waiting.taken = True
            outgoing = await waiting.reply
            return self._document(outgoing, await self._holder(customer), waiting.notice)
        finally:
            del self._waiting[route]

    async def _add(self, customer: Customer, at: int, data: bytes) -> Photo:
        try:
            return await self._photos.add(customer, data)
        except PhotoError as exc:
            raise Unusable(exc.reason, str(exc), place=at) from exc

    async def _holder(self, customer: Customer) -> Holder:
        """Who speaks for the shop: the bot, to one who was erased while he waited."""
        try:
            return (await self._store.conversation(customer, language="zh")).holder
        except Erased:
            return "bot"

    async def _end(self, customer: Customer, outgoing: Outgoing | None) -> None:
        """A turn of his ended: tells all whose questions it answered. Raises :class:`~bot.errors.StorageError`.

        Which these are the store knows: a turn's questions are done with it, and those of the next turn are not.
        """
        # Whose question is taken in while the store is read belongs to a later turn, and is not among those read.
        taken = {route: w for route, w in self._waiting.items() if w.customer == customer and w.taken}
        undone = {event.id for event in await self._store.events(customer)}
        for route, waiting in taken.items():
            if route not in undone and not waiting.reply.done():
                waiting.reply.set_result(outgoing)

    def _document(self, outgoing: Outgoing | None, holder: Holder, notice: str | None) -> dict[str, Any]:
        """What ``ask --json`` prints: every key always, with ``mode`` «off» when the bot is switched off."""
        trace = Trace() if outgoing is None else outgoing.trace
        reply = None if outgoing is None else outgoing.reply
        return {
            "reply": reply.text if reply else "",
            "photos": [photo.sha256 for photo in reply.photos] if reply else [],
            # Silence has its reason too: a person speaks, or a rule of the shop.
            "source": reply.source if reply else "rule" if holder == "bot" else "staff",
            "action": trace.action.value,
            "seen": None if trace.seen is None else asdict(trace.seen),
            "case": None,
            "holder": holder,
            "mode": "answer" if self._answers else "off",
            "facts": [fact.text for fact in trace.facts],
            "model": trace.model,
            "timings": {key: round(value, 4) for key, value in asdict(trace.timings).items()},
            "tokens": asdict(trace.tokens),
            "notice": notice,
        }

    # ------------------------------------------------------------------ the channel

    def mounts(self) -> Sequence[tuple[str, Any]]:
        routes = [
            Route("/", self._post, methods=["POST"]),
            Route("/forget", self._post_forget, methods=["POST"]),
        ]
        return [("/ask", Starlette(routes=routes))]

    def _known(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        return secrets.compare_digest(given.encode(), self._token.encode())

    async def _post_forget(self, request: Request) -> Response:
        """A command beside this bot erased a customer: the model lets go of him too."""
        if not self._known(request):
            return JSONResponse({"error": "the token is not this bot's"}, status_code=403)
        await self._forget()
        return JSONResponse({"forgotten": True})

    async def _post(self, request: Request) -> Response:
        if not self._known(request):
            return JSONResponse({"error": "the token is not this bot's"}, status_code=403)
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self._max_body:
                return JSONResponse({"error": "the photos are too large"}, status_code=413)
        try:
            raw = json.loads(body)
            photos = tuple(base64.b64decode(each, validate=True) for each in raw.get("photos", ())[:_MOST_PHOTOS])
            question = Question(customer=str(raw["customer"]), text=str(raw["text"]), photos=photos)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
            return JSONResponse({"error": "not a question"}, status_code=400)
        if not question.text.strip() and not question.photos:
            return JSONResponse({"error": "nothing is asked: there are neither words nor photos"}, status_code=400)
        try:
            return JSONResponse(await self.ask(question))
        except Unusable as exc:
            fault = {"error": str(exc), "reason": exc.reason, "photo": exc.place}
            return JSONResponse(fault, status_code=422)
        except BotError as exc:
            return JSONResponse({"error": str(exc)}, status_code=500)

    async def run(self, accept: Accept) -> None:
        self._accept = accept
        self._opened.set()
        try:
            await asyncio.Event().wait()
        finally:
            self._accept = None
            self._opened.clear()
            for waiting in self._waiting.values():
                if not waiting.reply.done():
                    waiting.reply.set_exception(
                        StorageError("the bot was stopped; the question is kept, and answered when it runs again")
                    )

    def ready(self) -> str | None:
        return None if self._opened.is_set() else "questions are not taken in"

    async def fetch(self, event: Event, ref: PhotoRef) -> bytes:
        raise PhotoError("broken", "photos of this channel come with the question")

    async def send(self, outgoing: Outgoing) -> None:
        try:
            await self._end(outgoing.reply.customer, outgoing)
        except StorageError as exc:
            raise TryLater(f"who waits for reply {outgoing.id} could not be told: {exc}", seconds=1) from exc

    async def thinking(self, customer: Customer, route: str) -> None:
        """Who asks at a terminal sees a spinner there."""

    async def preview(self, customer: Customer, route: str, text: str) -> None:
        """Not asked for: this channel shows whole answers."""

    async def notice(self, customer: Customer, route: str, text: str, until: datetime, ahead: int) -> None:
        if (waiting := self._waiting.get(route)) is not None:
            waiting.notice = text

    async def over(self, customer: Customer) -> None:
        try:
            await self._end(customer, None)
        except StorageError as exc:
            # Whoever waits is told, since nobody comes back to tell him later.
            for waiting in self._waiting.values():
                if waiting.customer == customer and not waiting.reply.done():
                    waiting.reply.set_exception(exc)

    async def check(self) -> Sequence[Finding]:
        return ()
