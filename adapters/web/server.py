"""The page's HTTP side: the document, its files, photos up and down, and the door of the WebSocket."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.errors import BotError, PhotoError
from bot.ports import Store

from . import frames, link
from .assets import Assets
from .audience import Audience
from .customers import bearer, customer_of, new_token
from .desk import Desk
from .pace import Bucket, Buckets, Rates
from .shop import PICTURES, WebShop, picture_url, shelf
from .uploads import Refused, Uploads

log = logging.getLogger(__name__)

HERE = Path(__file__).parent

#: Nothing from elsewhere, nothing inline, nobody's frame. ``blob:`` is for photos that are not sent yet, and for those
#: that are fetched with the customer's token.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
#: Seconds for a page to say who it is.
_HELLO = 10.0
#: Seconds until a page is asked to try again what the store could not do: a full disk is not emptied sooner.
_AWAY = 5.0


class Headers:
    """Puts the policy on every answer; what is named by its content is kept for good."""

    def __init__(self, app: ASGIApp, forever: str) -> None:
        self._app = app
        self._forever = forever

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        kept = scope["path"].startswith(self._forever)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = dict(HEADERS)
                names = {name for name, _ in message["headers"]}
                if kept and message["status"] == 200:
                    headers["cache-control"] = "public, max-age=31536000, immutable"
                elif b"cache-control" not in names:
                    headers["cache-control"] = "no-cache"
                message["headers"] = [
                    *message["headers"],
                    *((name.encode(), value.encode()) for name, value in headers.items()),
                ]
            await send(message)

        await self._app(scope, receive, with_headers)


class Server:
    """The page's ASGI application."""

    def __init__(
        self,
        *,
        store: Store,
        desk: Desk,
        audience: Audience,
        shop: WebShop,
        knowledge: Path,
        origins: Sequence[str],
        max_upload_bytes: int,
        most_photos: int,
        notice_after_s: float,
        rates: Rates,
    ) -> None:
        self._store = store
        self._desk = desk
        self._audience = audience
        self._shop = shop
        self._origins = frozenset(origin.rstrip("/") for origin in origins)
        self._hosts = frozenset(urlsplit(origin).netloc for origin in self._origins)
        self._most = max_upload_bytes
        self._most_photos = most_photos
        self._notice_after_s = notice_after_s
        self._rates = rates
        self._uploads = Uploads(
            largest=max_upload_bytes,
            memory=rates.uploads * max_upload_bytes,
            all_bodies=rates.all_uploads,
            own_bodies=rates.own_uploads,
        )
        self._photo_pace = Buckets(rates.photos)
        self._assets = Assets(HERE / "static")
        self._page = self._render()
        forever = f"/{self._assets.path}/"
        routes: list[BaseRoute] = [
            Route("/", self._index),
            Route("/photos", self._upload, methods=["POST"]),
            Route("/photos/{sha256}", self._photo),
            WebSocketRoute("/ws", self._socket),
            Route(forever + "{name}", self._assets.serve),
        ]
        if shop.demonstration:
            routes.append(Route("/shop.json", self._shelf))
        # Cards of offers show them, on a public site too.
        routes.append(Mount(f"/{PICTURES}", StaticFiles(directory=knowledge / PICTURES, check_dir=False)))
        self.app = Starlette(routes=routes, middleware=[Middleware(Headers, forever=forever)])

    def close(self) -> None:
        """Ends photos that are still on their way."""
        self._uploads.close()

    # ------------------------------------------------------------------------------ the document

    def _render(self) -> bytes:
        shop = self._shop
        languages = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in HERE.glob("words/*.json")}
        page = {
            "shop": {"name": shop.name, "label": shop.ai_label, "contact": shop.contact, "language": shop.language},
            "demonstration": shop.demonstration,
            "note": dict(shop.note),
            "questions": {language: list(words) for language, words in shop.questions.items()},
            "examples": [{"picture": picture_url(f"{PICTURES}/{e.file}"), **e.words} for e in shop.examples],
            "limits": {"text": frames.MOST_TEXT, "photos": self._most_photos, "bytes": self._most},
            "patience": self._notice_after_s,
            "words": languages,
        }
        environment = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined
        )
        return (
            environment.get_template("page.html")
            .render(
                shop=shop,
                static=self._assets.path,
                modules=self._assets.names(".js"),
                sheets=self._assets.names(".css"),
                page=json.dumps(page, ensure_ascii=False),
                words=languages[shop.language],
            )
            .encode()
        )

    async def _index(self, request: Request) -> Response:
        host = request.headers.get("host", "")
        if host not in self._hosts:
            # The WebSocket would be refused, and a page that only ever says «connecting» helps nobody.
            return PlainTextResponse(
                f"{request.url.scheme}://{host} is not among the addresses of this page. "
                "Add it to origins under [web] in bot.toml and start the bot again.\n",
                421,
            )
        etag = f'"{hashlib.sha256(self._page).hexdigest()[:32]}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        return Response(self._page, media_type="text/html", headers={"etag": etag})

    async def _shelf(self, request: Request) -> Response:
        try:
            products = await self._store.products(self._shop.account)
        except BotError as exc:
            log.error("the shelf could not be shown: %s", exc)
            return _no(503, "storage", retry=_AWAY)
        return JSONResponse({"products": shelf(products)})

    # ------------------------------------------------------------------------------ photos

    async def _upload(self, request: Request) -> Response:
        """One photo, as its bare bytes. 201 with its hash and size, or why not."""
        if request.headers.get("origin") not in self._origins:
            return _no(403, "origin")
        token = bearer(request.headers.get("authorization", ""))
        if token is None:
            return _no(401, "token")
        customer = customer_of(token, self._shop.account)
        if seconds := self._photo_pace.take(customer.id):
            return _no(429, "pace", retry=seconds)
        announced = request.headers.get("content-length", "")
        size = int(announced) if announced.isdecimal() else 0
        try:
            async with self._uploads.body(customer.id, size, request.stream()) as data:
                photo = await self._desk.add_photo(customer, data)
        except ClientDisconnect:
            return _no(408, "line")
        except Refused as exc:
            return _no(exc.status, exc.reason, retry=exc.retry)
        except PhotoError as exc:
            return _no(422, exc.reason)
        except BotError as exc:
            log.error("a photo of customer %s could not be kept: %s", customer.id, exc)
            return _no(503, "storage", retry=_AWAY)
        return JSONResponse(frames.photo(photo), 201)

    async def _photo(self, request: Request) -> Response:
        token = bearer(request.headers.get("authorization", ""))
        if token is None:
            return _no(401, "token")
        customer = customer_of(token, self._shop.account)
        try:
            data = await self._desk.read_photo(customer, request.path_params["sha256"])
        except BotError as exc:
            log.error("a photo of customer %s could not be shown: %s", customer.id, exc)
            return _no(503, "storage", retry=_AWAY)
        if data is None:
            return _no(404, "photo")
        return Response(
            data,
            media_type="image/jpeg",
            headers={"cache-control": "private, max-age=31536000, immutable", "vary": "authorization"},
        )

    # ------------------------------------------------------------------------------ the line

    async def _socket(self, socket: WebSocket) -> None:
        if socket.headers.get("origin") not in self._origins:
            await socket.close(link.POLICY, "origin")  # before accept: the handshake is answered 403
            return
        await socket.accept()
        if len(self._audience) >= self._rates.all_connections:
            await link.close(socket, link.LATER, "full")
            return
        try:
            async with asyncio.timeout(_HELLO):
                hello = await link.read(socket)
        except WebSocketDisconnect:
            return
        except (TimeoutError, frames.FrameError):
            await link.close(socket, link.POLICY, "hello")
            return
        if not isinstance(hello, frames.Hello):
            await link.close(socket, link.POLICY, "hello")
            return
        await self._serve(socket, hello)

    async def _serve(self, socket: WebSocket, hello: frames.Hello) -> None:
        if self._desk.accept is None:
            await link.close(socket, link.LATER, "not open")
            return
        token = hello.token or new_token()
        customer = customer_of(token, self._shop.account)
        tab = link.Link(socket, self._desk, customer, Bucket(self._rates.frames))
        if len(others := self._audience.of(customer)) >= self._rates.connections:
            others[0].end(link.LATER, "too many tabs")
        tab.show(frames.welcome(token, self._assets.build))
        try:
            frame, tab.newest = await self._desk.snapshot(
                customer, hello.language, after=hello.after, conversation=hello.conversation
            )
            # No await from the end of the snapshot to the joining: no live frame falls between. A row that does is
            # brought by the push.
            tab.show(frame)
            self._audience.join(tab)
            await self._desk.push(customer)
            await tab.run()
        except BotError as exc:
            log.error("the page of customer %s could not be opened: %s", customer.id, exc)
            await link.close(socket, link.BROKEN, "broken")
        finally:
            self._audience.leave(tab)


def _no(status: int, reason: str, retry: float = 0) -> Response:
    headers = {"retry-after": str(max(1, round(retry)))} if retry else {}
    return JSONResponse({"reason": reason}, status, headers=headers)
