"""No question may read a whole table that grows with every message."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.model import PhotoRef
from bot.ports import Mark
from storage.store import SqlStore
from tests.storage.values import ANNA, BORIS, KNOWLEDGE, SHOP, exchange, message, photo, reply, sent

GROWS = (
    "events",
    "exchanges",
    "said",
    "replies",
    "conversations",
    "customers",
    "photos",
    "photo_owners",
    "order_bindings",
    "orders",
)


async def everything(store: SqlStore) -> None:
    """Every method of the store, once."""
    await store.learn(SHOP, KNOWLEDGE, "v1")
    lone = message("2", "", refs=(PhotoRef(ref="f"),))
    await store.accept([message("1", photos=(photo(),)), lone], Mark(channel="web", account="default", value="1"))
    await store.mark("web", "default")
    await store.waiting()
    await store.fetched(lone, [photo("b")], [])
    conversation = await store.conversation(ANNA, language="zh")
    await store.conversation(ANNA, language="zh")
    await store.open(conversation, "head")
    await sent(store, ANNA, photo())
    await store.photo(ANNA, "a" * 64)
    (out,) = await store.finish(conversation, await store.events(ANNA), [exchange("一")], [reply()])
    await store.outgoing()
    await store.sent(out.id)
    await store.sent(out.id, error="gone")
    await store.fold(conversation, "line", 1)
    await store.history(ANNA, after=1)
    await store.begin(ANNA, language="zh")
    await store.knowledge_version(SHOP)
    await store.products(SHOP)
    await store.policy(SHOP)
    await store.faq(SHOP)
    await store.bind(SHOP, ANNA, "A1001", "0042")
    await store.orders(SHOP, ANNA)
    await store.accept([message("1", customer=BORIS)])
    await store.export(ANNA)
    await store.erase(ANNA)
    await store.tombstones()


async def test_no_question_reads_a_table_that_grows(store: SqlStore) -> None:
    asked: dict[str, Any] = {}

    def note(_: Connection, __: Any, statement: str, parameters: Any, ___: Any, many: bool) -> None:
        if statement.split()[0] in ("SELECT", "UPDATE", "DELETE", "INSERT", "WITH") and "sqlite_" not in statement:
            asked[statement] = parameters[0] if many else parameters

    for engine in (store.database._reader, store.database._writer):
        sa.event.listen(engine, "before_cursor_execute", note)
    await everything(store)
    for engine in (store.database._reader, store.database._writer):
        sa.event.remove(engine, "before_cursor_execute", note)

    assert len(asked) > 50
    scans = []
    for statement, parameters in asked.items():
        plan = await store.database.read(
            lambda c, s=statement, p=parameters: c.exec_driver_sql(f"EXPLAIN QUERY PLAN {s}", p).all()  # type: ignore[misc]
        )
        for row in plan:
            step = str(row[3])
            if step.startswith("SCAN") and step.split()[1] in GROWS and "_open" not in step:
                scans.append((step, statement))
            # A foreign key without its index would make SQLite read the table that refers, unseen by the plan.
    assert scans == []


async def test_every_foreign_key_has_an_index(store: SqlStore) -> None:
    def job(connection: Connection) -> list[str]:
        lacking = []
        for name in sa.inspect(connection).get_table_names():
            columns = [
                [row[2] for row in connection.exec_driver_sql(f'PRAGMA index_info("{index[1]}")')]
                for index in connection.exec_driver_sql(f'PRAGMA index_list("{name}")')
                if not index[4]  # a partial index does not serve
            ]
            for key in sa.inspect(connection).get_foreign_keys(name):
                wanted = key["constrained_columns"]
                if not any(index[: len(wanted)] == wanted for index in columns):
                    lacking.append(f"{name}.{wanted}")
        return lacking

    assert await store.database.read(job) == []
