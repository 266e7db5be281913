from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa

from bot.errors import Erased, StorageError
from bot.model import Knowledge
from storage.store import SqlStore
from tests.storage.values import ANNA, BORIS, KNOWLEDGE, SHOP, order


async def test_what_was_learned_is_told_as_the_shop_wrote_it(store: SqlStore) -> None:
    assert await store.knowledge_version(SHOP) is None
    await store.learn(SHOP, KNOWLEDGE, "v1")
    assert await store.knowledge_version(SHOP) == "v1"
    assert tuple(await store.products(SHOP)) == KNOWLEDGE.products
    assert tuple(await store.policy(SHOP)) == KNOWLEDGE.policy
    assert tuple(await store.faq(SHOP)) == KNOWLEDGE.faq
    assert str((await store.products(SHOP))[0].variants[0].price) == "59.90"


async def test_learning_again_replaces_everything_of_this_shop_only(store: SqlStore) -> None:
    await store.learn(SHOP, KNOWLEDGE, "v1")
    await store.learn("other", KNOWLEDGE, "o1")
    await store.learn(SHOP, Knowledge(), "v2")
    assert await store.knowledge_version(SHOP) == "v2"
    assert await store.products(SHOP) == []
    assert await store.policy(SHOP) == []
    assert await store.faq(SHOP) == []
    assert tuple(await store.products("other")) == KNOWLEDGE.products
    assert await store.bind(SHOP, ANNA, "A1001", "0042") is None


async def test_data_that_contradicts_itself_leaves_what_was_there(store: SqlStore) -> None:
    await store.learn(SHOP, KNOWLEDGE, "v1")
    twice = replace(KNOWLEDGE, faq=KNOWLEDGE.faq * 2, products=())
    with pytest.raises(StorageError, match=r"the database refused \(UNIQUE constraint failed: faq"):
        await store.learn(SHOP, twice, "v2")
    assert await store.knowledge_version(SHOP) == "v1"
    assert tuple(await store.products(SHOP)) == KNOWLEDGE.products


async def test_an_order_is_told_to_who_knows_number_and_phone(store: SqlStore) -> None:
    await store.begin(ANNA, language="zh")
    await store.learn(SHOP, KNOWLEDGE, "v1")
    assert await store.orders(SHOP, ANNA) == []
    assert await store.bind(SHOP, ANNA, "A1001", "0042") == order("A1001")
    assert await store.bind(SHOP, ANNA, "A1001", "0042") == order("A1001")
    assert await store.orders(SHOP, ANNA) == [order("A1001")]
    assert await store.orders(SHOP, BORIS) == []
    assert await store.orders("other", ANNA) == []


@pytest.mark.parametrize(
    ("number", "tail"), [("A1001", "0043"), ("A1001", ""), ("A1009", "0042"), ("A1001", "零零四二"), ("", "")]
)
async def test_who_does_not_know_both_is_told_nothing(store: SqlStore, number: str, tail: str) -> None:
    await store.learn(SHOP, KNOWLEDGE, "v1")
    assert await store.bind(SHOP, ANNA, number, tail) is None
    assert await store.orders(SHOP, ANNA) == []


@pytest.mark.parametrize("spelled", ["tb-2026-77", "TB202677", "tB-202677"])
async def test_hyphens_and_capitals_make_no_difference_to_a_number(store: SqlStore, spelled: str) -> None:
    await store.begin(ANNA, language="zh")
    await store.learn(SHOP, Knowledge(orders=(order("Tb-2026-77"), order("TB-2026-78"))), "v1")
    assert await store.bind(SHOP, ANNA, spelled, "0042") == order("Tb-2026-77")
    assert await store.orders(SHOP, ANNA) == [order("Tb-2026-77")]


async def test_an_order_without_a_phone_is_bound_to_nobody(store: SqlStore) -> None:
    await store.learn(SHOP, Knowledge(orders=(order("A1", ""),)), "v1")
    assert await store.bind(SHOP, ANNA, "A1", "") is None


async def test_an_order_of_another_shop_is_not_told(store: SqlStore) -> None:
    await store.learn("other", KNOWLEDGE, "v1")
    assert await store.bind(SHOP, ANNA, "A1001", "0042") is None


async def test_bound_orders_come_newest_first(store: SqlStore) -> None:
    await store.begin(ANNA, language="zh")
    await store.learn(SHOP, KNOWLEDGE, "v1")
    await store.bind(SHOP, ANNA, "A1001", "0042")
    await store.bind(SHOP, ANNA, "A1002", "7777")
    assert [found.number for found in await store.orders(SHOP, ANNA)] == ["A1002", "A1001"]


async def test_bindings_outlive_what_is_learned(store: SqlStore) -> None:
    await store.begin(ANNA, language="zh")
    await store.learn(SHOP, KNOWLEDGE, "v1")
    await store.bind(SHOP, ANNA, "A1001", "0042")
    await store.learn(SHOP, Knowledge(), "v2")
    assert await store.orders(SHOP, ANNA) == []
    changed = replace(order("A1001"), status="已签收", lines=(replace(order().lines[0], price=Decimal(1)),))
    await store.learn(SHOP, Knowledge(orders=(changed,)), "v3")
    assert await store.orders(SHOP, ANNA) == [changed]


async def test_asking_for_an_order_in_vain_never_reaches_the_writer(store: SqlStore) -> None:
    await store.learn(SHOP, KNOWLEDGE, "v1")
    read, written = list[str](), list[str]()

    def note(asked: list[str]) -> Callable[..., None]:
        return lambda _, __, statement, *___: asked.append(statement)

    sa.event.listen(store.database._reader, "before_cursor_execute", note(read))
    sa.event.listen(store.database._writer, "before_cursor_execute", note(written))
    works = []
    for number, tail in (("A1001", "0043"), ("A1009", "0042")):
        assert await store.bind(SHOP, ANNA, number, tail) is None
        works.append([statement for statement in read if statement.startswith("SELECT")])
        read.clear()
    assert written == []
    assert works[0] == works[1], "an order that exists takes the same work as one that does not"
    assert len(works[0]) == 1


async def test_an_order_is_bound_to_nobody_who_was_erased(store: SqlStore) -> None:
    await store.learn(SHOP, KNOWLEDGE, "v1")
    with pytest.raises(Erased):
        await store.bind(SHOP, ANNA, "A1001", "0042")
    assert await store.customers() == []
