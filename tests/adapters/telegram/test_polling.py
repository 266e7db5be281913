"""The stream of updates against a real HTTP server: nothing lost, nothing confirmed too early."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from adapters.telegram import TelegramAdapter
from adapters.telegram.pace import Backoff, Pace
from adapters.telegram.polling import Polling
from bot.errors import StorageError, TryLater
from bot.model import EventKind
from tests.fakes.loop import Hurried
from tests.fakes.telegram import TelegramServer

from .stage import PACE, Inbox, make, running


def noted(said: set[str | None], adapter: TelegramAdapter) -> bool:
    """Adds what ``ready`` says to what it said before."""
    said.add(adapter.ready())
    return True


async def test_a_message_arrives_with_its_chat_and_language(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    anna = telegram.customer(language="zh-hans")
    async with running(adapter, inbox):
        message = anna.says("杯子还有吗？")
        await telegram.until(lambda: inbox.events)
    event = inbox.events[0]
    assert event.id == f"m{message}"
    assert str(event.customer) == f"telegram:7000001:{anna.id}"
    assert (event.text, event.language, event.kind) == ("杯子还有吗？", "zh", EventKind.MESSAGE)


async def test_messages_that_waited_are_taken_in_order(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    anna = telegram.customer()
    for number in range(120):  # more than Telegram hands out at once
        anna.says(str(number))
    async with running(adapter, inbox):
        await telegram.until(lambda: len(inbox.events) == 120)
    assert inbox.texts == [str(number) for number in range(120)]


async def test_an_update_is_confirmed_only_after_it_was_kept(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    inbox.refusals = [StorageError("the disk is full"), RuntimeError("a bug")]
    waiting_at_refusal: list[list[int]] = []
    anna = telegram.customer()
    anna.says("one")
    anna.says("two")
    async with running(adapter, inbox):
        await telegram.until(lambda: inbox.deliveries == 2)
        waiting_at_refusal.append(telegram.waiting)
        await telegram.until(lambda: inbox.deliveries == 3 and not telegram.waiting)
    assert len(waiting_at_refusal[0]) == 2
    assert inbox.texts == ["one", "two"]
    assert inbox.mark == str(telegram.confirmed)


async def test_ready_says_why_messages_are_not_kept_and_quotes_only_our_own_errors(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    inbox.refusals = [StorageError("the disk is full")] * 3 + [RuntimeError("INSERT … 'my address'")] * 3
    telegram.customer().says("my address")
    said: set[str | None] = set()
    async with running(adapter, inbox):
        await telegram.until(lambda: noted(said, adapter) and not telegram.waiting)
        await telegram.until(lambda: adapter.ready() is None)
    assert "messages wait at Telegram because they cannot be stored: the disk is full" in said
    assert not any(words and "my address" in words for words in said)


async def test_a_restart_goes_on_after_the_committed_mark(telegram: TelegramServer, inbox: Inbox) -> None:
    anna = telegram.customer()
    first = make(telegram, inbox)
    async with running(first, inbox):
        anna.says("one")
        await telegram.until(lambda: inbox.events)
    anna.says("two")
    second = make(telegram, inbox)
    async with running(second, inbox):
        await telegram.until(lambda: len(inbox.events) == 2)
    assert inbox.texts == ["one", "two"]
    assert inbox.deliveries == 2  # what the mark covers was not even sent again


async def test_a_kill_between_commit_and_confirmation_repeats_the_update_under_the_same_id(
    telegram: TelegramServer, inbox: Inbox
) -> None:
    anna = telegram.customer()
    anna.says("one")
    killed = make(telegram, inbox)
    telegram.cut("getUpdates", taken=True)
    async with running(killed, inbox):
        await telegram.until(lambda: inbox.events)
    inbox.marks.clear()  # the mark of a copy of the database that is older than the events
    again = make(telegram, inbox)
    async with running(again, inbox):
        await telegram.until(lambda: inbox.deliveries == 2 or not telegram.waiting)
    assert inbox.texts == ["one"]


async def test_ids_that_begin_anew_after_a_quiet_week_are_taken(telegram: TelegramServer, inbox: Inbox) -> None:
    inbox.mark = "900000"
    telegram.quiet_week(next_update=77)
    adapter = make(telegram, inbox)
    async with running(adapter, inbox):
        telegram.customer().says("hello")
        await telegram.until(lambda: inbox.events and not telegram.waiting)
    assert inbox.mark == "77"


async def test_another_bot_of_the_same_shop_begins_anew(telegram: TelegramServer, inbox: Inbox) -> None:
    telegram.customer().says("hello")
    inbox.marks["telegram", "12"] = str(telegram.waiting[-1])
    async with running(make(telegram, inbox), inbox):
        await telegram.until(lambda: inbox.events)
    assert "offset" not in telegram.calls[0].params


async def test_a_poison_update_is_skipped_and_confirmed_with_the_rest(
    telegram: TelegramServer,
    adapter: TelegramAdapter,
    inbox: Inbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    anna = telegram.customer()
    anna.says("before")
    poison = telegram.inject({"message": {"text": "my secret", "chat": "nonsense"}})
    telegram.inject({"message": {"message_id": 1, "chat": {"id": 1, "type": "private"}, "date": 10**30, "text": "x"}})
    telegram.inject({"message": None})
    anna.says("after")
    async with running(adapter, inbox):
        await telegram.until(lambda: len(inbox.events) == 2 and not telegram.waiting)
    assert inbox.texts == ["before", "after"]
    assert f"update {poison} cannot be read" in caplog.text
    assert "my secret" not in caplog.text


class Quoting(dict[str, Any]):
    """An update that breaks under the reader, in an error that says what stands in it."""

    def __getitem__(self, key: str) -> Any:
        raise ValueError(f"{key} is not {self.get(key)!r}")


async def test_an_unreadable_update_is_told_of_without_the_words_of_its_error(
    inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    source = Line(0, updates=[Quoting(update_id=7, message={"text": "my address"})])
    polling = Polling(source, account="7000001", stored=inbox.stored, pace=PACE)
    task = asyncio.create_task(polling.run(inbox))
    await source.over.wait()
    task.cancel()
    await asyncio.wait([task])
    assert "update 7 cannot be read (ValueError)" in caplog.text
    assert "my address" not in caplog.text
    assert inbox.mark == "7"


async def test_updates_of_nobody_move_the_mark(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    telegram.group_says("hello all")
    async with running(adapter, inbox):
        await telegram.until(lambda: not telegram.waiting)
    assert inbox.events == []
    assert inbox.mark == str(telegram.confirmed)


async def test_updates_without_ids_are_a_trouble_and_not_a_crash(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    telegram.garble("getUpdates", b'{"ok": true, "result": [{"message": {}}, 5, {"update_id": true}]}', taken=False)
    telegram.garble("getUpdates", b'{"ok": true, "result": {"update_id": 1}}', taken=False)
    said: set[str | None] = set()
    async with running(adapter, inbox):
        await telegram.until(lambda: noted(said, adapter) and telegram.count("getUpdates") > 2)
        await telegram.until(lambda: adapter.ready() is None)
    assert "Telegram sends updates without ids, which cannot be confirmed" in said
    assert inbox.deliveries == 0


async def test_an_id_beyond_all_others_does_not_become_the_mark(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    telegram.garble("getUpdates", b'{"ok": true, "result": [{"update_id": 1%s}]}' % (b"0" * 30), taken=False)
    said: set[str | None] = set()
    async with running(adapter, inbox):
        await telegram.until(lambda: noted(said, adapter) and telegram.count("getUpdates") > 1)
        telegram.customer().says("still here")
        await telegram.until(lambda: inbox.events)
    assert "Telegram sends updates without ids, which cannot be confirmed" in said
    assert inbox.texts == ["still here"]


async def test_only_what_we_read_is_asked_for(telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox) -> None:
    async with running(adapter, inbox):
        await telegram.until(lambda: adapter.ready() is None)
    assert telegram.calls[0].params["allowed_updates"] == '["message", "edited_message", "callback_query"]'


async def test_the_first_question_is_answered_at_once_and_the_next_is_held(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    assert adapter.ready() == "Telegram is not polled yet"
    async with running(adapter, inbox):
        await telegram.until(lambda: telegram.count("getUpdates") == 2)
        assert adapter.ready() is None
    assert [call.params["timeout"] for call in telegram.calls] == ["0", "1"]
    assert adapter.ready() == "Telegram is not polled any more"


async def test_after_a_failure_the_next_question_is_answered_at_once_again(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    """One soon knows that the channel works again, though nobody writes."""
    telegram.allow("getUpdates")
    telegram.refuse("getUpdates", 500, "Internal Server Error")
    async with running(adapter, inbox):
        await telegram.until(lambda: telegram.count("getUpdates") == 4)
    assert [call.params["timeout"] for call in telegram.calls] == ["0", "1", "0", "1"]


async def test_a_lost_network_loses_nothing(telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox) -> None:
    anna = telegram.customer()
    async with running(adapter, inbox):
        anna.says("one")
        await telegram.until(lambda: inbox.events)
        await telegram.down()
        await telegram.until(lambda: adapter.ready() is not None)
        trouble = adapter.ready()
        anna.says("two")
        await telegram.up()
        await telegram.until(lambda: len(inbox.events) == 2)
        await telegram.until(lambda: adapter.ready() is None)
    assert trouble is not None
    assert trouble.startswith("Telegram does not give messages: 127.0.0.1")
    assert inbox.texts == ["one", "two"]


@pytest.mark.parametrize(
    ("code", "words"), [(500, "Internal Server Error"), (429, "Too Many Requests: retry later"), (400, "Bad Request")]
)
async def test_a_refused_question_is_asked_again(
    telegram: TelegramServer,
    adapter: TelegramAdapter,
    inbox: Inbox,
    caplog: pytest.LogCaptureFixture,
    code: int,
    words: str,
) -> None:
    telegram.refuse("getUpdates", code, words, retry_after=1 if code == 429 else None)
    telegram.customer().says("one")
    async with running(adapter, inbox):
        await telegram.until(lambda: inbox.events)
    assert f"Telegram does not give messages: {telegram.host} answered getUpdates with {code}: " in caplog.text
    assert words in caplog.text


@pytest.mark.parametrize("body", [b"<html>login to this network</html>", b"[]", b'{"ok": true}', b"[" * 100_000])
async def test_an_answer_that_is_not_the_bot_apis_is_survived(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox, body: bytes
) -> None:
    telegram.garble("getUpdates", body, taken=False)
    telegram.garble("getUpdates", body, taken=False, status=502)
    telegram.customer().says("one")
    async with running(adapter, inbox):
        await telegram.until(lambda: inbox.events)


async def test_a_second_poller_is_told_in_plain_words_and_outlived(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    url = f"{telegram.base_url}{telegram.token}/getUpdates"
    async with running(adapter, inbox), httpx.AsyncClient() as other:
        await telegram.until(lambda: telegram.polled)
        await other.post(url, data={"timeout": "0"})
        await telegram.until(lambda: adapter.ready() is not None)
        assert "another program polls Telegram with the same token" in str(adapter.ready())
        telegram.customer().says("still here")
        await telegram.until(lambda: inbox.events)
        await telegram.until(lambda: adapter.ready() is None)


async def test_a_webhook_is_removed_once_and_its_messages_are_kept(
    telegram: TelegramServer,
    adapter: TelegramAdapter,
    inbox: Inbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    telegram.webhook_url = "https://elsewhere.example/hook/secret"
    telegram.customer().says("waiting")
    async with running(adapter, inbox):
        await telegram.until(lambda: inbox.events)
        assert "a webhook was set for this bot; it is removed" in caplog.text
        telegram.webhook_url = "https://elsewhere.example/hook/secret"
        await telegram.until(lambda: adapter.ready() is not None)
        assert "another program sets a webhook" in str(adapter.ready())
        asked = telegram.count("getUpdates")
        await telegram.until(lambda: telegram.count("getUpdates") > asked + 1)
    assert telegram.count("deleteWebhook") == 1
    assert "hook/secret" not in caplog.text


async def test_a_webhook_that_cannot_be_removed_is_a_trouble(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    telegram.webhook_url = "https://elsewhere.example/hook"
    telegram.refuse("deleteWebhook", 500, "Internal Server Error", times=2)
    said: set[str | None] = set()
    async with running(adapter, inbox):
        await telegram.until(lambda: noted(said, adapter) and adapter.ready() is None)
    assert any(words and "a webhook is set for this bot and cannot be removed" in words for words in said)
    assert telegram.count("deleteWebhook") == 3


@pytest.mark.parametrize("token", ["7000001:AArevoked_00000000000000000000000000", "no token at all"])
async def test_a_refused_token_is_said(telegram: TelegramServer, inbox: Inbox, token: str) -> None:
    adapter = make(telegram, inbox, token=token)
    async with running(adapter, inbox):
        await telegram.until(lambda: "refuses the token" in str(adapter.ready()))
        assert "token_env" in str(adapter.ready())
        assert token not in str(adapter.ready())


async def test_an_unreadable_mark_is_asked_for_again(telegram: TelegramServer, inbox: Inbox) -> None:
    failures = [StorageError("the database is locked")]

    class Forgetful(Inbox):
        async def stored(self, channel: str, account: str) -> str | None:
            if failures:
                raise failures.pop()
            return "99999"

    forgetful = Forgetful()
    adapter = make(telegram, forgetful)
    async with running(adapter, forgetful):
        await telegram.until(lambda: adapter.ready() is None)
    assert telegram.calls[0].params["offset"] == "100000"


async def test_cancelling_ends_a_held_question_within_a_second(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    task = asyncio.create_task(adapter.run(inbox))
    await telegram.until(lambda: telegram.polled)
    task.cancel()
    started = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 1  # the promise itself, not a figure of this machine
    await telegram.until(lambda: not telegram.polled)


async def test_a_tap_is_thanked_after_it_was_kept(
    telegram: TelegramServer, adapter: TelegramAdapter, inbox: Inbox
) -> None:
    anna = telegram.customer()
    async with running(adapter, inbox), httpx.AsyncClient() as client:
        keyboard = '{"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]}'
        asked = {"chat_id": str(anna.id), "text": "Sure?", "reply_markup": keyboard}
        await client.post(f"{telegram.base_url}{telegram.token}/sendMessage", data=asked)
        inbox.refusals = [StorageError("the disk is full")]
        telegram.refuse("answerCallbackQuery", 400, "Bad Request: query is too old")
        anna.taps("yes")
        await telegram.until(lambda: telegram.count("answerCallbackQuery") == 1)
        assert inbox.texts == ["yes"]
        query = anna.taps("yes")
        await telegram.until(lambda: telegram.answered)
    assert telegram.answered == [query]
    assert [event.kind for event in inbox.events] == [EventKind.CHOICE] * 2


def test_waits_between_tries_grow_to_a_ceiling_and_begin_anew() -> None:
    backoff = Backoff(1.0, 8.0)
    for whole in (1, 2, 4, 8, 8):
        assert whole / 2 <= backoff.wait() <= whole
    backoff.reset()
    assert backoff.wait() <= 1


class Line:
    """A source that fails as often as it is told, one success between two rows of failures.

    It gives ``updates`` with each success; when there is no more to answer, it is over.
    """

    def __init__(self, *rows: int, updates: Sequence[Any] = ()) -> None:
        self._answers = [answer for row in rows for answer in [*[False] * row, True]]
        self._updates = updates
        self.over = asyncio.Event()

    async def updates(self, offset: int | None, wait: int) -> list[Any]:
        if not self._answers:
            self.over.set()
            await asyncio.Event().wait()
        if not self._answers.pop(0):
            raise TryLater("the line is dead", seconds=0)
        return [*self._updates]

    async def delete_webhook(self) -> None: ...

    async def answer_choice(self, query: str) -> None: ...


def test_a_line_that_came_back_and_fails_again_is_tried_again_soon() -> None:
    loop = Hurried()

    async def polls() -> None:
        inbox, source = Inbox(), Line(5, 2)
        pace = Pace(first_retry=1.0, last_retry=60.0)
        polling = Polling(source, account="7", stored=inbox.stored, pace=pace)
        task = asyncio.create_task(polling.run(inbox))
        await source.over.wait()
        task.cancel()
        await asyncio.wait([task])

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(polls())
    waits = [wait for wait in loop.waits if wait]
    assert [round(math.log2(wait) + 0.5) for wait in waits] == [0, 1, 2, 3, 4, 0, 1], waits
