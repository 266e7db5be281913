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
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.errors import BotError, PhotoError
from bot.model import Customer, Event, Photo, PhotoRef
from bot.ports import Accept, Capabilities, Finding, Outgoing, PhotoStore, Store

#: Seconds between two looks whether a turn ended without a reply.
_LOOK = 0.5
_MOST_PHOTOS = 9

Forget = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    customer: str
    text: str
    photos: tuple[bytes, ...] = ()


class AskAdapter:
    """Implements :class:`~bot.ports.Adapter`."""

    name = "ask"
    capabilities = Capabilities(shows_label=True)

    def __init__(self, store: Store, photos: PhotoStore, *, token: str, max_body: int, forget: Forget) -> None:
        self._store = store
        self._photos = photos
        self._token = token
        self._max_body = max_body
        self._forget = forget
        self._accept: Accept | None = None
        self._opened = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[Outgoing]] = {}
        self._notices: dict[str, str] = {}

    # ------------------------------------------------------------------ asking

    async def ask(self, question: Question) -> dict[str, Any]:
        """One message as a customer would send it: the document of CONTRACT.md. Raises :class:`PhotoError`."""
        await self._opened.wait()
        assert self._accept is not None
        customer = Customer(channel=self.name, account="local", id=question.customer)
        photos: list[Photo] = []
        for data in question.photos:
            photo = await self._photos.add(data)
            await self._store.own_photo(customer, photo)
            photos.append(photo)
        # The route comes back with the reply: it is the question's own name.
        route = secrets.token_hex(8)
        self._waiting[route] = asyncio.get_running_loop().create_future()
        event = Event(
            id=route, customer=customer, at=datetime.now(UTC), text=question.text, photos=tuple(photos), route=route
        )
        try:
            await self._accept([event], None)
            outgoing = await self._reply(customer, event)
            return self._document(outgoing, self._notices.get(route))
        finally:
            del self._waiting[route]
            self._notices.pop(route, None)

    async def _reply(self, customer: Customer, event: Event) -> Outgoing | None:
        """The reply, or ``None`` when the turn ended in silence (a person speaks, or the bot is switched off)."""
        reply = self._waiting[event.route]
        while True:
            done, _ = await asyncio.wait({reply}, timeout=_LOOK)
            if done:
                return reply.result()
            if all(waiting.id != event.id for waiting in await self._store.events(customer)):
                # The reply is sent after the event is done: give it its moment.
                done, _ = await asyncio.wait({reply}, timeout=_LOOK)
                return reply.result() if done else None

    def _document(self, outgoing: Outgoing | None, notice: str | None) -> dict[str, Any]:
        if outgoing is None:
            return {"reply": "", "photos": [], "source": "staff", "action": "none", "case": None, "holder": "staff"}
        reply, trace = outgoing.reply, outgoing.trace
        return {
            "reply": reply.text,
            "photos": [photo.sha256 for photo in reply.photos],
            "source": reply.source,
            "action": trace.action.value,
            "seen": None if trace.seen is None else asdict(trace.seen),
            "case": None,
            "holder": "bot",
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
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            return JSONResponse({"error": "not a question"}, status_code=400)
        try:
            return JSONResponse(await self.ask(question))
        except PhotoError as exc:
            return JSONResponse({"error": str(exc)}, status_code=422)
        except BotError as exc:
            return JSONResponse({"error": str(exc)}, status_code=500)

    async def run(self, accept: Accept) -> None:
        self._accept = accept
        self._opened.set()
        await asyncio.Event().wait()

    def ready(self) -> str | None:
        return None

    async def fetch(self, event: Event, ref: PhotoRef) -> bytes:
        raise PhotoError("broken", "photos of this channel come with the question")

    async def send(self, outgoing: Outgoing) -> None:
        # Nobody waits for a reply whose question was asked before a restart; its row is in the history.
        waiting = self._waiting.get(outgoing.reply.route)
        if waiting is not None and not waiting.done():
            waiting.set_result(outgoing)

    async def thinking(self, customer: Customer, route: str) -> None:
        """Who asks at a terminal sees a spinner there."""

    async def preview(self, customer: Customer, route: str, text: str) -> None:
        """Not asked for: this channel shows whole answers."""

    async def notice(self, customer: Customer, route: str, text: str, until: datetime, ahead: int) -> None:
        self._notices[route] = text

    async def check(self) -> Sequence[Finding]:
        return ()
