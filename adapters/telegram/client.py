"""The Bot API over python-telegram-bot's ``Bot``: our calls in, the tree of :mod:`bot.errors` out.

The one module that imports the library, and only when a bot is really used: that costs 0.3 s and 9 MB.

Two things the library cannot know are settled here. Whether a request had left when its connection broke: only then may
the customer have got the message. And that no error may carry an address, since addresses carry the token.
"""

from __future__ import annotations

import asyncio
import json
import math
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputMediaPhoto
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from bot.errors import BotError, PhotoError, SendError, TryLater, Undeliverable, Unknown
from bot.model import Choice

from .errors import Conflict, Rejected, TokenRefused, Unsupported
from .pace import Pace
from .parts import Part, Pictures, Words
from .secrecy import TokenFilter
from .updates import ALLOWED

#: Most updates that Telegram hands out at once.
_BATCH = 100

#: Most seconds that Telegram's word holds a customer's replies back. A flood is over sooner; a bad answer never is.
_LONGEST_RETRY_S = 600.0

#: With these a request never left this machine, or its proxy.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)

#: What Telegram says, with 400, of a chat that cannot be written to.
_GONE = ("chat not found", "user not found", "user is deactivated", "peer_id_invalid", "input_user_deactivated")


class _Refused(TelegramError):
    """Telegram, or something on the way to it, answered with an error."""

    def __init__(self, code: int, description: str, *, retry_after: float | None, spoken: bool) -> None:
        super().__init__(description)
        self.message = description  # as it was said: the library writes the rest in lower case
        self.code = code
        self.retry_after = retry_after
        #: Whether the Bot API itself answered, and not a gateway before it.
        self.spoken = spoken


class _Cut(TelegramError):
    """There was no answer."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class _Impossible(TelegramError):
    """The request could not even be written."""


class _Request(HTTPXRequest):
    """Tells what happened before the library folds it into errors of its own."""

    def __init__(self, secret: TokenFilter, **settings: Any) -> None:
        super().__init__(**settings)
        self._secret = secret

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        # `from None` throughout: the causes name the address.
        try:
            code, payload = await super().do_request(*args, **kwargs)
        except TelegramError as error:
            cause = error.__cause__ or error
            raise _Cut(type(cause).__name__, sent=not isinstance(cause, _NOT_SENT)) from None
        except Exception as error:  # a malformed base_url, half a surrogate pair: httpx has a class for each
            raise _Impossible(type(error).__name__) from None
        if not httpx.codes.is_success(code):
            raise _refused(code, payload, self._secret)
        return code, payload

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """As the library's, but without writing the answer into the log: it holds customers' words."""
        answer = _object(payload)
        if "result" not in answer:
            raise TelegramError("the answer is not the Bot API's")
        return answer


class _Bot(Bot):
    async def raw(self, method: str, data: dict[str, Any], *, within: float) -> Any:
        """A call's plain JSON. ``get_updates`` decodes all updates at once, and fails for ever over one bad one."""
        return await self._post(method, data, read_timeout=within)


class BotApi:
    """The calls that the channel makes. All raise the tree of :mod:`bot.errors`; close with :meth:`aclose`."""

    def __init__(self, *, token: str, base_url: str, base_file_url: str, pace: Pace) -> None:
        self._pace = pace
        self._host = urlsplit(base_url).netloc or base_url
        self._files = f"{base_file_url}{token}/"
        self._secret = TokenFilter(token)
        self._secret.install()
        context = _certificates()
        self._requests = [
            _Request(
                self._secret,
                connection_pool_size=size,
                connect_timeout=5,
                read_timeout=pace.answer,
                write_timeout=pace.answer,
                media_write_timeout=60,
                pool_timeout=5,
                httpx_kwargs={"verify": context},
            )
            for size in (1, 32)
        ]
        self._bot = _Bot(
            token,
            base_url=base_url,
            base_file_url=base_file_url,
            get_updates_request=self._requests[0],
            request=self._requests[1],
        )
        self._download = httpx.AsyncClient(verify=context, timeout=httpx.Timeout(pace.answer, connect=5))

    async def aclose(self) -> None:
        await asyncio.gather(*(request.shutdown() for request in self._requests), self._download.aclose())
        self._secret.remove()

    # --- receiving

    async def updates(self, offset: int | None, wait: int) -> list[Any]:
        """Updates from ``offset`` on, which confirms all before it; held for ``wait`` seconds while there are none."""
        asked: dict[str, Any] = {"limit": _BATCH, "timeout": wait, "allowed_updates": list(ALLOWED)}
        if offset is not None:
            asked["offset"] = offset
        with self._translated("getUpdates"):
            return list(await self._bot.raw("getUpdates", asked, within=wait + self._pace.answer))

    async def delete_webhook(self) -> None:
        """Takes the webhook away and keeps the messages that wait."""
        with self._translated("deleteWebhook"):
            await self._bot.delete_webhook(drop_pending_updates=False)

    async def answer_choice(self, query: str) -> None:
        """Ends the clock on a tapped button."""
        with self._translated("answerCallbackQuery"):
            await self._bot.answer_callback_query(query)

    async def file(self, ref: str, most: int) -> bytes:
        """The bytes of a customer's file, ``most`` of them at the utmost.

        Raises :class:`PhotoError` when there is no such file or it is too big, :class:`TryLater` otherwise.
        """
        try:
            with self._translated("getFile"):
                found = await self._bot.raw("getFile", {"file_id": ref}, within=self._pace.answer)
        except Rejected as error:
            too_big = "too big" in error.description.lower()
            raise PhotoError("too_big" if too_big else "broken", str(error)) from error
        except TryLater:
            raise
        except SendError as error:
            raise TryLater(str(error), seconds=self._pace.not_now) from error
        path = found.get("file_path") if isinstance(found, dict) else None
        if not isinstance(path, str):
            raise PhotoError("broken", f"{self._host} keeps no file under the photo's id")
        if isinstance(size := found.get("file_size"), int) and size > most:
            raise PhotoError("too_big", f"the photo has {size} bytes; at most {most} are taken")
        return await self._fetched(path, most)

    async def _fetched(self, path: str, most: int) -> bytes:
        data = bytearray()
        try:
            async with self._download.stream("GET", self._files + quote(path)) as answer:
                if answer.status_code in {httpx.codes.NOT_FOUND, httpx.codes.GONE}:
                    raise PhotoError("broken", f"{self._host} has no file where it said")
                if not answer.is_success:
                    raise TryLater(
                        f"{self._host} answered a download with {answer.status_code}", seconds=self._pace.not_now
                    )
                async for chunk in answer.aiter_bytes():
                    data += chunk
                    if len(data) > most:
                        raise PhotoError("too_big", f"the photo has more than {most} bytes")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # `from None`: the cause names the address.
            raise TryLater(
                f"a photo could not be loaded from {self._host} ({type(error).__name__})", seconds=self._pace.not_now
            ) from None
        return bytes(data)

    # --- sending

    async def deliver(self, chat: int, part: Part) -> None:
        """Sends one message, or one album."""
        match part:
            case Words(text=text, choices=choices):
                with self._translated("sendMessage"):
                    await self._bot.send_message(chat, text, reply_markup=_keyboard(choices))
            case Pictures(items=(only,)):
                with self._translated("sendPhoto"):
                    await self._bot.send_photo(chat, only.data, caption=only.caption or None, filename="photo.jpg")
            case Pictures(items=items):
                media = [
                    InputMediaPhoto(item.data, caption=item.caption or None, filename="photo.jpg") for item in items
                ]
                with self._translated("sendMediaGroup"):
                    await self._bot.send_media_group(chat, media)

    async def typing(self, chat: int) -> None:
        with self._translated("sendChatAction"):
            await self._bot.send_chat_action(chat, "typing")

    async def draft(self, chat: int, draft: int, text: str) -> None:
        """Shows a text as being written. Raises :class:`Unsupported` where the server is older than drafts."""
        with self._translated("sendMessageDraft", optional=True):
            await self._bot.send_message_draft(chat, draft, text)

    # --- asking about the bot

    async def me(self) -> dict[str, Any]:
        with self._translated("getMe"):
            return dict(await self._bot.raw("getMe", {}, within=self._pace.answer))

    async def webhook(self) -> dict[str, Any]:
        with self._translated("getWebhookInfo"):
            return dict(await self._bot.raw("getWebhookInfo", {}, within=self._pace.answer))

    @contextmanager
    def _translated(self, method: str, *, optional: bool = False) -> Iterator[None]:
        """Vendor's errors into ours, with the server's own words."""
        try:
            yield
        except _Cut as error:
            if error.sent:
                raise Unknown(
                    f"{self._host} did not answer {method} ({error}); it may have been carried out"
                ) from error
            raise TryLater(
                f"{self._host} cannot be reached ({error}); is the network up, and is base_url right?",
                seconds=self._pace.unreachable,
            ) from error
        except _Refused as error:
            raise self._error(error, method, optional=optional) from error
        except _Impossible as error:
            raise Rejected(f"{method} could not be written ({error}); is base_url right?", description="") from error
        except TelegramError as error:
            # A success that cannot be read: it was carried out, if it was the Bot API that answered.
            raise Unknown(f"{self._host} answered {method} unreadably; it may have been carried out") from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # The same, found out by the library while it decodes the answer.
            raise Unknown(f"{self._host} answered {method} in an unknown form; it was carried out") from error

    def _error(self, error: _Refused, method: str, *, optional: bool) -> BotError:
        words = str(error)
        says = f"{self._host} answered {method} with {error.code}: {words}"
        if error.retry_after is not None or error.code == httpx.codes.TOO_MANY_REQUESTS:
            return TryLater(says, seconds=error.retry_after or self._pace.not_now)
        if optional and error.code == httpx.codes.NOT_FOUND:
            return Unsupported(says)
        if not error.spoken:
            if error.code >= httpx.codes.INTERNAL_SERVER_ERROR and error.code != httpx.codes.SERVICE_UNAVAILABLE:
                return Unknown(f"{says}; a gateway cannot know whether it was carried out")
            return TryLater(f"{says}; that is not the Bot API: is base_url right?", seconds=self._pace.not_now)
        match error.code:
            case httpx.codes.UNAUTHORIZED | httpx.codes.NOT_FOUND:
                # 404 is the answer to a token that does not even look like one.
                mend = "put the bot's current token (from @BotFather) into the variable that token_env names"
                return TokenRefused(f"{says}; {mend}", seconds=self._pace.token_refused)
            case httpx.codes.FORBIDDEN:
                return Undeliverable(says)
            case httpx.codes.CONFLICT if method == "getUpdates":
                return Conflict(says, webhook="webhook" in words.lower())
            case httpx.codes.BAD_REQUEST if any(sign in words.lower() for sign in _GONE):
                return Undeliverable(says)
            case code if code >= httpx.codes.INTERNAL_SERVER_ERROR:
                return TryLater(
                    says, seconds=self._pace.not_now
                )  # «ok: false» is Telegram's word that it did not do it
        return Rejected(says, description=words)


@cache
def _certificates() -> ssl.SSLContext:
    """Read once: it takes some 50 ms and 2 MB."""
    return httpx.create_ssl_context()


def _refused(code: int, payload: bytes, secret: TokenFilter) -> _Refused:
    """An error as the Bot API writes it: {"ok": false, "description": …, "parameters": {"retry_after": seconds}}."""
    answer = _object(payload)
    parameters = answer.get("parameters")
    return _Refused(
        code,
        secret.scrub(str(answer.get("description") or "no reason given")),
        retry_after=_pause(parameters.get("retry_after")) if isinstance(parameters, dict) else None,
        spoken=answer.get("ok") is False,
    )


def _pause(seconds: object) -> float | None:
    """A pause that was asked for, as far as one can be waited for; ``None`` when it is none."""
    if not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        return None
    return float(min(seconds, _LONGEST_RETRY_S))


def _object(payload: bytes) -> dict[str, Any]:
    """A JSON object; empty when it is none."""
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _keyboard(choices: Sequence[Choice]) -> InlineKeyboardMarkup | None:
    if not choices:
        return None
    return InlineKeyboardMarkup([[InlineKeyboardButton(choice.label, callback_data=choice.id)] for choice in choices])
