"""What becomes of a burst: the turn that the model reads, and the fixed sentences that are said before its answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.burst import MOST_PHOTOS, MOST_WORDS, turn
from bot.model import Customer, Event, EventKind, Photo

ME = Customer(channel="web", account="default", id="me")
RED, BLUE = (Photo(sha256=sign * 64, media_type="image/jpeg", width=64, height=64) for sign in "ab")


def event(id_: str, text: str = "", kind: EventKind = EventKind.MESSAGE, **fields: Any) -> Event:
    return Event(id=id_, customer=ME, at=datetime.now(UTC), kind=kind, text=text, **fields)


def edit(target: str, text: str = "", **fields: Any) -> Event:
    return event(f"edit of {target}", text, EventKind.EDITED, target=target, **fields)


def recall(target: str) -> Event:
    return event(f"recall of {target}", kind=EventKind.RECALLED, target=target)


def body(*events: Event) -> list[str | Photo]:
    return turn(events, "zh")[0]


def said(*events: Event) -> list[str]:
    return turn(events, "zh")[1]


def test_photos_stand_before_words_and_blank_words_are_none() -> None:
    assert body(event("1", " 这个 "), event("2", " \n", photos=(RED,)), event("3", "多少钱")) == [RED, "这个\n多少钱"]
    assert turn([event("1", " ")], "zh") == ([], [])


def test_the_last_edit_counts_and_stands_where_the_message_stood() -> None:
    first, second = event("1", "多少前"), event("2", "包邮吗")
    assert body(first, second, edit("1", "多少"), replace(edit("1", "多少钱"), id="later")) == ["多少钱\n包邮吗"]


def test_an_edit_of_what_was_answered_before_is_a_message_of_its_own() -> None:
    assert body(edit("long ago", "红色的", photos=(RED,)), event("2", "有吗")) == [RED, "红色的\n有吗"]


def test_what_was_recalled_is_gone_with_its_edits() -> None:
    assert turn([event("1", "错了", photos=(RED,), faults=("broken",)), recall("1")], "zh") == ([], [])
    assert body(event("1", "错了"), edit("1", "又错了"), recall("1"), event("2", "在吗")) == ["在吗"]
    assert turn([recall("long ago")], "zh") == ([], [])


def test_an_edit_of_the_words_leaves_the_photo_and_what_was_wrong_with_another() -> None:
    first = event("1", "多少前", photos=(RED,), faults=("broken",))
    assert turn([first, edit("1", "多少钱")], "zh") == ([RED, "多少钱"], ["photo.broken"])


def test_an_edit_with_another_photo_takes_the_old_one_and_its_fault_away() -> None:
    first = event("1", "这个", photos=(RED,), faults=("broken",))
    assert turn([first, edit("1", "这个", photos=(BLUE,))], "zh") == ([BLUE, "这个"], [])
    assert said(first, edit("1", "这个", faults=("too_small",))) == ["photo.too_small"]


@pytest.mark.parametrize(
    ("spoken", "key"),
    [
        (event("1", kind=EventKind.ENTERED), "answer.greeting"),
        (event("1", "/start", EventKind.COMMAND), "answer.greeting"),
        (event("1", attachment="voice"), "unsupported.voice"),
        (event("1", attachment="hologram"), "unsupported.other"),
        (event("1", faults=("gone",)), "photo.gone"),
    ],
)
def test_what_a_rule_answers_needs_no_model(spoken: Event, key: str) -> None:
    assert turn([spoken], "zh") == ([], [key])


def test_a_photo_under_a_command_is_a_photo_and_no_greeting() -> None:
    assert turn([event("1", "/start", EventKind.COMMAND, photos=(RED,))], "zh") == ([RED], [])


def test_a_choice_is_what_it_says() -> None:
    assert body(event("1", "转人工", EventKind.CHOICE)) == ["转人工"]


@pytest.mark.parametrize("kind", [EventKind.STAFF_SPOKE, EventKind.SEND_FAILED])
def test_what_the_customer_did_not_say_is_not_read(kind: EventKind) -> None:
    assert turn([event("1", "别的话", kind, photos=(RED,))], "zh") == ([], [])


def test_a_sentence_is_said_once_and_what_was_cut_comes_last() -> None:
    events = [
        event("1", "长" * MOST_WORDS + "尾", attachment="voice"),
        event("2", attachment="voice", faults=("broken", "broken")),
        event("3", photos=(RED,) * (MOST_PHOTOS + 1)),
    ]
    assert turn(events, "zh") == (
        [*[RED] * MOST_PHOTOS, "长" * MOST_WORDS],
        ["unsupported.voice", "photo.broken", "photo.too_many", "answer.too_long"],
    )


def test_as_much_as_is_read_is_not_cut() -> None:
    whole = [event("1", "长" * MOST_WORDS, photos=(RED,) * MOST_PHOTOS)]
    assert turn(whole, "zh") == ([*[RED] * MOST_PHOTOS, "长" * MOST_WORDS], [])


@pytest.mark.parametrize(
    "text",
    [
        "👍",
        "😊😊",
        "👍🏻 ❤️",
        "👨‍👩‍👧",
        "🇨🇳",
        "🏴\U000e0067\U000e0062\U000e007f",
        "⭐⭕",
        "☀",
        "➿",
        "[微笑]",
        "[OK][呲牙]",
        "[破涕为笑破涕为笑]",
    ],
)
def test_emoji_alone_are_no_question(text: str) -> None:
    assert turn([event("1", text)], "zh") == ([], ["unsupported.sticker"])
    assert turn([event("1", text, photos=(RED,))], "zh") == ([RED, text], []), "a photo is one"
    assert body(event("1", text), event("2", "在吗")) == [f"{text}\n在吗"]


@pytest.mark.parametrize(
    "text", ["？", "1", "👍好", "[红色的还有没有现货]", "…", "+1", "✅", "❌", "❓", "❤️1", "1️⃣", "[1]", "[]"]
)
def test_signs_and_figures_are_words(text: str) -> None:
    assert turn([event("1", text)], "zh") == ([text], [])
