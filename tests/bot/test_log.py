"""Logs: no secret leaves through them, and every line says which message it is about."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from bot import address, log, server
from bot.model import Customer, Event
from storage.store import open_store

TOKEN = "123456:AAE-x_y9"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    names = ("bot", "adapters", "inference", "storage", "uvicorn", "uvicorn.error", "websockets")
    kept = root.handlers[:], root.level, {name: logging.getLogger(name).level for name in names}
    yield
    root.handlers[:] = kept[0]
    root.setLevel(kept[1])
    for name, level in kept[2].items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        (f"GET https://api.telegram.org/bot{TOKEN}/getMe", "GET https://api.telegram.org/bot***/getMe"),
        (f"https://x/file/bot{TOKEN}/photos/1.jpg", "https://x/file/bot***/photos/1.jpg"),
        ("cgi-bin/kf?access_token=abc&x=1", "cgi-bin/kf?access_token=***&x=1"),
        ("gettoken?corpid=w1&corpsecret=s3cr3t", "gettoken?corpid=w1&corpsecret=***"),
        ("url='https://x?TOKEN=abc'", "url='https://x?TOKEN=***'"),
        ("secret=a key=b", "secret=*** key=***"),
        ("nothing to hide, monkey business", "nothing to hide, monkey business"),
    ],
)
def test_secrets_in_addresses_are_scrubbed(said: str, written: str) -> None:
    assert log.scrub(said) == written


@pytest.mark.parametrize("form", ["console", "json"])
def test_secrets_are_scrubbed_from_messages_and_from_traces(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", form)  # type: ignore[arg-type]
    try:
        raise ValueError(f"https://x/bot{TOKEN}/sendMessage failed")
    except ValueError:
        logging.getLogger("bot.test").exception("calling %s", f"https://x/bot{TOKEN}/getMe")
    written = capsys.readouterr().err
    assert TOKEN not in written
    assert "bot***/getMe" in written
    assert "bot***/sendMessage" in written
    assert "ValueError" in written


def test_json_lines_are_whole_and_carry_the_id(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json")
    with log.following("update-7"):
        logging.getLogger("bot.intake").warning("你好 %d", 3)
    row = json.loads(capsys.readouterr().err)
    assert row.pop("at").endswith("+00:00")
    assert row == {"level": "warning", "logger": "bot.intake", "id": "update-7", "message": "你好 3"}


async def test_an_id_follows_into_tasks_that_start_inside_and_ends_with_the_block(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.configure("info", "console")

    async def inner() -> None:
        logging.getLogger("bot.x").info("inside")

    with log.following("a"):
        task = asyncio.create_task(inner())
        with log.following("b"):
            logging.getLogger("bot.x").info("nested")
        logging.getLogger("bot.x").info("again")
    await task
    logging.getLogger("bot.x").info("after")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "bot.x [b] nested",
        "bot.x [a] again",
        "bot.x [a] inside",
        "bot.x [-] after",
    ]


def test_libraries_are_heard_from_warning_on_unless_debug_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "console")
    logging.getLogger("a.library").info("quiet")
    logging.getLogger("a.library").warning("loud")
    logging.getLogger("storage.x").info("ours")
    logging.getLogger("bot").debug("quiet")
    written = capsys.readouterr().err
    assert "quiet" not in written
    assert "warning: loud" in written
    assert "ours" in written
    log.configure("debug", "console")
    logging.getLogger("a.library").debug("deep")
    assert "debug: deep" in capsys.readouterr().err


async def test_what_customers_write_is_in_no_log_at_any_level(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure("debug", "console")
    logging.getLogger("a.library").debug("deep")
    canary = "梧桐路十七号"

    async def page(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

    with address.bound("127.0.0.1", 0) as sock:
        served = server.serving(Starlette(routes=[WebSocketRoute("/ws", page)]), sock)
        async with served, connect(f"ws://127.0.0.1:{sock.getsockname()[1]}/ws", proxy=None) as line:
            await line.send(canary)
            assert await line.recv() == canary
    async with open_store(database) as store:
        me = Customer(channel="test", account="local", id="me")
        await store.accept([Event(id="e1", customer=me, at=datetime.now(UTC), text=canary)])
        assert [event.text for event in await store.events(me)] == [canary]
    written = capsys.readouterr().err
    assert "deep" in written
    assert canary not in written
    assert repr(canary.encode())[2:-1] not in written
    assert ascii(canary)[1:-1] not in written


@pytest.mark.parametrize(("level", "heard"), [("info", False), ("debug", True)])
def test_who_talks_too_much_is_heard_like_other_libraries(
    level: str, heard: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure(level, "console")
    logging.getLogger("uvicorn.error").info("started")
    assert ("started" in capsys.readouterr().err) == heard
