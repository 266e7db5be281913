"""The customer's rights: to have everything that is held of him, and to have it gone.

What erasing leaves is content-free: tombstones, so that nothing computed from his words and photos is kept anywhere and
that an older backup does not bring him back, and an audit row that says that somebody was erased, not who.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.model import Customer
from bot.ports import Erased
from storage import codec
from storage.columns import now
from storage.customers import find
from storage.dialects import insert
from storage.shop import bound_orders
from storage.tables import (
    about,
    audit,
    conversations,
    customers,
    events,
    exchanges,
    order_bindings,
    photo_owners,
    photos,
    replies,
    said,
    tombstones,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A customer as the owner finds him: not a word of what was said."""

    customer: Customer
    since: datetime
    #: His last message; nothing when he only opened the page.
    last: datetime | None
    #: Messages that he wrote.
    messages: int


def listed(connection: Connection) -> list[Listed]:
    """Everybody of whom something is held, who wrote last first."""
    query = (
        sa.select(
            customers,
            sa.func.max(said.c.at, type_=said.c.at.type).label("last"),
            sa.func.count(said.c.id).label("messages"),
        )
        .outerjoin_from(customers, conversations, conversations.c.customer_id == customers.c.id)
        .outerjoin(said, sa.and_(said.c.conversation_id == conversations.c.id, said.c.speaker == "customer"))
        .group_by(customers.c.id)
    )
    found = [
        Listed(
            customer=Customer(channel=row.channel, account=row.account, id=row.person),
            since=row.since,
            last=row.last,
            messages=row.messages,
        )
        for row in connection.execute(query)
    ]
    return sorted(found, key=lambda one: one.last or one.since, reverse=True)


def export(connection: Connection, customer: Customer) -> dict[str, Any]:
    """Everything held of one customer, as plain JSON values; empty when nothing is."""
    customer_id = find(connection, customer)
    if customer_id is None:
        return {}
    held: dict[str, Any] = {"customer": codec.dump(customer), "exported_at": now().isoformat()}
    held["since"] = codec.dump(
        connection.execute(sa.select(customers.c.since).where(customers.c.id == customer_id)).scalar_one()
    )
    talks = _rows(connection, conversations, conversations.c.customer_id == customer_id)
    held["conversations"] = [
        talk
        | {
            "said": _rows(connection, said, said.c.conversation_id == talk["id"]),
            "exchanges": _rows(connection, exchanges, exchanges.c.conversation_id == talk["id"]),
            "replies": _rows(connection, replies, replies.c.conversation_id == talk["id"]),
        }
        for talk in talks
    ]
    held["events"] = _rows(connection, events, events.c.customer_id == customer_id)
    owned = (
        sa.select(photos, photo_owners.c.at.label("sent_at"))
        .join(photo_owners, photo_owners.c.sha256 == photos.c.sha256)
        .where(photo_owners.c.customer_id == customer_id)
        .order_by(photo_owners.c.at, photos.c.sha256)
    )
    held["photos"] = [
        {name: codec.dump(value) for name, value in row._mapping.items()} for row in connection.execute(owned)
    ]
    held["orders"] = [codec.dump(order) for order in bound_orders(connection, None, customer_id)]
    return held


def erase(connection: Connection, customer: Customer) -> Erased:
    """Removes everything of one customer; a photo that somebody else sent too stays with him."""
    customer_id = find(connection, customer)
    if customer_id is None:
        return Erased()
    talks = sa.select(conversations.c.id).where(conversations.c.customer_id == customer_id)
    keys = tuple(str(key) for key in connection.execute(talks.order_by(conversations.c.id)).scalars())
    alone = _photos_of_nobody_else(connection, customer_id)

    for table in (said, replies, exchanges):
        connection.execute(sa.delete(table).where(table.c.conversation_id.in_(talks)))
    for table in (events, conversations, order_bindings, photo_owners):
        connection.execute(sa.delete(table).where(table.c.customer_id == customer_id))
    connection.execute(sa.delete(customers).where(customers.c.id == customer_id))
    for sha256 in alone:
        connection.execute(sa.delete(photos).where(photos.c.sha256 == sha256))

    at = now()
    for key in keys:
        _bury(connection, "conversation", key, at)
    for sha256 in alone:
        _bury(connection, "photo", sha256, at)
    _bury(connection, "customer", _trace(_secret(connection), customer), at)
    connection.execute(insert(connection, about, keys=("name",)), {"name": "scrub", "value": "due"})
    connection.execute(
        sa.insert(audit).values(
            at=at, action="customer erased", counts={"conversations": len(keys), "photos": len(alone)}
        )
    )
    return Erased(conversations=keys, photos=alone)


def scrub_due(connection: Connection) -> bool:
    """Whether something was erased whose words may still stand in unused parts of the file."""
    query = sa.select(about.c.name).where(about.c.name == "scrub")
    return connection.execute(query).one_or_none() is not None


def scrubbed(connection: Connection) -> None:
    connection.execute(sa.delete(about).where(about.c.name == "scrub"))


def erased(connection: Connection) -> Erased:
    """What engines must not keep. A photo that somebody sent again since is his: what is made of it goes on."""
    back = sa.exists().where(tombstones.c.kind == "photo", photos.c.sha256 == tombstones.c.key)
    query = sa.select(tombstones.c.kind, tombstones.c.key).where(~back).order_by(tombstones.c.at, tombstones.c.key)
    rows = connection.execute(query).all()
    return Erased(
        conversations=tuple(row.key for row in rows if row.kind == "conversation"),
        photos=tuple(row.key for row in rows if row.kind == "photo"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Buried:
    """What a database knows of its erasures."""

    #: Tells one shop's database from another's.
    secret: str
    #: Kind, key and time of each tombstone.
    stones: tuple[tuple[str, str, datetime], ...]


def buried(connection: Connection) -> Buried:
    rows = connection.execute(sa.select(tombstones.c.kind, tombstones.c.key, tombstones.c.at))
    return Buried(secret=_secret(connection), stones=tuple((row.kind, row.key, row.at) for row in rows))


def erase_again(connection: Connection, present: Buried, made: datetime) -> tuple[int, tuple[str, ...]]:
    """Erases once more whom a copy made at ``made`` brings back although he was erased since.

    ``present`` is of the database that the copy replaces; a copy of another shop's database is left as it is. Returns
    how many they were, and which photos went with them.
    """
    if present.secret != _secret(connection):
        return 0, ()
    since = {key for kind, key, at in present.stones if kind == "customer" and at > made}
    back, gone = 0, list[str]()
    for row in connection.execute(sa.select(customers)).all() if since else ():
        customer = Customer(channel=row.channel, account=row.account, id=row.person)
        if _trace(present.secret, customer) in since:
            gone += erase(connection, customer).photos
            back += 1
    for kind, key, at in present.stones:
        _bury(connection, kind, key, at)
    return back, tuple(gone)


def _secret(connection: Connection) -> str:
    return str(connection.execute(sa.select(about.c.value).where(about.c.name == "secret")).scalar_one())


def _trace(secret: str, customer: Customer) -> str:
    """Recognises a customer without naming him: platform ids can be counted through, so a bare hash would name him."""
    return hmac.new(secret.encode(), str(customer).encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _bury(connection: Connection, kind: str, key: str, at: datetime) -> None:
    row = insert(connection, tombstones, keys=("kind", "key"), update=("at",))
    connection.execute(row, {"kind": kind, "key": key, "at": at})


def _photos_of_nobody_else(connection: Connection, customer_id: int) -> tuple[str, ...]:
    mine, others = photo_owners.alias(), photo_owners.alias()
    shared = sa.exists().where(others.c.sha256 == mine.c.sha256, others.c.customer_id != customer_id)
    query = sa.select(mine.c.sha256).where(mine.c.customer_id == customer_id, ~shared).order_by(mine.c.sha256)
    return tuple(connection.execute(query).scalars())


def _rows(connection: Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    """Rows as plain JSON values, without the numbers that only tie rows together."""
    shown = [column for column in table.c if not (column.foreign_keys or column.name == "kept_from")]
    query = sa.select(*shown).where(where).order_by(table.c.id)
    return [{name: codec.dump(value) for name, value in row._mapping.items()} for row in connection.execute(query)]
