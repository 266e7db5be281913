"""Customers, events and a shop for the tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.engine import Connection

from bot.model import (
    Action,
    Answer,
    Customer,
    Event,
    Exchange,
    Fact,
    Faq,
    Knowledge,
    Offer,
    Order,
    OrderLine,
    Photo,
    PolicySection,
    Product,
    Reply,
    Trace,
    Variant,
)
from storage import customers
from storage.store import SqlStore

AT = datetime(2026, 3, 1, 8, 30, 0, 123456, tzinfo=UTC)
ANNA = Customer(channel="web", account="default", id="anna")
BORIS = Customer(channel="telegram", account="default", id="4711")
SHOP = "default"


def message(id_: str, text: str = "在吗", *, customer: Customer = ANNA, **more: Any) -> Event:
    return Event(id=id_, customer=customer, at=AT, text=text, **more)


def photo(sign: str = "a") -> Photo:
    return Photo(sha256=sign * 64, media_type="image/jpeg", width=768, height=1024)


async def sent(store: SqlStore, customer: Customer, *photos: Photo, size: int | None = 5) -> None:
    """This customer sent these photos; no file is written."""

    def job(connection: Connection) -> None:
        for each in photos:
            customers.own(connection, customer, each, size)

    await store.database.write(job)


def exchange(text: str, reply: str = "在的。") -> Exchange:
    return Exchange(
        body=(photo(), text),
        facts=(Fact(id="product:1", text="短袖 59.00 元"),),
        answer=Answer(action=Action.NONE, seen=None, reply=reply),
    )


def reply(text: str = "在的。", *, customer: Customer = ANNA, **more: Any) -> tuple[Reply, Trace]:
    offer = Offer(product="1", name="短袖", price=Decimal("59.00"), stock=3)
    trace = Trace(model="demo", steps=(("guard", 0.01),))
    return Reply(customer=customer, text=text, offers=(offer,), **more), trace


def order(number: str = "A1001", tail: str = "0042", *, days: int = 0) -> Order:
    return Order(
        number=number,
        phone_tail=tail,
        status="已发货",
        at=AT + timedelta(days=days),
        lines=(OrderLine(sku="T-1", name="短袖 红", quantity=2, price=Decimal("59.00")),),
        carrier="顺丰",
        tracking="SF001",
    )


KNOWLEDGE = Knowledge(
    products=(
        Product(
            id="2",
            name="条纹短袖",
            kind="短袖",
            pattern="条纹",
            material="棉",
            about="夏天穿",
            variants=(
                Variant(sku="T-2", colour="红", sizes=("S", "M"), price=Decimal("59.90"), stock=3, picture="p/2.jpg"),
                Variant(sku="T-1", colour="蓝", sizes=(), price=Decimal(60), stock=0, colour_also=("藏青",)),
            ),
            kind_also=("T恤", "T-shirt"),
        ),
        Product(id="1", name="帽子", kind="帽子", pattern="纯色", material="毛", about="冬天戴", variants=()),
    ),
    policy=(PolicySection(id="returns", title="退货", passages=("七天内可退。", "吊牌要在。")),),
    faq=(Faq(id="1", question="包邮吗", answer="满 99 元包邮。"),),
    orders=(order("A1001", days=0), order("A1002", "7777", days=1)),
)
