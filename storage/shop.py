"""The shop's own data, and which orders a customer may hear of.

Functions over a connection; ``store.SqlStore`` runs each as one transaction.
"""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from bot.model import Customer, Faq, Knowledge, Order, OrderLine, PolicySection, Product, Variant, joined
from storage import customers
from storage.columns import now
from storage.dialects import insert
from storage.tables import faq, order_bindings, order_lines, orders, policy, products, shops, variants

_NUMBERED = sa.select(orders).where(orders.c.shop == sa.bindparam("shop"), orders.c.joined == sa.bindparam("joined"))
#: Stands for the phone tail of an order that does not exist: as long as any, and never one.
_NOBODY = "????"


def version(connection: Connection, shop: str) -> str | None:
    found: str | None = connection.execute(sa.select(shops.c.version).where(shops.c.shop == shop)).scalar_one_or_none()
    return found


def learn(connection: Connection, shop: str, knowledge: Knowledge, told: str) -> None:
    """Replaces all of a shop's data. Bindings of orders to customers stay, also to orders that are gone for now."""
    for table in (variants, products, policy, faq, order_lines, orders):
        connection.execute(sa.delete(table).where(table.c.shop == shop))
    _fill(connection, products, shop, (_product_row(at, product) for at, product in enumerate(knowledge.products)))
    _fill(
        connection,
        variants,
        shop,
        (
            {
                "sku": variant.sku,
                "product": product.id,
                "position": at,
                "colour": variant.colour,
                "sizes": list(variant.sizes),
                "price": variant.price,
                "stock": variant.stock,
                "picture": variant.picture,
                "colour_also": list(variant.colour_also),
            }
            for product in knowledge.products
            for at, variant in enumerate(product.variants)
        ),
    )
    _fill(
        connection,
        policy,
        shop,
        (
            {"id": section.id, "position": at, "title": section.title, "passages": list(section.passages)}
            for at, section in enumerate(knowledge.policy)
        ),
    )
    _fill(
        connection,
        faq,
        shop,
        (
            {"id": entry.id, "position": at, "question": entry.question, "answer": entry.answer}
            for at, entry in enumerate(knowledge.faq)
        ),
    )
    _fill(connection, orders, shop, (_order_row(order) for order in knowledge.orders))
    _fill(
        connection,
        order_lines,
        shop,
        (
            {
                "number": order.number,
                "position": at,
                "sku": line.sku,
                "name": line.name,
                "quantity": line.quantity,
                "price": line.price,
            }
            for order in knowledge.orders
            for at, line in enumerate(order.lines)
        ),
    )
    row = insert(connection, shops, keys=("shop",), update=("version", "learned_at"))
    connection.execute(row, {"shop": shop, "version": told, "learned_at": now()})


def all_products(connection: Connection, shop: str) -> list[Product]:
    """In the order in which the shop wrote them."""
    by_product: dict[str, list[Variant]] = defaultdict(list)
    for row in connection.execute(sa.select(variants).where(variants.c.shop == shop).order_by(variants.c.position)):
        by_product[row.product].append(
            Variant(
                sku=row.sku,
                colour=row.colour,
                sizes=tuple(row.sizes),
                price=row.price,
                stock=row.stock,
                picture=row.picture,
                colour_also=tuple(row.colour_also),
            )
        )
    query = sa.select(products).where(products.c.shop == shop).order_by(products.c.position)
    return [
        Product(
            id=row.id,
            name=row.name,
            kind=row.kind,
            pattern=row.pattern,
            material=row.material,
            about=row.about,
            variants=tuple(by_product[row.id]),
            kind_also=tuple(row.kind_also),
            pattern_also=tuple(row.pattern_also),
        )
        for row in connection.execute(query)
    ]


def all_policy(connection: Connection, shop: str) -> list[PolicySection]:
    query = sa.select(policy).where(policy.c.shop == shop).order_by(policy.c.position)
    return [
        PolicySection(id=row.id, title=row.title, passages=tuple(row.passages)) for row in connection.execute(query)
    ]


def all_faq(connection: Connection, shop: str) -> list[Faq]:
    query = sa.select(faq).where(faq.c.shop == shop).order_by(faq.c.position)
    return [Faq(id=row.id, question=row.question, answer=row.answer) for row in connection.execute(query)]


def bound_orders(connection: Connection, shop: str | None, customer_id: int) -> list[Order]:
    """Orders bound to this customer, newest first; of every shop when none is named."""
    query = (
        sa.select(orders)
        .join(
            order_bindings,
            sa.and_(order_bindings.c.shop == orders.c.shop, order_bindings.c.number == orders.c.number),
        )
        .where(order_bindings.c.customer_id == customer_id)
        .order_by(orders.c.at.desc(), orders.c.number)
    )
    if shop is not None:
        query = query.where(order_bindings.c.shop == shop)
    return [_order(connection, row) for row in connection.execute(query).all()]


def orders_of(connection: Connection, shop: str, customer: Customer) -> list[Order]:
    customer_id = customers.find(connection, customer)
    return [] if customer_id is None else bound_orders(connection, shop, customer_id)


def proven(connection: Connection, shop: str, number: str, phone_tail: str) -> Order | None:
    """The order of somebody who knows its number and the phone's last four digits; the only way to an order.

    An order that does not exist and a wrong phone number take the same time and say the same nothing.
    """
    row = connection.execute(_NUMBERED, {"shop": shop, "joined": joined(number)}).first()
    expected = _NOBODY if row is None else row.phone_tail
    same = hmac.compare_digest(expected.encode(), phone_tail.encode("utf-8", "replace"))
    return None if row is None or not expected or not same else _order(connection, row)


def bind(connection: Connection, shop: str, customer: Customer, number: str) -> None:
    """Binds an order that was proven to a customer. Raises :class:`~bot.errors.Erased` when he is not there."""
    customer_id = customers.find(connection, customer)
    if customer_id is None:
        raise customers.erased(f"a customer of {customer.channel}")
    connection.execute(
        insert(connection, order_bindings, keys=("customer_id", "shop", "number")),
        {"customer_id": customer_id, "shop": shop, "number": number, "at": now()},
    )


def _fill(connection: Connection, table: sa.Table, shop: str, rows: Iterable[dict[str, Any]]) -> None:
    whole = [{"shop": shop} | row for row in rows]
    if whole:
        connection.execute(sa.insert(table), whole)


def _product_row(position: int, product: Product) -> dict[str, Any]:
    return {
        "id": product.id,
        "position": position,
        "name": product.name,
        "kind": product.kind,
        "pattern": product.pattern,
        "material": product.material,
        "about": product.about,
        "kind_also": list(product.kind_also),
        "pattern_also": list(product.pattern_also),
    }


def _order_row(order: Order) -> dict[str, Any]:
    return {
        "number": order.number,
        "joined": joined(order.number),
        "phone_tail": order.phone_tail,
        "status": order.status,
        "at": order.at,
        "carrier": order.carrier,
        "tracking": order.tracking,
    }


def _order(connection: Connection, row: Row[Any]) -> Order:
    query = (
        sa.select(order_lines)
        .where(order_lines.c.shop == row.shop, order_lines.c.number == row.number)
        .order_by(order_lines.c.position)
    )
    return Order(
        number=row.number,
        phone_tail=row.phone_tail,
        status=row.status,
        at=row.at,
        lines=tuple(
            OrderLine(sku=line.sku, name=line.name, quantity=line.quantity, price=line.price)
            for line in connection.execute(query)
        ),
        carrier=row.carrier,
        tracking=row.tracking,
    )
