from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy.engine import Connection

from bot.errors import Erased
from bot.model import EventKind, Exchange
from bot.ports import Said
from storage.store import SqlStore
from tests.storage.values import ANNA, AT, BORIS, exchange, message, photo, reply, sent


def lines(said: Sequence[Said]) -> list[tuple[str, str]]:
    return [(row.turn.speaker, row.turn.text) for row in said]


async def test_a_conversation_begins_once_and_keeps_its_language(store: SqlStore) -> None:
    first = await store.begin(ANNA, language="en")
    assert (first.customer, first.language, first.holder, first.exchanges) == (ANNA, "en", "bot", ())
    assert await store.conversation(ANNA, language="zh") == first
    assert (await store.begin(BORIS, language="zh")).id != first.id


async def test_a_conversation_that_an_event_opened_takes_the_first_language_told(store: SqlStore) -> None:
    await store.accept([message("1")])
    assert (await store.conversation(ANNA, language="en")).language == "en"
    assert (await store.conversation(ANNA, language="zh")).language == "en"


async def test_a_new_conversation_closes_the_one_before(store: SqlStore) -> None:
    old = await store.begin(ANNA, language="zh")
    await store.accept([message("1")])
    await store.finish(old, await store.events(ANNA), [exchange("在吗")], [reply()])
    new = await store.begin(ANNA, language="en")
    assert new.id > old.id
    assert (new.language, new.exchanges, new.head, new.folded) == ("en", (), "", "")
    assert await store.conversation(ANNA, language="zh") == new
    assert await store.history(ANNA) == []


async def test_a_head_is_fixed_once(store: SqlStore) -> None:
    conversation = await store.begin(ANNA, language="zh")
    assert (await store.open(conversation, "顾客：web zh\n")).head == "顾客：web zh\n"
    assert (await store.open(conversation, "another")).head == "顾客：web zh\n"


async def test_exchanges_come_back_as_they_were_in_their_order(store: SqlStore) -> None:
    conversation = await store.begin(ANNA, language="zh")
    asked = [exchange("一"), Exchange(body=(), answer=None), exchange("三")]
    await store.finish(conversation, (), asked, ())
    assert (await store.conversation(ANNA, language="zh")).exchanges == tuple(asked)


async def test_folding_keeps_the_newest_exchanges_for_the_prompt(store: SqlStore) -> None:
    conversation = await store.begin(ANNA, language="zh")
    await store.finish(conversation, (), [exchange(text) for text in "一二三四"], ())
    folded = await store.fold(conversation, "问过短袖", 2)
    assert folded.folded == "问过短袖"
    assert [turn.body[1] for turn in folded.exchanges] == ["三", "四"]
    assert await store.conversation(ANNA, language="zh") == folded
    # What was folded never comes back, however many are to be kept.
    again = await store.fold(conversation, "问过短袖和价钱", 4)
    assert (again.folded, len(again.exchanges)) == ("问过短袖和价钱", 2)


async def test_folding_everything_leaves_room_for_what_comes(store: SqlStore) -> None:
    conversation = await store.begin(ANNA, language="zh")
    await store.finish(conversation, (), [exchange("一")], ())
    assert (await store.fold(conversation, "一行", 0)).exchanges == ()
    await store.finish(conversation, (), [exchange("二")], ())
    assert [turn.body[1] for turn in (await store.conversation(ANNA, language="zh")).exchanges] == ["二"]


async def test_folding_a_conversation_without_exchanges_changes_nothing(store: SqlStore) -> None:
    conversation = await store.begin(ANNA, language="zh")
    assert await store.fold(conversation, "一行", 1) == conversation


async def test_finish_is_one_step(store: SqlStore) -> None:
    await store.accept([message("1"), message("2", "红色的")])
    conversation = await store.conversation(ANNA, language="zh")
    events = await store.events(ANNA)
    first, second = await store.finish(conversation, events, [exchange("在吗 红色的")], [reply("稍等"), reply("有的")])
    assert (first.reply, first.trace) == reply("稍等")
    assert first.id < second.id
    assert await store.events(ANNA) == []
    assert await store.outgoing() == [first, second]
    assert len((await store.conversation(ANNA, language="zh")).exchanges) == 1


async def test_an_event_that_is_done_is_not_done_twice(store: SqlStore) -> None:
    await store.accept([message("1"), message("2")])
    conversation = await store.conversation(ANNA, language="zh")
    one, two = await store.events(ANNA)
    await store.finish(conversation, [one], [exchange("一")], [reply()])
    assert await store.finish(conversation, [one, two], [exchange("二")], [reply("又一次")]) == []
    assert await store.events(ANNA) == [two]
    assert len(await store.outgoing()) == 1
    assert len((await store.conversation(ANNA, language="zh")).exchanges) == 1


async def test_nothing_is_said_to_a_customer_who_was_erased_meanwhile(store: SqlStore) -> None:
    await store.accept([message("1")])
    conversation = await store.conversation(ANNA, language="zh")
    events = await store.events(ANNA)
    await store.erase(ANNA)
    assert await store.finish(conversation, events, [exchange("一")], [reply()]) == []
    assert await store.finish(conversation, (), (), [reply()]) == []
    assert await store.outgoing() == []
    for late in (store.open(conversation, "head"), store.fold(conversation, "line", 1)):
        with pytest.raises(Erased, match=f"conversation {conversation.id} is not kept any more"):
            await late
    with pytest.raises(Erased, match="a customer of web is not kept any more"):
        await store.conversation(ANNA, language="zh")
    assert await store.customers() == []


async def test_an_event_that_was_never_accepted_cannot_be_done(store: SqlStore) -> None:
    conversation = await store.begin(ANNA, language="zh")
    assert await store.finish(conversation, [message("1")], (), [reply()]) == []


async def test_what_the_customer_said_is_to_be_read_before_it_is_answered(store: SqlStore) -> None:
    await store.accept([message("1", "这是什么颜色？", photos=(photo(),))])
    (row,) = await store.history(ANNA)
    assert (row.event, row.turn.speaker, row.turn.text, row.turn.photos) == (
        "1",
        "customer",
        "这是什么颜色？",
        (photo(),),
    )
    assert (row.turn.at, row.trace, row.offers) == (AT, None, ())


async def test_history_shows_both_sides_in_order_and_pages_by_id(store: SqlStore) -> None:
    conversation = await store.begin(ANNA, language="zh")
    for number in range(3):
        await store.accept([message(str(number), f"问{number}")])
        await store.finish(conversation, await store.events(ANNA), (), [reply(f"答{number}")])
    whole = await store.history(ANNA)
    assert lines(whole) == [(who, text) for n in range(3) for who, text in (("customer", f"问{n}"), ("bot", f"答{n}"))]
    assert [row.event for row in whole] == ["0", "0", "1", "1", "2", "2"]
    assert (whole[1].offers, whole[1].trace) == (reply()[0].offers, reply()[1])
    assert await store.history(ANNA, after=whole[1].id, limit=2) == whole[2:4]
    assert await store.history(ANNA, after=whole[-1].id) == []
    assert await store.history(BORIS) == []


async def test_a_person_of_the_shop_is_shown_as_one(store: SqlStore) -> None:
    conversation = await store.begin(ANNA, language="zh")
    await store.accept([message("1", "我是店主", kind=EventKind.STAFF_SPOKE)])
    await store.finish(conversation, await store.events(ANNA), (), [reply("我来处理", source="staff")])
    assert lines(await store.history(ANNA)) == [("staff", "我是店主"), ("staff", "我来处理")]


@pytest.mark.parametrize("kind", [EventKind.ENTERED, EventKind.RECALLED, EventKind.SEND_FAILED, EventKind.COMMAND])
async def test_what_is_no_talk_is_no_line(store: SqlStore, kind: EventKind) -> None:
    await store.accept([message("1", "x", kind=kind), message("2", "")])
    assert await store.history(ANNA) == []
    assert len(await store.events(ANNA)) == 2


async def test_a_message_that_a_new_conversation_overtook_is_read_where_it_was_answered(store: SqlStore) -> None:
    await store.accept([message("1", "在吗")])
    new = await store.begin(ANNA, language="zh")
    assert await store.history(ANNA) == []
    await store.finish(new, await store.events(ANNA), (), [reply("在的")])
    assert lines(await store.history(ANNA)) == [("customer", "在吗"), ("bot", "在的")]


async def test_a_reply_is_open_until_it_is_sent_or_given_up(store: SqlStore) -> None:
    conversation = await store.begin(ANNA, language="zh")
    one, two, three = await store.finish(conversation, (), (), [reply("一"), reply("二"), reply("三")])
    await store.sent(one.id)
    await store.sent(two.id, error="blocked")
    assert await store.outgoing() == [three]
    await store.sent(two.id)  # sent again by hand, and taken
    await store.sent(one.id, error="late")  # what was taken stays taken
    exported = (await store.export(ANNA))["conversations"][0]["replies"]
    assert [(row["sent_at"] is not None, row["error"]) for row in exported] == [
        (True, None),
        (True, None),
        (False, None),
    ]
    await store.sent(999)


async def test_who_was_sent_a_photo_may_look_at_it_and_nobody_else(store: SqlStore) -> None:
    await sent(store, BORIS, photo("b"))
    await sent(store, BORIS, photo("c"))
    conversation = await store.begin(ANNA, language="zh")
    await store.finish(conversation, [], [], [reply(photos=(photo("b"),))])
    await store.accept([message("s", "看", customer=ANNA, kind=EventKind.STAFF_SPOKE, photos=(photo("c"),))])
    assert await store.photo(ANNA, "b" * 64) == photo("b")
    assert await store.photo(ANNA, "c" * 64) == photo("c")
    await sent(store, BORIS, photo("d"))
    assert await store.photo(ANNA, "d" * 64) is None


async def test_a_reply_waits_until_it_was_sent_given_up_or_erased(store: SqlStore) -> None:
    await store.accept([message("1")])
    talk = await store.conversation(ANNA, language="zh")
    replies = [reply("一"), reply("二"), reply("三")]
    taken, given_up, erased = [each.id for each in await store.finish(talk, await store.events(ANNA), [], replies)]
    assert [await store.unsent(each) for each in (taken, given_up, erased)] == [True] * 3
    await store.sent(taken)
    await store.sent(given_up, error="blocked")
    assert [await store.unsent(each) for each in (taken, given_up, erased)] == [False, False, True]
    await store.erase(ANNA)
    assert not await store.unsent(erased)


async def test_a_row_that_cannot_be_read_hides_itself_and_nothing_else(
    store: SqlStore, caplog: pytest.LogCaptureFixture
) -> None:
    conversation = await store.begin(ANNA, language="zh")
    for n in range(3):
        await store.finish(conversation, [], [exchange(f"问{n}", f"答{n}")], [reply(f"答{n}")])

    def damage(connection: Connection) -> None:
        for what in ("exchanges SET facts", "replies SET reply", "said SET photos"):
            connection.exec_driver_sql(f"UPDATE {what} = '[5]' WHERE id = 2")

    await store.database.write(damage)
    kept = await store.conversation(ANNA, language="zh")
    assert [e.answer.reply for e in kept.exchanges if e.answer] == ["答0", "答2"]
    assert [outgoing.reply.text for outgoing in await store.outgoing()] == ["答0", "答2"]
    assert lines(await store.history(ANNA)) == [("bot", "答0"), ("bot", "答2")]
    assert caplog.text.count("row 2 is passed over") >= 3
    assert "答1" not in caplog.text
