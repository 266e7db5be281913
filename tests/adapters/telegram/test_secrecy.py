"""Neither the token nor a customer's words reach a log or an error, whatever goes wrong."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable

import pytest

from adapters.telegram import TelegramAdapter
from adapters.telegram.secrecy import TokenFilter
from bot.errors import BotError
from bot.model import Choice
from tests.fakes.telegram import TelegramServer

from .stage import Inbox, Shelf, make, outgoing, person, running

WORDS = "a customer's own words"


async def test_nothing_secret_is_logged_at_debug(
    telegram: TelegramServer,
    adapter: TelegramAdapter,
    inbox: Inbox,
    shelf: Shelf,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    shelf.pictures = {"aa": b"jpeg"}
    anna = telegram.customer()
    page = f"<html>GET /bot{telegram.token}/sendMessage {WORDS}</html>".encode()
    async with running(adapter, inbox):
        anna.sends_photo(b"picture", WORDS)
        await telegram.until(lambda: inbox.events)
        await adapter.fetch(inbox.events[0], inbox.events[0].refs[0])
        await adapter.preview(person(anna.id), "", WORDS)
        await telegram.until(lambda: telegram.drafts)
        await adapter.send(outgoing(person(anna.id), WORDS, photos=["aa"], choices=[Choice(id="y", label=WORDS)]))
        anna.taps("y")
        await telegram.until(lambda: telegram.answered)
        for status in (200, 302, 404, 502):
            telegram.garble("sendMessage", page, status=status, taken=False)
            with pytest.raises(BotError):
                await adapter.send(outgoing(person(anna.id), WORDS, id_=status))
        telegram.garble("getUpdates", page, taken=False)
        telegram.refuse("getUpdates", 400, f"Bad Request: {telegram.token}")
        telegram.inject({"message": {"text": WORDS}})
        await telegram.until(lambda: not telegram.waiting)
        await telegram.down()
        await telegram.until(lambda: adapter.ready() is not None)
        await telegram.up()
    await adapter.check()
    assert "HTTP Request" in caplog.text  # httpx does log addresses, without the token
    assert telegram.token not in caplog.text
    assert WORDS not in caplog.text


@pytest.mark.parametrize("trouble", ["cut", "down", "page", "refused", "no address", "file cut", "file page"])
async def test_no_error_carries_the_token(
    telegram: TelegramServer, inbox: Inbox, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    anna = telegram.customer()
    anna.sends_photo(b"picture")
    adapter = make(telegram, inbox)
    async with running(adapter, inbox):
        await telegram.until(lambda: inbox.events)
    event = inbox.events[0]
    page = f"/bot{telegram.token}/".encode()
    match trouble:
        case "cut":
            telegram.cut("sendMessage", taken=False)
        case "down":
            await telegram.down()
        case "page":
            telegram.garble("sendMessage", page, status=502)
        case "refused":
            telegram.refuse("sendMessage", 400, f"Bad Request: {telegram.token}")
        case "no address":
            adapter = TelegramAdapter(
                token=telegram.token,
                store_mark=inbox.stored,
                read_photo=Shelf().read,
                read_picture=Shelf().read,
                base_url="http://127.0.0.1:1",
                base_file_url="http://127.0.0.1:1",
            )
        case "file cut":
            telegram.cut("file", taken=True)
        case "file page":
            telegram.garble("file", page, status=502)
    fails: Awaitable[object] = (
        adapter.fetch(event, event.refs[0])
        if trouble.startswith("file")
        else adapter.send(outgoing(person(anna.id), "hello"))
    )
    with pytest.raises(BotError) as caught:
        await fails
    logging.getLogger("test").error("as a log shows it", exc_info=caught.value)
    whole = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert telegram.token not in whole


def test_the_filter_is_removed_with_its_bot(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    logger = logging.getLogger("httpx")
    secret = TokenFilter("12:secret")
    secret.install()
    logger.info("POST %s", "https://host/bot12:secret/getMe")
    logger.info("nothing %s", "here")
    secret.remove()
    assert [record.getMessage() for record in caplog.records] == ["POST https://host/bot<token>/getMe", "nothing here"]
    assert secret not in logger.filters
