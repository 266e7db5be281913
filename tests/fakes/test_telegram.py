"""The stand-in is as strict as what it stands for, and speaks as the library reads."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from telegram import TelegramObject, Update

from .telegram import TelegramServer

KINDS = [
    "voice",
    "audio",
    "video",
    "video_note",
    "animation",
    "sticker",
    "location",
    "venue",
    "contact",
    "dice",
    "poll",
]


async def call(server: TelegramServer, method: str, **params: object) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        data = {key: value if isinstance(value, str) else json.dumps(value) for key, value in params.items()}
        answer = await client.post(f"{server.base_url}{server.token}/{method}", data=data)
    body: dict[str, Any] = answer.json()
    assert body["ok"] is (answer.status_code == 200)
    return body


async def test_its_updates_hold_nothing_that_the_library_does_not_know() -> None:
    def unknown(value: object) -> list[object]:
        if isinstance(value, TelegramObject):
            inner = [unknown(getattr(value, name)) for name in value.__slots__ if not name.startswith("_")]
            return [*value.api_kwargs, *(one for part in inner for one in part)]
        return [one for item in value for one in unknown(item)] if isinstance(value, tuple) else []

    async with TelegramServer() as server:
        anna = server.customer(language="zh-hans")
        anna.starts("word")
        anna.edits(anna.says("hello"), "hello again")
        anna.edits(anna.sends_photo(b"picture", "caption"), "another caption")
        anna.sends_album([b"picture", b"picture"], "caption")
        anna.sends_file(b"picture", "x.png", "image/png")
        for kind in KINDS:
            anna.sends(kind)
        markup = {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]}
        await call(server, "sendMessage", chat_id=anna.id, text="Sure?", reply_markup=markup)
        anna.taps("yes")
        anna.blocks()
        server.group_says("hello all")
        for update in (await call(server, "getUpdates"))["result"]:
            read = Update.de_json(update, None)
            assert unknown(read) == []
            message = read.message or read.edited_message
            assert message is None or message.text or message.effective_attachment


@pytest.mark.parametrize(
    ("method", "params", "why"),
    [
        ("sendMessage", {"text": "x"}, "chat_id is missing"),
        ("sendMessage", {"chat_id": "anna", "text": "x"}, "chat_id is not a number"),
        ("sendMessage", {"text": " "}, "text is empty"),
        ("sendMessage", {"text": "好" * 4097}, "4097 of 4096 UTF-16 units"),
        ("sendMessage", {"text": "👍" * 2048 + "x"}, "4097 of 4096 UTF-16 units"),
        ("sendMessage", {"text": "x", "colour": "red"}, "does not know ['colour']"),
        ("sendMessage", {"text": "x", "reply_markup": "{"}, "no JSON"),
        ("sendMessage", {"text": "x", "reply_markup": {"inline_keyboard": []}}, "1 to 100 buttons"),
        (
            "sendMessage",
            {"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "y", "callback_data": "好" * 22}]]}},
            "1 to 64 bytes",
        ),
        ("sendPhoto", {"caption": "x"}, "no uploaded file"),
        ("sendMediaGroup", {"media": []}, "2 to 10"),
        ("sendMessageDraft", {"draft_id": 0, "text": "x"}, "non-zero"),
        ("sendChatAction", {"action": "sleeping"}, "wrong parameter action"),
        ("getUpdates", {"limit": 101}, "limit is 101"),
        ("deleteWebhook", {"drop_pending_updates": "maybe"}, "no truth value"),
    ],
)
async def test_what_no_real_server_takes_is_a_problem(method: str, params: dict[str, Any], why: str) -> None:
    async with TelegramServer() as server:
        anna = server.customer()
        if method.startswith("send") and why != "chat_id is missing":
            params = {"chat_id": anna.id, **params}
        answer = await call(server, method, **params)
    assert answer["error_code"] == 400
    assert why in answer["description"]
    assert server.problems == [f"{method}: {answer['description'].removeprefix('Bad Request: ')}"]
    assert (server.sent, server.drafts, server.typing) == ([], [], [])


async def test_tokens_and_methods_are_told_apart() -> None:
    async with TelegramServer() as server, httpx.AsyncClient() as client:
        wrong = "7:" + "A" * 35
        codes = [
            (await client.post(f"http://{server.host}/{path}")).status_code
            for path in (f"bot{wrong}/getMe", "botnonsense/getMe", f"bot{server.token}/flyToTheMoon", "elsewhere")
        ]
    assert codes == [401, 404, 404, 404]


async def test_updates_come_again_until_a_higher_offset_confirms_them() -> None:
    async with TelegramServer() as server:
        anna = server.customer()
        anna.says("one")
        anna.says("two")
        first = await call(server, "getUpdates", timeout=5)
        assert await call(server, "getUpdates") == first
        ids = [update["update_id"] for update in first["result"]]
        assert server.waiting == ids
        rest = await call(server, "getUpdates", offset=ids[1])
        assert [update["update_id"] for update in rest["result"]] == ids[1:]
        assert (await call(server, "getUpdates", offset=ids[1] + 1))["result"] == []
        assert server.confirmed == ids[1]


async def test_a_second_question_ends_the_first() -> None:
    async with TelegramServer() as server:
        first = asyncio.create_task(call(server, "getUpdates", timeout=30))
        await server.until(lambda: server.polled)
        assert (await call(server, "getUpdates"))["ok"]
        assert (await first)["error_code"] == 409


async def test_a_held_question_is_answered_by_news_and_by_time() -> None:
    async with TelegramServer() as server:
        held = asyncio.create_task(call(server, "getUpdates", timeout=30))
        await server.until(lambda: server.polled)
        server.customer().says("news")
        (update,) = (await held)["result"]
        assert (await call(server, "getUpdates", timeout=1, offset=update["update_id"] + 1))["result"] == []
        assert not server.polled


async def test_kinds_that_were_not_asked_for_are_not_queued() -> None:
    async with TelegramServer() as server:
        await call(server, "getUpdates", allowed_updates=["message"])
        anna = server.customer()
        anna.edits(anna.says("one"), "two")
        assert len(server.waiting) == 1


async def test_a_message_can_be_edited_but_not_to_the_same_words() -> None:
    async with TelegramServer() as server:
        anna = server.customer()
        sent = await call(server, "sendMessage", chat_id=anna.id, text="one")
        edit = {"chat_id": anna.id, "message_id": sent["result"]["message_id"], "text": "two"}
        assert (await call(server, "editMessageText", **edit))["ok"]
        assert [message.text for message in anna.received] == ["two"]
        assert "not modified" in (await call(server, "editMessageText", **edit))["description"]
        assert "not found" in (await call(server, "editMessageText", **{**edit, "message_id": 999}))["description"]


async def test_a_big_file_is_not_handed_out() -> None:
    async with TelegramServer() as server:
        server.customer().sends_file(b"x" * (20 * 1024 * 1024 + 1), "x.png", "image/png")
        (update,) = (await call(server, "getUpdates"))["result"]
        answer = await call(server, "getFile", file_id=update["message"]["document"]["file_id"])
    assert "file is too big" in answer["description"]


async def test_deleting_a_webhook_drops_what_waits_only_when_told_so() -> None:
    async with TelegramServer() as server:
        server.webhook_url = "https://elsewhere.example/"
        server.customer().says("one")
        assert (await call(server, "getUpdates"))["error_code"] == 409
        assert (await call(server, "getWebhookInfo"))["result"]["pending_update_count"] == 1
        await call(server, "deleteWebhook")
        assert len(server.waiting) == 1
        await call(server, "deleteWebhook", drop_pending_updates=True)
        assert server.waiting == []
