from __future__ import annotations

import pytest

from bot.errors import Erased, StorageError
from bot.model import Event, EventKind, PhotoRef
from bot.ports import Mark
from storage.store import SqlStore
from tests.storage.values import ANNA, AT, BORIS, message, photo, sent


async def test_an_event_is_known_for_ever_by_its_id(store: SqlStore) -> None:
    first = message("1", "第一")
    assert await store.accept([first]) == 1
    assert await store.accept([message("1", "另一句"), message("2")]) == 1
    assert [event.text for event in await store.events(ANNA)] == ["第一", "在吗"]
    await store.finish(await store.conversation(ANNA, language="zh"), await store.events(ANNA), (), ())
    assert await store.accept([first]) == 0
    assert await store.events(ANNA) == []


async def test_the_same_id_from_another_customer_is_another_event(store: SqlStore) -> None:
    assert await store.accept([message("1"), message("1", customer=BORIS)]) == 2


async def test_twice_in_one_delivery_is_once(store: SqlStore) -> None:
    assert await store.accept([message("1"), message("1")]) == 1


async def test_an_event_comes_back_as_it_went_in(store: SqlStore) -> None:
    event = Event(
        id="7",
        customer=BORIS,
        at=AT,
        kind=EventKind.EDITED,
        text="这件多少钱？",
        photos=(photo("a"), photo("b")),
        refs=(PhotoRef(ref="file-1", size=12), PhotoRef(ref="file-2")),
        faults=("format",),
        attachment="voice",
        album="al",
        route="thread:5",
        language="en",
        target="6",
    )
    await store.accept([event])
    assert await store.events(BORIS) == [event]


async def test_the_mark_moves_with_the_events(store: SqlStore) -> None:
    assert await store.mark("telegram", "default") is None
    await store.accept([message("1", customer=BORIS)], Mark(channel="telegram", account="default", value="101"))
    assert await store.mark("telegram", "default") == "101"
    await store.accept([], Mark(channel="telegram", account="default", value="102"))
    assert await store.mark("telegram", "default") == "102"
    assert await store.mark("telegram", "other") is None


async def test_events_and_mark_are_kept_together_or_not_at_all(store: SqlStore) -> None:
    naive = message("2", at_naive := "x")
    object.__setattr__(naive, "at", AT.replace(tzinfo=None))
    mark = Mark(channel="web", account="default", value=at_naive)
    with pytest.raises(StorageError):
        await store.accept([message("1"), naive], mark)
    assert await store.events(ANNA) == []
    assert await store.mark("web", "default") is None


async def test_the_longest_waiting_customer_is_served_first(store: SqlStore) -> None:
    assert await store.waiting() == []
    await store.accept([message("1", customer=BORIS)])
    await store.accept([message("1")])
    await store.accept([message("2", customer=BORIS)])
    assert await store.waiting() == [BORIS, ANNA]
    first, _ = await store.events(BORIS)
    await store.finish(await store.conversation(BORIS, language="zh"), [first], (), ())
    assert await store.waiting() == [ANNA, BORIS]


async def test_a_stranger_has_no_events(store: SqlStore) -> None:
    assert await store.events(ANNA) == []


async def test_photos_take_the_place_of_their_references(store: SqlStore) -> None:
    event = message("1", "", photos=(photo("a"),), refs=(PhotoRef(ref="f1"), PhotoRef(ref="f2")))
    await store.accept([event])
    changed = await store.fetched(event, [photo("b")], ["too_small"])
    assert changed.photos == (photo("a"), photo("b"))
    assert (changed.refs, changed.faults) == ((), ("too_small",))
    assert await store.events(ANNA) == [changed]
    assert [row.turn.photos for row in await store.history(ANNA)] == [(photo("a"), photo("b"))]


async def test_photos_that_were_fetched_twice_stand_once(store: SqlStore) -> None:
    event = message("1", "", refs=(PhotoRef(ref="f1"),))
    await store.accept([event])
    changed = await store.fetched(event, [photo("b")], [])
    assert await store.fetched(event, [photo("c")], ["broken"]) == changed


async def test_photos_for_an_erased_customer_are_refused(store: SqlStore) -> None:
    event = message("1", "", refs=(PhotoRef(ref="f1"),))
    await store.accept([event])
    await store.erase(ANNA)
    with pytest.raises(Erased, match="event 1 of web is not kept any more"):
        await store.fetched(event, [photo()], [])
    assert await store.customers() == []


async def test_an_event_that_names_a_photo_makes_nobody_its_owner(store: SqlStore) -> None:
    await sent(store, ANNA, photo("a"))
    await store.accept([message("1", customer=BORIS, photos=(photo("a"),))])
    assert await store.photo(BORIS, "a" * 64) is None


async def test_words_that_no_database_takes_do_not_stop_an_event(store: SqlStore) -> None:
    await store.accept([message("\ud83d", "一\x00二\ud83d")])
    (event,) = await store.events(ANNA)
    assert (event.id, event.text) == ("?", "一二?")
    assert await store.accept([message("\ud83d", "一")]) == 0


@pytest.mark.parametrize(
    "damage", ["body = json_set(body, '$.album', 5)", "body = json_set(body, '$.photos', 'x')", "kind = 'nothing'"]
)
async def test_an_event_that_cannot_be_read_silences_nobody(
    store: SqlStore, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    await store.accept([message("1", "第一"), message("2", "第二"), message("3", "第三")])
    await store.database.write(
        lambda connection: connection.exec_driver_sql(f"UPDATE events SET {damage} WHERE event_id = '2'").rowcount
    )
    assert [event.text for event in await store.events(ANNA)] == ["第一", "第三"]
    assert "is passed over" in caplog.text
    assert "第二" not in caplog.text
    await store.finish(await store.conversation(ANNA, language="zh"), await store.events(ANNA), (), ())
    assert await store.events(ANNA) == []
