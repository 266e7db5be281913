"""What ``doctor`` says of the channel, in words for the owner."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.telegram import TelegramAdapter
from adapters.telegram.check import findings
from tests.fakes.telegram import TelegramServer

from .stage import Inbox, make


async def test_a_good_token_and_what_polling_means(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    telegram.customer().says("hello")
    found = await adapter.check()
    assert all(finding.ok for finding in found)
    said = "\n".join(finding.what for finding in found)
    assert "the bot is @shop_bot" in said
    assert "no webhook is set, as polling needs it; 1 message waits at Telegram" in said
    assert "behind a home router" in said
    assert "one program per token" in said
    assert telegram.count("getUpdates") == 0  # it would cut off a bot that is running
    assert telegram.waiting


async def test_a_refused_token_names_the_way_out(telegram: TelegramServer, inbox: Inbox) -> None:
    (finding,) = await make(telegram, inbox, token="1:AAwrong_000000000000000000000000000000").check()
    assert not finding.ok
    assert "refuses the token" in finding.what
    assert "@BotFather" in finding.fix


async def test_a_server_out_of_reach_names_the_way_out(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    await telegram.down()
    (finding,) = await adapter.check()
    assert not finding.ok
    assert "does not answer" in finding.what
    assert "HTTPS_PROXY" in finding.fix


async def test_a_webhook_is_told_and_left(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    telegram.webhook_url = "https://elsewhere.example/secret"
    found = await adapter.check()
    (bad,) = [finding for finding in found if not finding.ok]
    assert bad.what == "a webhook is set, so polling gets nothing; 0 messages wait at Telegram"
    assert "`run` removes it" in bad.fix
    assert telegram.webhook_url


async def test_a_webhooks_last_failure_is_told_with_its_age() -> None:
    class Source:
        async def me(self) -> dict[str, Any]:
            return {"id": 5}

        async def webhook(self) -> dict[str, Any]:
            return {"url": "x", "pending_update_count": 2, "last_error_date": 1, "last_error_message": "timed out"}

    found = await findings(Source())
    assert "the bot is @5; private chats need no rights" in found[0].what
    assert found[1].what.endswith("min ago: timed out")
    assert "2 messages wait" in found[1].what


@pytest.mark.parametrize("method", ["getMe", "getWebhookInfo"])
async def test_an_answer_in_an_unknown_form_is_no_crash(
    telegram: TelegramServer, adapter: TelegramAdapter, method: str
) -> None:
    telegram.garble(method, b'{"ok": true, "result": 5}', taken=False)
    (finding,) = await adapter.check()
    assert not finding.ok
