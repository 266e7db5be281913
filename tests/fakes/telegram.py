"""A stand-in for Telegram's Bot API: a real HTTP server on loopback that is as strict as the real one.

    async with TelegramServer() as telegram:
        # here a bot is started with telegram.token, .base_url and .base_file_url
        anna = telegram.customer(language="zh-hans")
        anna.says("有货吗?")
        await telegram.until(lambda: anna.received)

It checks token, method, parameters, their types and limits; what no real server takes is answered with 400 and kept in
:attr:`TelegramServer.problems`, which a test should find empty. Updates are delivered again until a higher offset
confirms them; a second poller ends the first one's question with 409. Trouble is ordered beforehand, per method:
:meth:`~TelegramServer.refuse`, :meth:`~TelegramServer.cut`, :meth:`~TelegramServer.silence`,
:meth:`~TelegramServer.slow`, :meth:`~TelegramServer.garble`, :meth:`~TelegramServer.down`; downloads are the method
``file``.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import socket
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from .telegram_form import Files, Form, Invalid, read_form

Json = dict[str, Any]
Receive = Callable[[], Awaitable[Json]]
Send = Callable[[Json], Awaitable[None]]

#: Bytes of the biggest file that getFile hands out.
_GET_FILE = 20 * 1024 * 1024
#: Updates that a real server queues when the bot never said what it wants.
_DEFAULT_UPDATES = frozenset({"message", "edited_message", "callback_query", "my_chat_member"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that named a method and the right token."""

    method: str
    #: Parameters as they were sent, files left out.
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One message, or one album, as it stands in a customer's chat."""

    chat: int
    message_id: int
    #: Words of a message, caption of a single photo.
    text: str = ""
    photos: tuple[bytes, ...] = ()
    #: Captions of ``photos``, one each.
    captions: tuple[str, ...] = ()
    #: Buttons: what each gives back, and what it says.
    buttons: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    chat: int
    draft_id: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trouble:
    """What happens to one request instead of an answer."""

    #: Whether the request is carried out all the same.
    taken: bool
    status: int = 200
    body: bytes = b""
    #: The connection is cut without an answer.
    cut: bool = False
    #: There is no answer, and the connection stays as it is.
    silent: bool = False
    #: Seconds before the true answer; everything above is then unused.
    slow: float | None = None


class Refusal(Exception):
    """An answer with ``ok: false``."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.parameters = parameters


@dataclass(slots=True)
class _Poll:
    """A held getUpdates."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Customer:
    """One person with a private chat. What he does becomes an update; each method returns the message's id."""

    def __init__(self, server: TelegramServer, id_: int, language: str | None) -> None:
        self._server = server
        self.id = id_
        self._user: Json = {"id": id_, "is_bot": False, "first_name": "Customer"}
        if language is not None:
            self._user["language_code"] = language
        self._chat: Json = {"id": id_, "type": "private", "first_name": "Customer"}

    @property
    def received(self) -> list[Sent]:
        """What stands in his chat, oldest first."""
        return [sent for sent in self._server.sent if sent.chat == self.id]

    @property
    def draft(self) -> str | None:
        """What he sees being written at the moment."""
        return self._server.writing.get(self.id)

    def says(self, text: str) -> int:
        content: Json = {"text": text}
        if command := re.match(r"/[A-Za-z0-9_]+", text):
            content["entities"] = [{"type": "bot_command", "offset": 0, "length": command.end()}]
        return self._posts(content)

    def starts(self, payload: str = "") -> int:
        """Opens the chat, perhaps by a link that carries a word."""
        return self.says(f"/start {payload}".strip())

    def sends_photo(self, data: bytes, caption: str = "", *, announced: int | None = None) -> int:
        """A photo, in two sizes as always; ``announced`` overrides the number of bytes that Telegram tells."""
        return self._posts(self._photo(data, announced), caption)

    def sends_album(self, photos: list[bytes], caption: str = "") -> list[int]:
        """Several photos at once: single messages that share an id; the caption stands on the first."""
        album = str(self._server.number())
        return [
            self._posts({**self._photo(data), "media_group_id": album}, "" if at else caption)
            for at, data in enumerate(photos)
        ]

    def sends_file(self, data: bytes, name: str, mime: str | None, caption: str = "") -> int:
        document = {**self._server.keep_file(data, f"documents/{name}"), "file_name": name}
        if mime is not None:
            document["mime_type"] = mime
        return self._posts({"document": document}, caption)

    def sends(self, kind: str, caption: str = "") -> int:
        """A message of another kind: voice, video, sticker, location, …; one that nobody knows has no content."""
        content: Json = {kind: self._content(kind)}
        if kind == "animation":
            # As the real one does, for programs older than animations.
            content["document"] = {key: content[kind][key] for key in ("file_id", "file_unique_id", "file_size")}
        if kind == "venue":
            content["location"] = content[kind]["location"]
        return self._posts(content, caption)

    def edits(self, message_id: int, text: str) -> int:
        """Rewrites the words, or the caption, of a message of his."""
        message = self._server.messages[message_id]
        message = {**message, "edit_date": int(time.time()), "caption" if "photo" in message else "text": text}
        self._server.messages[message_id] = message
        self._server.inject({"edited_message": message})
        return message_id

    def taps(self, choice: str) -> str:
        """Taps a button under the newest message that has it; returns the query's id."""
        shown = next(sent for sent in reversed(self.received) if choice in dict(sent.buttons))
        query = str(self._server.number())
        below = {"message_id": shown.message_id, "date": int(time.time()), "chat": self._chat, "text": shown.text}
        self._server.inject(
            {
                "callback_query": {
                    "id": query,
                    "from": self._user,
                    "chat_instance": "1",
                    "data": choice,
                    "message": {**below, "from": self._server.bot},
                }
            }
        )
        return query

    def blocks(self) -> None:
        """From now on every message to him is refused with 403."""
        self._server.blocked.add(self.id)
        self._server.inject({"my_chat_member": self._member("kicked", "member")})

    def unblocks(self) -> None:
        self._server.blocked.discard(self.id)
        self._server.inject({"my_chat_member": self._member("member", "kicked")})

    def _member(self, new: str, old: str) -> Json:
        def state(status: str) -> Json:
            return {"user": self._server.bot, "status": status} | ({"until_date": 0} if status == "kicked" else {})

        return {
            "chat": self._chat,
            "from": self._user,
            "date": int(time.time()),
            "old_chat_member": state(old),
            "new_chat_member": state(new),
        }

    def _posts(self, content: Json, caption: str = "") -> int:
        message_id = self._server.number()
        message = {"message_id": message_id, "from": self._user, "chat": self._chat, "date": int(time.time())} | content
        if caption:
            message["caption"] = caption
        self._server.messages[message_id] = message
        self._server.inject({"message": message})
        return message_id

    def _photo(self, data: bytes, announced: int | None = None) -> Json:
        small = self._server.keep_file(data[: len(data) // 2], "photos")
        whole = self._server.keep_file(data, "photos", announced)
        return {"photo": [{**small, "width": 320, "height": 240}, {**whole, "width": 1280, "height": 960}]}

    def _content(self, kind: str) -> Json:
        place = {"latitude": 22.3, "longitude": 114.2}
        clip = {"duration": 2, "width": 240, "height": 240}
        match kind:
            case "voice" | "audio":
                return {**self._server.keep_file(b"sound", kind), "duration": 2}
            case "video" | "animation":
                return {**self._server.keep_file(b"film", kind), **clip}
            case "video_note":
                return {**self._server.keep_file(b"film", kind), "duration": 2, "length": 240}
            case "sticker":
                looks = {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}
                return {**self._server.keep_file(b"sticker", kind), **looks}
            case "location":
                return place
            case "venue":
                return {"location": place, "title": "Shop", "address": "1 Road"}
            case "contact":
                return {"phone_number": "+10000000000", "first_name": "Friend"}
            case "dice":
                return {"emoji": "🎲", "value": 4}
            case "poll":
                votes = {"total_voter_count": 0, "is_closed": False, "is_anonymous": True}
                choice = {"text": "A", "voter_count": 0, "persistent_id": "1"}
                rules = {
                    "type": "regular",
                    "allows_multiple_answers": False,
                    "allows_revoting": True,
                    "members_only": False,
                }
                return {"id": "1", "question": "?", "options": [choice], **votes, **rules}
        return {}


class TelegramServer:
    """The server of one bot. Everything below may be read by tests; nothing of it is a copy."""

    def __init__(self, token: str = "7000001:AAstand-in_for_a_secret_00000000000") -> None:
        self.token = token
        self.bot: Json = {"id": int(token.split(":")[0]), "is_bot": True, "first_name": "Shop", "username": "shop_bot"}
        #: What customers got, in the order in which it was taken.
        self.sent: list[Sent] = []
        #: Every state of every draft, and the one that each chat sees now.
        self.drafts: list[Draft] = []
        self.writing: dict[int, str] = {}
        #: Chats to which «typing» was shown.
        self.typing: list[int] = []
        #: Queries of tapped buttons that were answered.
        self.answered: list[str] = []
        #: Every request with the right token, in order.
        self.calls: list[Call] = []
        #: What no real server would have taken.
        self.problems: list[str] = []
        #: Methods that this server is too old for: 404.
        self.unsupported: set[str] = set()
        #: A webhook that another program set; while there is one, getUpdates is refused.
        self.webhook_url = ""
        self.blocked: set[int] = set()
        #: Customers' messages by id, as last edited.
        self.messages: dict[int, Json] = {}
        #: The highest update id that a question confirmed.
        self.confirmed = 0
        self._customers: dict[int, Customer] = {}
        self._files: dict[str, tuple[str, bytes, int]] = {}
        self._updates: list[Json] = []
        self._next_update = 100_000
        self._numbers = itertools.count(1)
        self._allowed = _DEFAULT_UPDATES
        self._poll: _Poll | None = None
        self._troubles: dict[str, deque[_Trouble]] = defaultdict(deque)
        self._changed = asyncio.Event()
        self._port = 0
        self._server: _Uvicorn | None = None
        self._serving: asyncio.Task[None] | None = None

    # --- the test's side

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """For ``adapters.telegram.base_url``: the token is appended to it."""
        return f"http://{self.host}/bot"

    @property
    def base_file_url(self) -> str:
        return f"http://{self.host}/file/bot"

    @property
    def waiting(self) -> list[int]:
        """Ids of updates that no question has confirmed."""
        return [update["update_id"] for update in self._updates]

    @property
    def polled(self) -> bool:
        """Whether a question for updates is held at the moment."""
        return self._poll is not None

    def customer(self, *, chat: int | None = None, language: str | None = None) -> Customer:
        """A new person, or the one of this chat."""
        id_ = 500_000 + self.number() if chat is None else chat
        return self._customers.setdefault(id_, Customer(self, id_, language))

    def group_says(self, text: str) -> None:
        """Somebody writes in a group of which the bot is a member."""
        user = {"id": 41, "is_bot": False, "first_name": "Member"}
        chat = {"id": -100_500, "type": "supergroup", "title": "Group"}
        message = {"message_id": self.number(), "from": user, "chat": chat, "date": int(time.time()), "text": text}
        self.inject({"message": message})

    def inject(self, update: Json) -> int:
        """Queues an update of any content, well-formed or not, and gives it its id; kinds not asked for are dropped."""
        if self._allowed.isdisjoint(update) and (_DEFAULT_UPDATES & update.keys()):
            return 0
        id_ = self._next_update
        self._next_update += 1
        self._updates.append({"update_id": id_, **update})
        self.touch()
        return id_

    def quiet_week(self, next_update: int) -> None:
        """After a week without updates Telegram draws the next id at random, here: this one."""
        assert not self._updates, "there are updates that wait"
        self._next_update = next_update

    def refuse(
        self, method: str, code: int, description: str, *, retry_after: int | None = None, times: int = 1
    ) -> None:
        """The next calls of a method are answered as the Bot API says no."""
        parameters = {} if retry_after is None else {"retry_after": retry_after}
        body = _no(code, description, parameters)
        self._troubles[method].extend([_Trouble(taken=False, status=code, body=body)] * times)

    def garble(self, method: str, body: bytes, *, status: int = 200, taken: bool = True, times: int = 1) -> None:
        """The next calls are answered with these bytes: a gateway's page, half a JSON document."""
        self._troubles[method].extend([_Trouble(taken=taken, status=status, body=body)] * times)

    def cut(self, method: str, *, taken: bool, times: int = 1) -> None:
        """The connection of the next calls is cut, after the request was carried out or before."""
        self._troubles[method].extend([_Trouble(taken=taken, cut=True)] * times)

    def silence(self, method: str, *, times: int = 1) -> None:
        """The next calls are carried out and never answered."""
        self._troubles[method].extend([_Trouble(taken=True, silent=True)] * times)

    def slow(self, method: str, seconds: float, *, times: int = 1) -> None:
        """The next calls are carried out and answered this much later."""
        self._troubles[method].extend([_Trouble(taken=True, slow=seconds)] * times)

    def allow(self, method: str, *, times: int = 1) -> None:
        """The next calls are carried out as ever: what is ordered after this begins after them."""
        self.slow(method, 0.0, times=times)

    async def down(self) -> None:
        """Nothing listens any more, and every open connection is cut. Updates are kept."""
        if self._server is None or self._serving is None:
            return
        self._hang_up()
        self._server.should_exit = True
        await self._serving
        self._server = self._serving = None

    async def up(self) -> None:
        """Listens, on the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            interface="asgi3",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )
        self._server = _Uvicorn(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        await self._server.listening.wait()

    async def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        """Waits until something that happens at this server makes the condition true."""
        async with asyncio.timeout(seconds):
            while not condition():
                changed = self._changed
                with contextlib.suppress(TimeoutError):
                    # Also looks by itself: a condition may ask about the other side.
                    await asyncio.wait_for(changed.wait(), 0.05)

    def count(self, method: str) -> int:
        """How often a method was called, refused calls included."""
        return sum(call.method == method for call in self.calls)

    async def __aenter__(self) -> TelegramServer:
        await self.up()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.down()

    # --- shared with the customers

    def number(self) -> int:
        """Counts messages, albums and queries of this bot."""
        return next(self._numbers)

    def keep_file(self, data: bytes, folder: str, announced: int | None = None) -> Json:
        """Keeps a customer's file; returns the part of it that stands in his message."""
        unique = f"u{self.number()}"
        file_id = f"f-{unique}"
        path = folder if "/" in folder else f"{folder}/file_{unique}.jpg"
        size = len(data) if announced is None else announced
        self._files[file_id] = (path, data, size)
        return {"file_id": file_id, "file_unique_id": unique, "file_size": size}

    def touch(self) -> None:
        """Something changed: wakes whoever waits."""
        self._changed.set()
        self._changed = asyncio.Event()

    # --- HTTP

    async def _app(self, scope: Json, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            if not message.get("more_body"):
                break
        found = re.fullmatch(r"(/file)?/bot([^/]*)/(.+)", scope["path"])
        try:
            if found is None or not re.fullmatch(r"\d+:[A-Za-z0-9_-]{30,}", found[2]):
                raise Refusal(404, "Not Found")
            if found[2] != self.token:
                raise Refusal(401, "Unauthorized")
            if found[1]:
                await self._reply(scope, receive, send, "file", lambda: self._download(found[3]))
            else:
                form, files = read_form(dict(scope["headers"]).get(b"content-type", b"").decode(), body)
                self.calls.append(Call(method=found[3], params=form))
                self.touch()
                if found[3] == "getUpdates" and not self._troubles[found[3]]:
                    answer = await self._get_updates(Form(found[3], form, files), receive)
                    if answer is not None:
                        await _respond(send, 200, _yes(answer))
                    return
                await self._reply(scope, receive, send, found[3], lambda: _yes(self._carry_out(found[3], form, files)))
        except Refusal as refusal:
            await _respond(send, refusal.code, _no(refusal.code, str(refusal), refusal.parameters))
        finally:
            self.touch()

    async def _reply(
        self, scope: Json, receive: Receive, send: Send, method: str, carry_out: Callable[[], bytes]
    ) -> None:
        """Answers a request, or does to it what was ordered."""
        trouble = self._troubles[method].popleft() if self._troubles[method] else None
        if trouble is None:
            return await _respond(send, 200, carry_out())
        body = carry_out() if trouble.taken else b""
        self.touch()
        if trouble.cut or trouble.silent:
            if trouble.cut and body and method == "file":
                await _respond(send, 200, body, only=len(body) // 2)
            if trouble.cut:
                self._hang_up(scope["client"])
            while (await receive())["type"] != "http.disconnect":
                pass
            return None
        if trouble.slow is not None:
            await asyncio.sleep(trouble.slow)
            return await _respond(send, 200, body)
        return await _respond(send, trouble.status, trouble.body)

    def _hang_up(self, client: tuple[str, int] | None = None) -> None:
        """Cuts one connection, or all."""
        assert self._server is not None
        for connection in list(self._server.server_state.connections):
            assert isinstance(connection, H11Protocol)
            if client in (None, connection.client):
                connection.transport.abort()

    def _download(self, path: str) -> bytes:
        for kept, data, _ in self._files.values():
            if kept == path:
                return data
        raise Refusal(404, "Not Found")

    # --- updates

    async def _get_updates(self, form: Form, receive: Receive) -> list[Json] | None:
        """Holds the question until there is something to tell; ``None`` when the asker went away."""
        try:
            limit, wait = self._asked(form)
        except Invalid as error:
            raise self._problem("getUpdates", str(error)) from error
        if self._poll is not None:
            self._poll.ended.set()
        poll = self._poll = _Poll()
        self.touch()
        gone = asyncio.ensure_future(receive())
        try:
            async with asyncio.timeout(wait):
                while not self._updates:
                    changed = asyncio.ensure_future(self._changed.wait())
                    ended = asyncio.ensure_future(poll.ended.wait())
                    try:
                        await asyncio.wait({gone, changed, ended}, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        changed.cancel()
                        ended.cancel()
                    if gone.done():
                        return None
                    if poll.ended.is_set():
                        raise Refusal(
                            409,
                            "Conflict: terminated by other getUpdates request; "
                            "make sure that only one bot instance is running",
                        )
        except TimeoutError:
            return []
        finally:
            gone.cancel()
            if self._poll is poll:
                self._poll = None
        return self._updates[:limit]

    def _asked(self, form: Form) -> tuple[int, int]:
        """Confirms what the question confirms; how many updates it wants and for how many seconds it may be held."""
        offset = form.integer("offset", None)
        limit = form.integer("limit", 100, least=1, most=100)
        wait = form.integer("timeout", 0, least=0, most=50)
        allowed = form.json("allowed_updates", None)
        form.done()
        if self.webhook_url:
            raise Refusal(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it first",
            )
        if allowed is not None:
            self._allowed = frozenset(allowed) or _DEFAULT_UPDATES
        self._confirm(offset)
        return limit, wait

    def _confirm(self, offset: int | None) -> None:
        """Forgets what is below the offset. One far in the future is not believed: the ids began anew meanwhile."""
        if offset is None or offset > self._next_update + 10:
            return
        self.confirmed = offset - 1
        self._updates = [update for update in self._updates if update["update_id"] >= offset]

    # --- methods

    def _carry_out(self, method: str, params: Mapping[str, str], files: Files) -> Any:
        form = Form(method, params, files)
        carry_out: dict[str, Callable[[Form], Any]] = {
            "getUpdates": lambda form: self._updates[: self._asked(form)[0]],
            "getMe": self._get_me,
            "getWebhookInfo": self._get_webhook_info,
            "deleteWebhook": self._delete_webhook,
            "sendMessage": self._send_message,
            "sendMessageDraft": self._send_message_draft,
            "sendPhoto": self._send_photo,
            "sendMediaGroup": self._send_media_group,
            "sendChatAction": self._send_chat_action,
            "editMessageText": self._edit_message_text,
            "answerCallbackQuery": self._answer_callback_query,
            "getFile": self._get_file,
        }
        if method in self.unsupported or method not in carry_out:
            raise Refusal(404, "Not Found")
        try:
            answer = carry_out[method](form)
            form.done()
        except Invalid as error:
            raise self._problem(method, str(error)) from error
        return answer

    def _problem(self, method: str, what: str) -> Refusal:
        self.problems.append(f"{method}: {what}")
        return Refusal(400, f"Bad Request: {what}")

    def _get_me(self, form: Form) -> Json:
        rights = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}
        return {**self.bot, **rights, "can_connect_to_business": False, "has_main_web_app": False}

    def _get_webhook_info(self, form: Form) -> Json:
        info: Json = {"url": self.webhook_url, "has_custom_certificate": False}
        return {**info, "pending_update_count": len(self._updates)}

    def _delete_webhook(self, form: Form) -> bool:
        if form.flag("drop_pending_updates"):
            self._updates = []
        self.webhook_url = ""
        return True

    def _send_message(self, form: Form) -> Json:
        chat = self._chat(form)
        text = form.text("text", most=4096)
        sent = Sent(chat=chat, message_id=self.number(), text=text, buttons=form.buttons())
        return self._deliver(form, sent, {"text": text})

    def _send_photo(self, form: Form) -> Json:
        chat = self._chat(form)
        data = form.file("photo", most=10 * 1024 * 1024)
        caption = form.text("caption", "", most=1024)
        shown = Sent(chat=chat, message_id=self.number(), text=caption, photos=(data,), captions=(caption,))
        content: Json = self._shown(data) | ({"caption": caption} if caption else {})
        return self._deliver(form, replace(shown, buttons=form.buttons()), content)

    def _send_media_group(self, form: Form) -> list[Json]:
        chat = self._chat(form)
        media = form.media("media")
        ids = [self.number() for _ in media]
        captions = tuple(caption for _, caption in media)
        photos = tuple(data for data, _ in media)
        self._deliver(form, Sent(chat=chat, message_id=ids[0], photos=photos, captions=captions), {})
        return [
            self._message(chat, id_, self._shown(data) | ({"caption": caption} if caption else {}))
            for id_, (data, caption) in zip(ids, media, strict=True)
        ]

    def _send_message_draft(self, form: Form) -> bool:
        chat = self._chat(form)
        draft = form.integer("draft_id", least=-(2**63), most=2**63 - 1)
        if draft == 0:
            raise Invalid("draft_id must be non-zero")
        text = form.text("text", "", most=4096)
        form.done()
        self.drafts.append(Draft(chat=chat, draft_id=draft, text=text))
        self.writing[chat] = text
        return True

    def _send_chat_action(self, form: Form) -> bool:
        chat = self._chat(form)
        if form.text("action", most=32) not in {"typing", "upload_photo"}:
            raise Invalid("wrong parameter action in request")
        form.done()
        self.typing.append(chat)
        return True

    def _edit_message_text(self, form: Form) -> Json:
        chat = self._chat(form)
        id_ = form.integer("message_id", least=1, most=2**31 - 1)
        text = form.text("text", most=4096)
        buttons = form.buttons()
        form.done()
        for at, sent in enumerate(self.sent):
            if (sent.chat, sent.message_id) == (chat, id_):
                if (sent.text, sent.buttons) == (text, buttons):
                    raise Refusal(400, "Bad Request: message is not modified")
                self.sent[at] = replace(sent, text=text, buttons=buttons)
                return self._message(chat, id_, {"text": text, "edit_date": int(time.time())})
        raise Refusal(400, "Bad Request: message to edit not found")

    def _answer_callback_query(self, form: Form) -> bool:
        query = form.text("callback_query_id", most=64)
        form.done()
        self.answered.append(query)
        return True

    def _get_file(self, form: Form) -> Json:
        file_id = form.text("file_id", most=256)
        if file_id not in self._files:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        path, data, size = self._files[file_id]
        if len(data) > _GET_FILE:
            raise Refusal(400, "Bad Request: file is too big")
        return {"file_id": file_id, "file_unique_id": file_id[2:], "file_size": size, "file_path": path}

    def _chat(self, form: Form) -> int:
        chat = form.integer("chat_id", least=-(2**52), most=2**52)
        if chat not in self._customers:
            raise Refusal(400, "Bad Request: chat not found")
        if chat in self.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        return chat

    def _deliver(self, form: Form, sent: Sent, content: Json) -> Json:
        form.done()
        self.sent.append(sent)
        self.writing.pop(sent.chat, None)
        return self._message(sent.chat, sent.message_id, content)

    def _message(self, chat: int, message_id: int, content: Json) -> Json:
        there = {"id": chat, "type": "private", "first_name": "Customer"}
        return {"message_id": message_id, "from": self.bot, "chat": there, "date": int(time.time())} | content

    def _shown(self, data: bytes) -> Json:
        return {"photo": [{**self.keep_file(data, "photos"), "width": 640, "height": 480}]}


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The test's own process keeps its signals."""
        yield


def _yes(result: Any) -> bytes:
    return json.dumps({"ok": True, "result": result}).encode()


def _no(code: int, description: str, parameters: Mapping[str, int]) -> bytes:
    answer: Json = {"ok": False, "error_code": code, "description": description}
    return json.dumps(answer | ({"parameters": dict(parameters)} if parameters else {})).encode()


async def _respond(send: Send, status: int, body: bytes, *, only: int | None = None) -> None:
    """Answers; with ``only``, breaks off after that many bytes."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body[:only], "more_body": only is not None})
