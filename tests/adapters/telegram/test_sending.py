"""Replies over a real HTTP server: what arrives, and what is said when it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.telegram import TelegramAdapter
from adapters.telegram.errors import Rejected, TokenRefused
from bot.errors import SendError, TryLater, Undeliverable, Unknown
from bot.model import Choice
from bot.ports import Adapter
from tests.fakes.telegram import TelegramServer

from .stage import PACE, Inbox, Shelf, make, offer, outgoing, person

LONG = "好。" * 5000  # three messages


def test_the_adapter_is_the_port(adapter: TelegramAdapter) -> None:
    port: Adapter = adapter
    assert port.name == "telegram"
    assert port.mounts() == ()
    assert port.capabilities.preview


@pytest.mark.parametrize(
    ("token", "account"), [("77:AAA", "77"), ("AAA", "telegram"), (":AAA", "telegram"), ("x:AAA", "telegram")]
)
def test_the_account_is_the_bots_id_and_never_the_secret(
    telegram: TelegramServer, inbox: Inbox, token: str, account: str
) -> None:
    assert make(telegram, inbox, token=token).account == account


async def test_words_arrive(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    anna = telegram.customer()
    text = "有的。<b>19.9 元</b> *_[x](y) 👍🏽 مرحبا\n第二行"
    await adapter.send(outgoing(person(anna.id), text, route=f'{{"chat":{anna.id},"later":"key"}}'))
    assert [sent.text for sent in anna.received] == [text]
    assert "parse_mode" not in telegram.calls[-1].params


async def test_a_long_text_arrives_in_order_and_whole(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    anna = telegram.customer()
    await adapter.send(outgoing(person(anna.id), LONG))
    assert len(anna.received) == 3
    assert "".join(sent.text for sent in anna.received) == LONG


async def test_4096_units_are_one_message(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    anna = telegram.customer()
    await adapter.send(outgoing(person(anna.id), "👍" * 2048))
    assert [sent.text for sent in anna.received] == ["👍" * 2048]


async def test_choices_are_buttons(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    anna = telegram.customer()
    choices = [Choice(id="red", label="红色"), Choice(id="blue", label="蓝色")]
    await adapter.send(outgoing(person(anna.id), "哪一种？", choices=choices))
    assert anna.received[0].buttons == (("red", "红色"), ("blue", "蓝色"))


async def test_photos_and_products_arrive_with_their_words(
    telegram: TelegramServer, adapter: TelegramAdapter, shelf: Shelf
) -> None:
    anna = telegram.customer()
    shelf.pictures = {"aa": b"photo-a", "7.jpg": b"photo-7", "8.jpg": b"photo-8"}
    await adapter.send(outgoing(person(anna.id), "看。", id_=1, photos=["aa"]))
    await adapter.send(outgoing(person(anna.id), "这件。", id_=2, offers=[offer("7", "7.jpg")]))
    await adapter.send(
        outgoing(person(anna.id), "都有。", id_=3, photos=["aa"], offers=[offer("7", "7.jpg"), offer("8", "8.jpg")])
    )
    assert [sent.photos for sent in anna.received if sent.photos] == [
        (b"photo-a",),
        (b"photo-7",),
        (b"photo-a", b"photo-7", b"photo-8"),
    ]
    assert anna.received[3].text == "cup 7 ¥19.9"
    assert anna.received[5].captions == ("", "cup 7 ¥19.9", "cup 8 ¥19.9")


async def test_a_picture_that_is_gone_does_not_keep_the_words(
    telegram: TelegramServer, adapter: TelegramAdapter, shelf: Shelf
) -> None:
    anna = telegram.customer()
    await adapter.send(outgoing(person(anna.id), "看。", photos=["gone"], offers=[offer("7", "gone.jpg")]))
    assert [(sent.text, sent.photos) for sent in anna.received] == [("看。\n\ncup 7 ¥19.9", ())]


async def test_an_empty_reply_is_an_error(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    with pytest.raises(SendError, match="reply 1 is empty"):
        await adapter.send(outgoing(person(telegram.customer().id), " "))


@pytest.mark.parametrize("route", ["", "{}", "no json", '{"chat":"5"}'])
async def test_a_reply_that_names_no_chat_is_an_error(adapter: TelegramAdapter, route: str) -> None:
    nobody = outgoing(person(0), "hello", route=route)
    if not route:
        nobody = outgoing(type(nobody.reply.customer)(channel="telegram", account="1", id="anna"), "hello")
    with pytest.raises(SendError, match="names no Telegram chat"):
        await adapter.send(nobody)


async def test_who_blocked_the_bot_is_undeliverable(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    anna = telegram.customer()
    anna.blocks()
    with pytest.raises(Undeliverable, match="blocked by the user"):
        await adapter.send(outgoing(person(anna.id), "hello"))
    anna.unblocks()
    await adapter.send(outgoing(person(anna.id), "hello"))
    assert len(anna.received) == 1


async def test_who_never_wrote_is_undeliverable(adapter: TelegramAdapter) -> None:
    with pytest.raises(Undeliverable, match="chat not found"):
        await adapter.send(outgoing(person(404), "hello"))


async def test_telegrams_own_wait_is_kept_to_the_second(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    telegram.refuse("sendMessage", 429, "Too Many Requests: retry after 17", retry_after=17)
    with pytest.raises(TryLater, match="retry after 17") as caught:
        await adapter.send(outgoing(person(telegram.customer().id), "hello"))
    assert caught.value.seconds == 17


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("601", 600),
        ("1e300", 600),
        ("1" + "0" * 400, 600),
        ("0.5", 0.5),
        ("1e999", PACE.not_now),
        ("Infinity", PACE.not_now),
        ("NaN", PACE.not_now),
        ("-1", PACE.not_now),
        ('"17"', PACE.not_now),
    ],
)
async def test_a_wait_that_nobody_can_keep_silences_no_customer(
    telegram: TelegramServer, adapter: TelegramAdapter, asked: str, seconds: float
) -> None:
    answer = '{"ok": false, "error_code": 429, "description": "flood", "parameters": {"retry_after": %s}}' % asked  # noqa: UP031
    telegram.garble("sendMessage", answer.encode(), status=429, taken=False)
    with pytest.raises(TryLater, match="flood") as caught:
        await adapter.send(outgoing(person(telegram.customer().id), "hello"))
    assert caught.value.seconds == seconds


@pytest.mark.parametrize("code", [429, 500, 503])
async def test_what_telegram_says_it_did_not_do_is_tried_later(
    telegram: TelegramServer, adapter: TelegramAdapter, code: int
) -> None:
    telegram.refuse("sendMessage", code, "not now")
    with pytest.raises(TryLater, match="not now") as caught:
        await adapter.send(outgoing(person(telegram.customer().id), "hello"))
    assert caught.value.seconds == PACE.not_now


@pytest.mark.parametrize("status", [403, 404, 302, 503])
async def test_a_page_from_before_the_bot_api_is_tried_later(
    telegram: TelegramServer, adapter: TelegramAdapter, status: int
) -> None:
    telegram.garble("sendMessage", b"<html>blocked</html>", status=status, taken=False)
    with pytest.raises(TryLater, match="is base_url right"):
        await adapter.send(outgoing(person(telegram.customer().id), "hello"))


async def test_a_request_at_fault_is_rejected_for_good(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    telegram.refuse("sendMessage", 400, "Bad Request: message is too long")
    with pytest.raises(Rejected, match="message is too long") as caught:
        await adapter.send(outgoing(person(telegram.customer().id), "hello"))
    assert not isinstance(caught.value, TryLater | Unknown | Undeliverable)


@pytest.mark.parametrize(("code", "words"), [(401, "Unauthorized"), (404, "Not Found")])
async def test_replies_wait_for_a_right_token(
    telegram: TelegramServer, adapter: TelegramAdapter, code: int, words: str
) -> None:
    telegram.refuse("sendMessage", code, words)
    with pytest.raises(TokenRefused, match="token_env") as caught:
        await adapter.send(outgoing(person(telegram.customer().id), "hello"))
    assert caught.value.seconds == PACE.token_refused


@pytest.mark.parametrize("taken", [True, False])
async def test_a_cut_after_the_request_left_is_unknown(
    telegram: TelegramServer, adapter: TelegramAdapter, taken: bool
) -> None:
    anna = telegram.customer()
    telegram.cut("sendMessage", taken=taken)
    with pytest.raises(Unknown, match="may have been carried out"):
        await adapter.send(outgoing(person(anna.id), "hello"))
    assert len(anna.received) == taken


async def test_a_message_that_is_taken_and_never_answered_for_is_unknown_and_sent_once(
    telegram: TelegramServer, inbox: Inbox
) -> None:
    anna = telegram.customer()
    telegram.silence("sendMessage")
    impatient = make(telegram, inbox, pace=replace(PACE, answer=0.2))
    with pytest.raises(Unknown, match=r"did not answer sendMessage \(ReadTimeout\); it may have been carried out"):
        await impatient.send(outgoing(person(anna.id), "hello"))
    assert [sent.text for sent in anna.received] == ["hello"]
    assert telegram.count("sendMessage") == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, b"<html>Bad Gateway</html>"),
        (504, b""),
        (200, b"<html></html>"),
        (200, b'{"ok": true, "result": 5}'),
        (200, b'{"ok": true, "result": {"message_id": 5}}'),
    ],
)
async def test_an_answer_that_says_nothing_is_unknown(
    telegram: TelegramServer, adapter: TelegramAdapter, status: int, body: bytes
) -> None:
    telegram.garble("sendMessage", body, status=status)
    with pytest.raises(Unknown):
        await adapter.send(outgoing(person(telegram.customer().id), "hello"))


async def test_a_server_that_is_not_there_is_tried_later(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    anna = telegram.customer()
    await telegram.down()
    with pytest.raises(TryLater, match="cannot be reached") as caught:
        await adapter.send(outgoing(person(anna.id), "hello"))
    assert caught.value.seconds == PACE.unreachable
    await telegram.up()
    await adapter.send(outgoing(person(anna.id), "hello"))
    assert len(anna.received) == 1


async def test_a_long_reply_goes_on_where_it_was_stopped(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    anna = telegram.customer()
    long = outgoing(person(anna.id), LONG)
    telegram.allow("sendMessage")
    telegram.refuse("sendMessage", 429, "Too Many Requests", retry_after=1)
    with pytest.raises(TryLater):
        await adapter.send(long)
    assert len(anna.received) == 1
    await adapter.send(outgoing(person(anna.id), "another", id_=2))  # another reply is not confused with it
    await adapter.send(long)
    assert "".join(sent.text for sent in anna.received if sent.text != "another") == LONG
    await adapter.send(long)  # sent anew on purpose: whole
    assert len(anna.received) == 7


@pytest.mark.parametrize("trouble", ["cut", "rejected"])
async def test_a_long_reply_that_arrived_in_part_says_so(
    telegram: TelegramServer, adapter: TelegramAdapter, trouble: str
) -> None:
    anna = telegram.customer()
    telegram.allow("sendMessage", times=2)
    if trouble == "cut":
        telegram.cut("sendMessage", taken=False)
    else:
        telegram.refuse("sendMessage", 400, "Bad Request: no")
    with pytest.raises(Unknown, match="2 of 3 messages of reply 1 have arrived, then: "):
        await adapter.send(outgoing(person(anna.id), LONG))
    assert len(anna.received) == 2


async def test_who_blocks_in_the_middle_is_undeliverable(telegram: TelegramServer, adapter: TelegramAdapter) -> None:
    telegram.allow("sendMessage")
    telegram.refuse("sendMessage", 403, "Forbidden: bot was blocked by the user")
    with pytest.raises(Undeliverable):
        await adapter.send(outgoing(person(telegram.customer().id), LONG))


async def test_an_address_that_is_none_is_said_without_the_token(telegram: TelegramServer, inbox: Inbox) -> None:
    adapter = TelegramAdapter(
        token=telegram.token,
        store_mark=inbox.stored,
        read_photo=Shelf().read,
        read_picture=Shelf().read,
        base_url="http://127.0.0.1:80",
        pace=PACE,
    )
    with pytest.raises(Rejected, match="is base_url right") as caught:
        await adapter.send(outgoing(person(1), "hello"))
    assert telegram.token not in str(caught.value)


async def test_half_a_surrogate_pair_is_rejected_and_not_tried_for_ever(
    telegram: TelegramServer, adapter: TelegramAdapter
) -> None:
    with pytest.raises(Rejected):
        await adapter.send(outgoing(person(telegram.customer().id), "a\ud83d"))
