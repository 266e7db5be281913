"""Updates of the Bot API as events: every kind, and what is no customer's."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram.routes import Route
from adapters.telegram.updates import ALLOWED, event, update_id
from bot.model import Event, EventKind, PhotoRef

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def message(**content: Any) -> dict[str, Any]:
    user = {"id": 42, "is_bot": False, "first_name": "A", "language_code": "en-GB"}
    return {"message_id": 7, "date": 1_790_000_000, "chat": {"id": 42, "type": "private"}, "from": user} | content


def read(update: dict[str, Any]) -> Event | None:
    return event({"update_id": 5, **update}, account="9", now=NOW)


def said(**content: Any) -> Event:
    found = read({"message": message(**content)})
    assert found is not None
    return found


def test_words() -> None:
    found = said(text="is it blue?")
    assert found == Event(
        id="m7",
        customer=found.customer,
        at=datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC),
        text="is it blue?",
        route='{"chat":42}',
        language="en",
    )
    assert str(found.customer) == "telegram:9:42"


def test_a_photo_is_taken_in_its_largest_size_with_its_caption() -> None:
    sizes = [
        {"file_id": "middle", "file_unique_id": "m", "width": 320, "height": 240, "file_size": 99},
        {"file_id": "big", "file_unique_id": "b", "width": 1280, "height": 960, "file_size": 900},
        {"file_id": "small", "file_unique_id": "s", "width": 90, "height": 67, "file_size": 9},
    ]
    found = said(photo=sizes, caption="and this?", media_group_id="album-1")
    assert found.refs == (PhotoRef(ref="big", size=900),)
    assert (found.text, found.album, found.attachment) == ("and this?", "album-1", None)


@pytest.mark.parametrize(
    ("mime", "name", "is_photo"),
    [
        ("image/png", "x", True),
        ("image/heic", "x.heic", True),
        ("application/octet-stream", "IMG_1.HEIC", True),
        (None, "photo.JPG", True),
        ("application/pdf", "x.jpg", False),
        ("application/octet-stream", "x.zip", False),
        (None, None, False),
    ],
)
def test_an_image_sent_as_a_file_is_a_photo(mime: str | None, name: str | None, is_photo: bool) -> None:
    document = {"file_id": "d", "file_unique_id": "u"} | ({"mime_type": mime} if mime else {})
    found = said(document=document | ({"file_name": name} if name else {}), caption="here")
    assert found.refs == ((PhotoRef(ref="d"),) if is_photo else ())
    assert found.attachment == (None if is_photo else "file")
    assert found.text == "here"


@pytest.mark.parametrize(
    ("kind", "attachment"),
    [
        ("voice", "voice"),
        ("audio", "voice"),
        ("video", "video"),
        ("video_note", "video"),
        ("sticker", "sticker"),
        ("dice", "sticker"),
        ("location", "location"),
        ("contact", "other"),
        ("poll", "other"),
        ("paid_media", "other"),
        ("a_kind_of_next_year", "other"),
    ],
)
def test_every_other_kind_is_told_so_that_it_can_be_answered(kind: str, attachment: str) -> None:
    found = said(**{kind: {"duration": 1}}, caption="look")
    assert (found.kind, found.attachment, found.text) == (EventKind.MESSAGE, attachment, "look")


def test_an_animation_and_a_venue_are_not_what_they_also_carry() -> None:
    gif = {"file_id": "g", "mime_type": "image/gif"}
    assert said(animation=gif, document=gif).attachment == "video"
    assert said(animation=gif, document=gif).refs == ()
    assert said(venue={}, location={}).attachment == "location"


@pytest.mark.parametrize("what", ["pinned_message", "write_access_allowed", "successful_payment"])
def test_what_telegram_reports_is_nobodys_message(what: str) -> None:
    assert read({"message": message(**{what: {}})}) is None


@pytest.mark.parametrize("kind", ["group", "supergroup", "channel"])
def test_only_private_chats_are_customers(kind: str) -> None:
    group = {"id": -5, "type": kind}
    assert read({"message": message(chat=group, text="hi")}) is None
    assert read({"edited_message": message(chat=group, text="hi", edit_date=1)}) is None
    tap = {"id": "q", "data": "yes", "from": {"id": 42}, "message": message(chat=group, text="?")}
    assert read({"callback_query": tap}) is None


@pytest.mark.parametrize(
    "update",
    [
        {"my_chat_member": {"chat": {"id": 42, "type": "private"}, "new_chat_member": {"status": "kicked"}}},
        {"business_message": message(text="to the shop's own account")},
        {"channel_post": message(text="news")},
        {"inline_query": {"id": "1"}},
        {},
    ],
)
def test_kinds_that_were_not_asked_for_are_nobodys(update: dict[str, Any]) -> None:
    assert read(update) is None
    assert ALLOWED == ("message", "edited_message", "callback_query")


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("/start", EventKind.ENTERED, ""),
        ("/start order_12", EventKind.ENTERED, "order_12"),
        ("/start@shop_bot", EventKind.ENTERED, ""),
        ("/new", EventKind.COMMAND, "/new"),
        ("/new\nand more", EventKind.COMMAND, "/new\nand more"),
        ("/started", EventKind.COMMAND, "/started"),
        ("/usr/bin", EventKind.MESSAGE, "/usr/bin"),
        ("/退货", EventKind.MESSAGE, "/退货"),
        ("/ 100", EventKind.MESSAGE, "/ 100"),
        ("see /start", EventKind.MESSAGE, "see /start"),
    ],
)
def test_commands(text: str, kind: EventKind, words: str) -> None:
    found = said(text=text)
    assert (found.kind, found.text) == (kind, words)


def test_an_edit_names_the_message_and_is_an_event_of_its_own() -> None:
    update = {"edited_message": message(text="a red one", edit_date=1_790_000_060)}
    found = read(update)
    assert found is not None
    assert (found.kind, found.target, found.text) == (EventKind.EDITED, "m7", "a red one")
    assert found.at == datetime(2026, 9, 21, 14, 14, 20, tzinfo=UTC)
    assert found.id == "e7.1790000060.5"
    second = event({"update_id": 6, **update}, account="9", now=NOW)  # within the same second
    assert second is not None
    assert second.id != found.id


def test_an_edited_caption_keeps_its_photo() -> None:
    sizes = [{"file_id": "big", "width": 1280, "height": 960}]
    found = read({"edited_message": message(photo=sizes, caption="this one", edit_date=2)})
    assert found is not None
    assert (found.refs, found.text) == ((PhotoRef(ref="big"),), "this one")


def test_a_live_location_that_moves_is_no_edit() -> None:
    assert read({"edited_message": message(location={"live_period": 60}, edit_date=2)}) is None


def test_a_tap_is_a_choice_with_the_way_back() -> None:
    tap = {"id": "q9", "data": "red", "from": {"id": 42, "language_code": "zh-hant"}, "message": message(text="?")}
    found = read({"callback_query": tap})
    assert found is not None
    assert (found.id, found.kind, found.text, found.at) == ("cq9", EventKind.CHOICE, "red", NOW)
    assert (found.language, str(found.customer)) == ("zh", "telegram:9:42")
    assert Route.parse(found.route) == Route(chat=42, message=7, query="q9")


@pytest.mark.parametrize(
    "tap",
    [{"id": "q", "game_short_name": "g", "message": message()}, {"id": "q", "data": "x", "inline_message_id": "i"}],
)
def test_a_tap_without_data_or_chat_is_nobodys(tap: dict[str, Any]) -> None:
    assert read({"callback_query": tap}) is None


@pytest.mark.parametrize(
    ("code", "language"), [("zh", "zh"), ("zh-hans", "zh"), ("ZH-TW", "zh"), ("de", "en"), ("", None), (None, None)]
)
def test_the_language_is_the_phones(code: str | None, language: str | None) -> None:
    assert said(text="x", **{"from": {"id": 42, "language_code": code}}).language == language


def test_a_message_without_a_sender_has_no_language() -> None:
    found = message(text="x")
    del found["from"]
    assert read({"message": found}).language is None  # type: ignore[union-attr] # a message is an event


def test_text_that_no_database_takes_is_mended() -> None:
    assert said(text=json.loads('"a\\ud83d b\\u0000 \\ud83d\\udc4d"')).text == "a\ufffd b 👍"


@pytest.mark.parametrize(
    "broken",
    [
        {"message_id": "7"},
        {"message_id": True},
        {"date": None},
        {"date": 10**30},
        {"chat": {"type": "private"}},
        {"chat": "42"},
        {"text": 5},
        {"photo": [{}]},
        {"photo": [{"file_id": "x", "width": 1, "height": 1, "file_size": "many"}]},
    ],
)
def test_what_the_bot_api_does_not_send_is_an_error(broken: dict[str, Any]) -> None:
    with pytest.raises((LookupError, TypeError, ValueError, OverflowError, AttributeError)):
        said(**broken)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ALLOWED, "chat", "id"]), inner),
    max_leaves=10,
)


@given(_JSON)
def test_the_id_of_anything_is_a_number_or_nothing(update: Any) -> None:
    assert update_id(update) is None
    assert update_id({"update_id": update}) == (update if type(update) is int and update <= 2**53 else None)


@pytest.mark.parametrize(("given", "read"), [(2**53, 2**53), (2**53 + 1, None), (10**30, None)])
def test_a_number_that_no_reader_of_json_holds_is_no_id(given: int, read: int | None) -> None:
    assert update_id({"update_id": given}) == read


#: What no field of words holds: what a store could not read again, or a database not take.
NO_WORDS: list[Any] = [5, 1.5, True, ["a"], {"a": 1}]
PHOTO = [{"file_id": "f", "width": 1, "height": 1}]


@pytest.mark.parametrize("nonsense", NO_WORDS)
@pytest.mark.parametrize(
    "content",
    [
        lambda it: {"text": it},
        lambda it: {"photo": PHOTO, "caption": it},
        lambda it: {"photo": PHOTO, "media_group_id": it},
        lambda it: {"photo": [{"file_id": it, "width": 1, "height": 1}]},
        lambda it: {"document": {"file_id": it, "mime_type": "image/png"}},
        lambda it: {"document": {"file_id": "d", "mime_type": it}},
        lambda it: {"document": {"file_id": "d", "file_name": it}},
        lambda it: {"text": "a", "from": {"id": 42, "language_code": it}},
    ],
)
def test_a_field_of_words_that_holds_none_is_refused(content: Callable[[Any], dict[str, Any]], nonsense: Any) -> None:
    with pytest.raises(TypeError):
        read({"message": message(**content(nonsense))})


@pytest.mark.parametrize("nonsense", NO_WORDS)
@pytest.mark.parametrize("name", ["id", "data"])
def test_a_tap_without_words_is_refused(name: str, nonsense: Any) -> None:
    tap = {"id": "q", "from": {"id": 42}, "data": "swap", "message": message(text="a")}
    assert read({"callback_query": tap}) is not None
    with pytest.raises(TypeError):
        read({"callback_query": tap | {name: nonsense}})


def test_half_a_character_comes_into_no_field() -> None:
    half = "\ud800"
    photo = said(photo=[{"file_id": half, "width": 1, "height": 1}], caption=half, media_group_id=half)
    tap = read({"callback_query": {"id": half, "data": half, "message": message(text="a")}})
    for found in (photo, tap):
        json.dumps(dataclasses.asdict(found), default=str, ensure_ascii=False).encode()  # type: ignore[arg-type]
