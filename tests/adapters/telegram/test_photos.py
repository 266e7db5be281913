"""Photos are loaded from Telegram, never more of them than is allowed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.telegram import TelegramAdapter
from bot.errors import PhotoError, TryLater
from bot.model import Event, PhotoRef
from tests.fakes.telegram import TelegramServer

from .stage import PACE, Inbox, make, running

JPEG = b"\xff\xd8" + bytes(range(256)) * 40


async def arrived(telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox, count: int = 1) -> list[Event]:
    async with running(adapter, inbox):
        await telegram.until(lambda: len(inbox.events) == count)
    return inbox.events


async def test_a_photo_is_loaded_whole(telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox) -> None:
    telegram.customer().sends_photo(JPEG, "这是什么？")
    (event,) = await arrived(telegram, adapter, inbox)
    assert event.text == "这是什么？"
    assert await adapter.fetch(event, event.refs[0]) == JPEG


async def test_an_album_is_single_events_that_share_its_id(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    telegram.customer().sends_album([JPEG, JPEG + b"2", JPEG + b"3"], "选哪个？")
    events = await arrived(telegram, adapter, inbox, 3)
    assert [event.text for event in events] == ["选哪个？", "", ""]
    assert len({event.album for event in events}) == 1
    assert events[0].album is not None
    assert [await adapter.fetch(event, event.refs[0]) for event in events] == [JPEG, JPEG + b"2", JPEG + b"3"]


async def test_an_image_sent_as_a_file_is_loaded(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    telegram.customer().sends_file(JPEG, "照片 1%#?.png", "image/png")
    (event,) = await arrived(telegram, adapter, inbox)
    assert await adapter.fetch(event, event.refs[0]) == JPEG


async def test_an_announced_size_beyond_the_cap_is_not_even_asked_for(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    telegram.customer().sends_photo(JPEG, announced=1_000_001)
    (event,) = await arrived(telegram, adapter, inbox)
    with pytest.raises(PhotoError, match="1000001 bytes") as caught:
        await adapter.fetch(event, event.refs[0])
    assert caught.value.reason == "too_big"
    assert telegram.count("getFile") == 0
    with pytest.raises(PhotoError, match="1000001 bytes"):  # nor loaded when only getFile tells
        await adapter.fetch(event, replace(event.refs[0], size=None))
    assert telegram.count("getFile") == 1


async def test_a_file_that_is_bigger_than_announced_is_not_loaded_to_the_end(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    telegram.customer().sends_photo(b"x" * 1_000_001, announced=10)
    (event,) = await arrived(telegram, adapter, inbox)
    with pytest.raises(PhotoError, match="more than 1000000 bytes") as caught:
        await adapter.fetch(event, event.refs[0])
    assert caught.value.reason == "too_big"


async def test_a_photo_of_just_the_cap_is_loaded(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    telegram.customer().sends_photo(b"x" * 1_000_000)
    (event,) = await arrived(telegram, adapter, inbox)
    assert len(await adapter.fetch(event, event.refs[0])) == 1_000_000


async def test_a_file_that_telegram_finds_too_big_is_too_big(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    telegram.customer().sends_photo(JPEG)
    telegram.refuse("getFile", 400, "Bad Request: file is too big")
    (event,) = await arrived(telegram, adapter, inbox)
    with pytest.raises(PhotoError) as caught:
        await adapter.fetch(event, event.refs[0])
    assert caught.value.reason == "too_big"


async def test_an_unknown_file_is_broken(telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox) -> None:
    telegram.customer().says("hello")
    (event,) = await arrived(telegram, adapter, inbox)
    with pytest.raises(PhotoError) as caught:
        await adapter.fetch(event, PhotoRef(ref="unheard-of"))
    assert caught.value.reason == "broken"


@pytest.mark.parametrize("answer", [b'{"ok": true, "result": {"file_id": "f"}}', b'{"ok": true, "result": true}'])
async def test_a_file_without_a_path_is_broken(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox, answer: bytes
) -> None:
    telegram.customer().sends_photo(JPEG)
    telegram.garble("getFile", answer)
    (event,) = await arrived(telegram, adapter, inbox)
    with pytest.raises(PhotoError) as caught:
        await adapter.fetch(event, event.refs[0])
    assert caught.value.reason == "broken"


async def test_a_file_that_is_not_where_telegram_said_is_broken(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    telegram.customer().sends_photo(JPEG)
    telegram.refuse("file", 404, "Not Found")
    (event,) = await arrived(telegram, adapter, inbox)
    with pytest.raises(PhotoError) as caught:
        await adapter.fetch(event, event.refs[0])
    assert caught.value.reason == "broken"


@pytest.mark.parametrize("method", ["getFile", "file"])
@pytest.mark.parametrize("trouble", ["cut", "cut halfway", "refused", "gateway"])
async def test_what_may_pass_is_tried_later(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox, method: str, trouble: str
) -> None:
    telegram.customer().sends_photo(JPEG)
    (event,) = await arrived(telegram, adapter, inbox)
    match trouble:
        case "refused":
            telegram.refuse(method, 500, "Internal Server Error")
        case "gateway":
            telegram.garble(method, b"<html></html>", status=502)
        case _:
            telegram.cut(method, taken=trouble == "cut halfway")
    with pytest.raises(TryLater):
        await adapter.fetch(event, event.refs[0])
    assert await adapter.fetch(event, event.refs[0]) == JPEG


async def test_a_photo_waits_for_a_right_token(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    telegram.customer().sends_photo(JPEG)
    telegram.refuse("getFile", 401, "Unauthorized")
    (event,) = await arrived(telegram, adapter, inbox)
    with pytest.raises(TryLater, match="token_env"):
        await adapter.fetch(event, event.refs[0])


async def test_a_download_that_crawls_is_given_up(telegram: TelegramServer, inbox: Inbox) -> None:
    adapter = make(telegram, inbox, pace=replace(PACE, download=0.1))
    telegram.customer().sends_photo(JPEG)
    telegram.slow("file", 3)
    (event,) = await arrived(telegram, adapter, inbox)
    with pytest.raises(TryLater, match=r"within 0\.1 s"):
        await adapter.fetch(event, event.refs[0])
