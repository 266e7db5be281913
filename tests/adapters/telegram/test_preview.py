"""Courtesies while an answer is made: typing, drafts, the notice. They never fail and never come after the answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from adapters.telegram import TelegramAdapter
from adapters.telegram.drafts import Drafts
from adapters.telegram.errors import Unsupported
from bot.errors import TryLater
from bot.model import Customer
from tests.fakes.telegram import Customer as Visitor
from tests.fakes.telegram import TelegramServer

from .stage import PACE, Inbox, make, outgoing, person, running


def sees(customer: Visitor, text: str) -> bool:
    return customer.draft == text


UNTIL = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NOBODY = Customer(channel="telegram", account="1", id="not a chat")


async def test_typing_is_shown(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    anna = telegram.customer()
    await adapter.thinking(person(anna.id), "")
    assert telegram.typing == [anna.id]


async def test_a_preview_grows_in_one_draft_until_the_answer_takes_its_place(
    telegram: TelegramServer, adapter: TelegramAdapter
) -> None:
    anna = telegram.customer()
    for text in ("有的。", "有的。红色", "有的。红色还剩三件。"):
        await adapter.preview(person(anna.id), "", text)
        await telegram.until(partial(sees, anna, text))
    await adapter.send(outgoing(person(anna.id), "有的。红色还剩三件。"))
    assert anna.draft is None
    assert len({draft.draft_id for draft in telegram.drafts}) == 1
    await adapter.preview(person(anna.id), "", "另一个回答")
    await telegram.until(lambda: anna.draft == "另一个回答")
    assert len({draft.draft_id for draft in telegram.drafts}) == 2


async def test_a_draft_of_a_turn_that_ended_without_a_reply_is_not_shown_again(
    telegram: TelegramServer, adapter: TelegramAdapter
) -> None:
    anna = telegram.customer()
    await adapter.preview(person(anna.id), "", "有的。")
    await telegram.until(partial(sees, anna, "有的。"))
    await adapter.over(person(anna.id))
    assert adapter._drafts._drafts == {}
    await adapter.over(NOBODY)


async def test_only_the_newest_of_a_flood_is_shown(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    anna, ben = telegram.customer(), telegram.customer()
    telegram.slow("sendMessageDraft", 0.2)
    for length in range(1, 50):
        await adapter.preview(person(anna.id), "", "x" * length)
        await adapter.preview(person(ben.id), "", "y" * length)
        await asyncio.sleep(0.001)
    await telegram.until(lambda: anna.draft == "x" * 49 and ben.draft == "y" * 49)
    assert len(telegram.drafts) < 60


async def test_nothing_is_shown_after_the_answer(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    anna = telegram.customer()
    telegram.silence("sendMessageDraft")
    before = asyncio.all_tasks()
    await adapter.preview(person(anna.id), "", "有")
    [showing] = asyncio.all_tasks() - before
    await telegram.until(lambda: telegram.drafts)
    await adapter.preview(person(anna.id), "", "有的")
    await adapter.send(outgoing(person(anna.id), "有的。"))
    await asyncio.wait([showing])  # whatever it would still show, it has shown now
    assert [call.method for call in telegram.calls] == ["sendMessageDraft", "sendMessage"]


async def test_a_server_without_drafts_is_asked_once(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    anna = telegram.customer()
    telegram.unsupported.add("sendMessageDraft")
    await adapter.preview(person(anna.id), "", "一")
    await telegram.until(lambda: telegram.count("sendMessageDraft") == 1)
    await asyncio.sleep(5 * PACE.preview)
    await adapter.preview(person(anna.id), "", "二")
    await adapter.send(outgoing(person(anna.id), "好。"))
    await adapter.preview(person(anna.id), "", "三")
    await asyncio.sleep(5 * PACE.preview)
    assert telegram.count("sendMessageDraft") == 1
    assert adapter.ready() == "Telegram is not polled yet"  # a 404 here says nothing about the token


async def test_a_flood_limit_silences_previews_for_as_long_as_telegram_says(
    telegram: TelegramServer, adapter: TelegramAdapter
) -> None:
    anna = telegram.customer()
    telegram.refuse("sendMessageDraft", 429, "Too Many Requests", retry_after=60)
    await adapter.preview(person(anna.id), "", "一")
    await telegram.until(lambda: telegram.count("sendMessageDraft") == 1)
    await adapter.preview(person(anna.id), "", "二")
    await asyncio.sleep(5 * PACE.preview)
    assert telegram.count("sendMessageDraft") == 1
    await adapter.send(outgoing(person(anna.id), "好。"))  # the answer itself is not held up
    assert [sent.text for sent in anna.received] == ["好。"]


async def test_a_preview_that_failed_is_followed_by_the_next(
    telegram: TelegramServer, adapter: TelegramAdapter
) -> None:
    anna = telegram.customer()
    telegram.cut("sendMessageDraft", taken=False)
    await adapter.preview(person(anna.id), "", "一")
    await telegram.until(lambda: telegram.count("sendMessageDraft") == 1)
    await adapter.preview(person(anna.id), "", "二")
    await telegram.until(lambda: anna.draft == "二")


async def test_a_draft_is_shown_again_before_it_vanishes(telegram: TelegramServer, inbox: Inbox) -> None:
    anna = telegram.customer()
    adapter = make(telegram, inbox, pace=replace(PACE, preview_again=0))
    await adapter.thinking(person(anna.id), "")  # there is nothing to keep yet
    await adapter.preview(person(anna.id), "", "一")
    await telegram.until(lambda: len(telegram.drafts) == 1)
    await asyncio.sleep(5 * PACE.preview)
    await adapter.thinking(person(anna.id), "")
    await telegram.until(lambda: len(telegram.drafts) == 2)
    assert telegram.drafts[0] == telegram.drafts[1]


async def test_a_fresh_draft_is_not_shown_again(telegram: TelegramServer, inbox: Inbox) -> None:
    anna = telegram.customer()
    adapter = make(telegram, inbox, pace=replace(PACE, preview_again=3600))
    await adapter.preview(person(anna.id), "", "一")
    await telegram.until(lambda: telegram.drafts)
    await adapter.thinking(person(anna.id), "")
    await asyncio.sleep(5 * PACE.preview)
    assert len(telegram.drafts) == 1


async def test_a_long_preview_shows_its_first_message(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    anna = telegram.customer()
    await adapter.preview(person(anna.id), "", "好" * 5000)
    await telegram.until(lambda: anna.draft == "好" * 4096)


async def test_a_blank_preview_is_none(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    await adapter.preview(person(telegram.customer().id), "", " ")
    await asyncio.sleep(5 * PACE.preview)
    assert telegram.calls == []


async def test_a_notice_is_a_message(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    anna = telegram.customer()
    await adapter.notice(person(anna.id), "", "大约需要 40 秒。", UNTIL, 0)
    assert [sent.text for sent in anna.received] == ["大约需要 40 秒。"]


async def test_courtesies_never_fail(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    anna = telegram.customer()
    anna.blocks()
    for customer in (person(anna.id), NOBODY):
        await adapter.thinking(customer, "")
        await adapter.preview(customer, "", "一")
        await adapter.notice(customer, "", "大约需要 40 秒。", UNTIL, 0)
    await telegram.until(lambda: telegram.count("sendMessageDraft") == 1)
    await telegram.down()
    await adapter.thinking(person(anna.id), "")
    await adapter.preview(person(anna.id), "", "二")
    await adapter.notice(person(anna.id), "", "大约需要 40 秒。", UNTIL, 0)


async def test_stopping_ends_what_is_being_shown(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    telegram.slow("sendMessageDraft", 5)
    async with running(adapter, inbox):
        await adapter.preview(person(telegram.customer().id), "", "一")
        await telegram.until(lambda: telegram.drafts)
    assert {task for task in asyncio.all_tasks() if "_follow" in repr(task)} == set()


async def test_states_keep_a_pause_between_them() -> None:
    shown: list[str] = []
    blocked = asyncio.Event()

    async def show(chat: int, draft: int, text: str) -> None:
        assert (chat, draft > 0) == (5, True)
        shown.append(text)
        if text == "b":
            blocked.set()
            raise TryLater("not now", seconds=0)

    drafts = Drafts(show, PACE)
    drafts.write(5, "a")
    drafts.write(5, "b")
    await asyncio.wait_for(blocked.wait(), 5)
    drafts.write(5, "c")
    assert shown == ["b"]  # the first was overtaken before it began; the third waits for its turn
    await asyncio.sleep(5 * PACE.preview)
    assert shown == ["b", "c"]
    await drafts.aclose()


async def test_drafts_are_off_for_the_rest_of_the_run_once_they_are_unknown() -> None:
    async def show(chat: int, draft: int, text: str) -> None:
        raise Unsupported("Not Found")

    drafts = Drafts(show, PACE)
    before = asyncio.all_tasks()
    drafts.write(5, "a")
    await asyncio.gather(*(asyncio.all_tasks() - before))
    drafts.write(5, "b")
    drafts.write(6, "c")
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("route", ["{}", "no json"])
async def test_a_route_that_nobody_wrote_is_not_shown(adapter: TelegramAdapter, route: str) -> None:
    await adapter.preview(person(1), route, "一")
    await adapter.thinking(person(1), route)
