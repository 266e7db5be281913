"""An update of the Bot API, as JSON, becomes an :class:`~bot.model.Event`. Pure.

**Ids.** Update ids are drawn anew after a quiet week, so they cannot name an event for ever; message ids count up in a
private chat and never return: ``m7`` is message 7. They begin anew with another bot, which is another account and thus
another customer. A message may be edited twice within the second that ``edit_date`` resolves, so an edit carries its
update's id too (``e7.1790000000.41``); the same update delivered twice keeps it. ``c…`` is a tap on a button, by its
query's id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from bot.model import Customer, Event, EventKind, Language, PhotoRef

from .routes import Route

CHANNEL = "telegram"

#: What Telegram is asked for. It delivers nothing else, whatever an earlier program asked for.
ALLOWED = ("message", "edited_message", "callback_query")

Json = Mapping[str, Any]

#: No update id is above it: up to here every JSON reader holds a whole number exactly. A higher one, once committed as
#: the mark, would have Telegram skip all that customers write from then on.
_MOST_ID = 2**53

#: Kinds of message that hold neither words nor a photo, and what the core calls them. The order matters: an animation
#: is told as a document too, a venue as a location.
_ATTACHMENTS = {
    "voice": "voice",
    "audio": "voice",
    "video": "video",
    "video_note": "video",
    "animation": "video",
    "sticker": "sticker",
    "dice": "sticker",
    "venue": "location",
    "location": "location",
    "document": "file",
}

#: Messages that nobody wrote: Telegram tells what happened in the chat.
_SERVICE = frozenset(
    """
    boost_added chat_background_set chat_owner_changed chat_owner_left chat_shared checklist_tasks_added
    checklist_tasks_done connected_website direct_message_price_changed forum_topic_closed forum_topic_created
    forum_topic_edited forum_topic_reopened gift gift_upgrade_sent giveaway_completed giveaway_created
    managed_bot_created message_auto_delete_timer_changed paid_message_price_changed passport_data
    pinned_message poll_option_added poll_option_deleted proximity_alert_triggered refunded_payment
    successful_payment suggested_post_approval_failed suggested_post_approved suggested_post_declined
    suggested_post_paid suggested_post_refunded unique_gift users_shared video_chat_ended
    video_chat_participants_invited video_chat_scheduled video_chat_started write_access_allowed
    """.split()
)

_PICTURE_NAMES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"}
)

#: A bot command stands first and alone in its word: «/start», «/help@name topic»; «/usr/bin» and «/退货» are words.
_COMMAND = re.compile(r"/(?P<name>[A-Za-z0-9_]{1,32})(?:@\w+)?(?:\s+(?P<rest>.*))?\Z", re.DOTALL)


def update_id(update: object) -> int | None:
    """The id by which an update is confirmed, or ``None`` when it has none."""
    found = update.get("update_id") if isinstance(update, Mapping) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and found <= _MOST_ID else None


def event(update: Json, *, account: str, now: datetime) -> Event | None:
    """What an update tells of a customer; ``None`` when it is none of a customer's.

    Groups and channels, what Telegram itself reports, and kinds that were not asked for are nobody's. ``account`` is
    the bot's own id; ``now`` dates a tap, which carries no time. Raises :class:`LookupError`, :class:`TypeError`,
    :class:`ValueError` or :class:`OverflowError` on what the Bot API does not send.
    """
    if "message" in update:
        return _message(update["message"], account)
    if "edited_message" in update:
        return _edited(update["edited_message"], account, update["update_id"])
    if "callback_query" in update:
        return _choice(update["callback_query"], account, now)
    return None


def _message(message: Json, account: str) -> Event | None:
    if message["chat"]["type"] != "private" or not _SERVICE.isdisjoint(message):
        return None
    text = _words(message.get("text") or message.get("caption") or "")
    kind = EventKind.MESSAGE
    if command := _COMMAND.match(text):
        kind = EventKind.COMMAND
        if command["name"] == "start":
            # A link «t.me/bot?start=WORD» opens the chat with a word; that word is all there is to read.
            kind, text = EventKind.ENTERED, command["rest"] or ""
    refs, album = _refs(message), message.get("media_group_id")
    return Event(
        id=f"m{_int(message['message_id'])}",
        customer=_customer(message["chat"], account),
        at=_time(message["date"]),
        kind=kind,
        text=text,
        refs=refs,
        attachment=None if refs else _attachment(message),
        album=None if album is None else _words(album),
        route=str(Route(chat=_int(message["chat"]["id"]))),
        language=_language(message.get("from")),
    )


def _edited(message: Json, account: str, update: int) -> Event | None:
    written = _message(message, account)
    if written is None or written.attachment == "location":
        return None  # a shared live location moves by «edits», every few seconds
    edited = _int(message["edit_date"])
    return Event(
        id=f"e{_int(message['message_id'])}.{edited}.{_int(update)}",
        customer=written.customer,
        at=_time(edited),
        kind=EventKind.EDITED,
        text=written.text,
        refs=written.refs,
        attachment=written.attachment,
        route=written.route,
        language=written.language,
        target=written.id,
    )


def _choice(query: Json, account: str, now: datetime) -> Event | None:
    message = query.get("message")
    if message is None or message["chat"]["type"] != "private" or "data" not in query:
        return None
    tap = _words(query["id"])
    route = Route(chat=_int(message["chat"]["id"]), message=_int(message["message_id"]), query=tap)
    return Event(
        id=f"c{tap}",
        customer=_customer(message["chat"], account),
        at=now,
        kind=EventKind.CHOICE,
        text=_words(query["data"]),
        route=str(route),
        language=_language(query.get("from")),
    )


def _customer(chat: Json, account: str) -> Customer:
    return Customer(channel=CHANNEL, account=account, id=str(_int(chat["id"])))


def _refs(message: Json) -> tuple[PhotoRef, ...]:
    """The photo of a message in its largest size, or an image that was sent as a file."""
    sizes: Sequence[Json] = message.get("photo") or ()
    if sizes:
        return (_ref(max(sizes, key=lambda size: _int(size["width"]) * _int(size["height"]))),)
    document = message.get("document")
    if document is not None and "animation" not in message and _is_picture(document):
        return (_ref(document),)
    return ()


def _ref(file: Json) -> PhotoRef:
    size = file.get("file_size")
    return PhotoRef(ref=_words(file["file_id"]), size=None if size is None else _int(size))


def _is_picture(document: Json) -> bool:
    """By its type; by its name where a phone did not know the type (HEIC comes as octet-stream)."""
    mime = _words(document.get("mime_type") or "")
    if mime and mime != "application/octet-stream":
        return mime.startswith("image/")
    return PurePath(_words(document.get("file_name") or "")).suffix.lower() in _PICTURE_NAMES


def _attachment(message: Json) -> str | None:
    """What a message brings that is neither words nor a photo. A kind that we do not know is still answered."""
    for kind, name in _ATTACHMENTS.items():
        if kind in message:
            return name
    return None if "text" in message else "other"


def _language(user: Json | None) -> Language | None:
    code = (user or {}).get("language_code")
    if not code:
        return None
    return "zh" if _words(code).lower().startswith("zh") else "en"


def _words(text: object) -> str:
    """Text that every database takes: half a surrogate pair cannot be written as UTF-8, a NUL not into PostgreSQL."""
    if not isinstance(text, str):
        raise TypeError("words were expected")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "")


def _time(seconds: object) -> datetime:
    return datetime.fromtimestamp(_int(seconds), UTC)


def _int(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("a whole number was expected")
    return value
