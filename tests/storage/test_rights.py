from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from bot.model import Customer
from storage import rights
from storage.store import SqlStore, open_store
from tests.storage.values import ANNA, AT, BORIS, KNOWLEDGE, SHOP, exchange, message, photo, reply, sent

CLARA = Customer(channel="web", account="default", id="clara")
SECRET_WORDS = "我家住在梧桐路十七号"


async def live(store: SqlStore, customer: object = ANNA, words: str = SECRET_WORDS) -> None:
    """A life with the shop: everything that may hold a customer's words."""
    assert customer in (ANNA, BORIS)
    who = ANNA if customer == ANNA else BORIS
    await store.learn(SHOP, KNOWLEDGE, "v1")
    await sent(store, who, photo("a"))
    await store.accept([message("1", words, customer=who, photos=(photo("a"),), route=f"{words}/route")])
    conversation = await store.conversation(who, language="zh")
    await store.open(conversation, f"{words}，头\n")
    events = await store.events(who)
    (out,) = await store.finish(conversation, events, [exchange(words, f"{words}？")], [reply(words, customer=who)])
    await store.sent(out.id, error=f"{words}，错")
    await store.fold(conversation, f"{words}，折", 0)
    await store.bind(SHOP, who, "A1001", "0042")
    await store.begin(who, language="zh")
    await store.accept([message("2", f"{words}，后来", customer=who)])


async def test_export_holds_everything_of_one_customer(store: SqlStore) -> None:
    await live(store)
    await store.accept([message("1", "别人的话", customer=BORIS)])
    held = await store.export(ANNA)
    text = json.dumps(held, ensure_ascii=False)
    assert held["customer"] == {"channel": "web", "account": "default", "id": "anna"}
    for part in ("route", "头", "折", "？", "错", "后来"):
        assert f"{SECRET_WORDS}{'/' if part == 'route' else '，' if part != '？' else ''}{part}" in text
    old, new = held["conversations"]
    assert [line["speaker"] for line in old["said"]] == ["customer", "bot"]
    assert [line["text"] for line in new["said"]] == [f"{SECRET_WORDS}，后来"]
    assert old["exchanges"][0]["answer"]["reply"] == f"{SECRET_WORDS}？"
    assert [event["event_id"] for event in held["events"]] == ["1", "2"]
    assert [found["sha256"] for found in held["photos"]] == ["a" * 64]
    assert [order["number"] for order in held["orders"]] == ["A1001"]
    assert "别人的话" not in text


async def test_the_list_has_everybody_and_counts_what_he_wrote(store: SqlStore) -> None:
    await live(store)
    await store.accept([message("1", customer=BORIS)])
    await store.begin(CLARA, language="zh")
    listed = {each.customer: each for each in await store.customers()}
    assert {who: (each.last, each.messages) for who, each in listed.items()} == {
        ANNA: (AT, 2),
        BORIS: (AT, 1),
        CLARA: (None, 0),
    }
    assert all(each.since.utcoffset() == timedelta(0) for each in listed.values())
    assert (await store.customers())[0].customer == CLARA, "who came last, or wrote last, comes first"
    await store.erase(ANNA)
    assert ANNA not in [each.customer for each in await store.customers()]


async def test_export_of_a_stranger_is_empty(store: SqlStore) -> None:
    assert await store.export(ANNA) == {}


async def test_erase_leaves_nothing_but_tombstones(store: SqlStore) -> None:
    await live(store)
    keys = tuple(str(talk["id"]) for talk in (await store.export(ANNA))["conversations"])
    erased = await store.erase(ANNA)
    assert (erased.conversations, erased.photos) == (keys, ("a" * 64,))
    assert await store.tombstones() == erased
    assert await store.export(ANNA) == {}
    assert await store.waiting() == []
    assert await store.outgoing() == []
    assert await store.orders(SHOP, ANNA) == []
    assert await store.photo(ANNA, "a" * 64) is None


async def test_erase_touches_nobody_else(store: SqlStore) -> None:
    await live(store, ANNA)
    await live(store, BORIS, "鲍里斯的话")
    before = await store.export(BORIS)
    erased = await store.erase(ANNA)
    assert erased.photos == ()  # Boris sent the same photo
    assert await store.photo(BORIS, "a" * 64) == photo("a")
    after = await store.export(BORIS)
    assert after | {"exported_at": ""} == before | {"exported_at": ""}
    assert (await store.erase(BORIS)).photos == ("a" * 64,)


async def test_a_photo_that_somebody_sent_again_is_no_engines_to_drop(store: SqlStore) -> None:
    await sent(store, ANNA, photo("a"), photo("b"))
    talk = await store.conversation(ANNA, language="zh")
    await store.erase(ANNA)
    await sent(store, BORIS, photo("a"))
    erased = await store.tombstones()
    assert (erased.conversations, erased.photos) == ((str(talk.id),), ("b" * 64,))
    await store.erase(BORIS)
    assert set((await store.tombstones()).photos) == {"a" * 64, "b" * 64}, "and it is again when he is gone too"


async def test_erasing_a_stranger_leaves_no_trace(store: SqlStore) -> None:
    erased = await store.erase(ANNA)
    assert (erased.conversations, erased.photos) == ((), ())
    assert await store.tombstones() == erased


async def test_a_customer_who_comes_back_gets_numbers_that_nobody_had(store: SqlStore) -> None:
    await live(store)
    last = (await store.conversation(ANNA, language="zh")).id
    line = (await store.history(ANNA))[-1].id
    await store.erase(ANNA)
    await store.accept([message("9")])
    assert (await store.conversation(ANNA, language="zh")).id > last
    assert (await store.history(ANNA))[0].id > line


async def test_the_audit_says_that_somebody_was_erased_and_not_who(store: SqlStore, file: Path) -> None:
    await live(store)
    await store.erase(ANNA)
    rows = await store.database.read(lambda c: c.exec_driver_sql("SELECT action, counts FROM audit").all())
    assert [(row[0], json.loads(row[1])) for row in rows] == [("customer erased", {"conversations": 2, "photos": 1})]
    traces = await store.database.read(
        lambda c: c.exec_driver_sql("SELECT key FROM tombstones WHERE kind = 'customer'").scalars().all()
    )
    assert len(traces) == 1
    assert "anna" not in traces[0]


async def test_no_word_of_an_erased_customer_stays_in_the_files(url: str, file: Path) -> None:
    words = "梧桐路十七号"
    async with open_store(url) as store:
        # Lines of many lengths from two customers in turn, so that pages split, merge and overflow around the one.
        said = {ANNA: words, BORIS: "别人的话"}
        for round_ in range(4):
            arrived = [
                message(
                    f"{text}{round_}-{number}", text * (1 + number % 40) * (30 if number % 25 == 0 else 1), customer=who
                )
                for number in range(50)
                for who, text in said.items()
            ]
            await store.accept(arrived)
            for who, text in said.items():
                talk = await store.conversation(who, language="zh")
                asked = [exchange(text * (number % 20), text) for number in range(20)]
                answers = [reply(text * (number % 7), customer=who) for number in range(20)]
                await store.finish(talk, (await store.events(who))[::2], asked, answers)
        assert words.encode() in contents(file)
        await store.erase(ANNA)
        # While the store is open: no log, no free page and no gap in a page holds what was said.
        assert words.encode() not in contents(file)
        assert b"anna" not in contents(file)
        assert "别人的话".encode() in contents(file)
    assert words.encode() not in contents(file)


def contents(file: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(file.parent.iterdir()))


async def test_cleaning_the_file_that_was_cut_off_is_done_at_the_next_opening(url: str, file: Path) -> None:
    async with open_store(url) as store:
        await live(store)
        # The rows go and the power with them: nobody has cleaned the file.
        await store.database.write(lambda connection: rights.erase(connection, ANNA))
        assert await store.database.read(rights.scrub_due)
    async with open_store(url) as store:
        assert not await store.database.read(rights.scrub_due)
        assert SECRET_WORDS.encode() not in contents(file)


async def test_cleaning_the_file_stays_due_while_one_who_reads_is_in_the_way(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What he began to read must stay for him, and the words with it."""
    monkeypatch.setattr("storage.database._BUSY_MS", 50)
    async with open_store(url) as store:
        await live(store)
        with closing(sqlite3.connect(file)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM events").fetchone() == (2,)
            await store.erase(ANNA)
            assert SECRET_WORDS.encode() in contents(file)
            assert await store.database.read(rights.scrub_due)
            assert not await store.database.scrub()
        await store.scrub()
        assert not await store.database.read(rights.scrub_due)
        assert SECRET_WORDS.encode() not in contents(file)
