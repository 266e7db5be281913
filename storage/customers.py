"""Who writes: his row, his current conversation, and the photos that he sent or was sent."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from bot.errors import Erased
from bot.model import Customer, Photo
from storage.columns import now
from storage.dialects import insert
from storage.tables import conversations, customers, events, photo_owners, photos

#: Picks one customer; its parameters are those of :func:`person`.
IS_HE = sa.and_(
    customers.c.channel == sa.bindparam("channel"),
    customers.c.account == sa.bindparam("account"),
    customers.c.person == sa.bindparam("person"),
)
_FIND = sa.select(customers.c.id).where(IS_HE)
#: One customer's row id, to be compared with: ``events.c.customer_id == HE``.
HE = _FIND.scalar_subquery()

_PLACE = (
    sa.select(customers.c.id, conversations.c.id.label("conversation_id"))
    .outerjoin_from(
        customers,
        conversations,
        sa.and_(conversations.c.customer_id == customers.c.id, conversations.c.closed_at.is_(None)),
    )
    .where(IS_HE)
)
_BEGIN = sa.insert(conversations).returning(conversations.c.id)

_ACCEPTED = sa.select(events.c.id).where(events.c.customer_id == HE, events.c.event_id == sa.bindparam("event"))

_PHOTO = (
    sa.select(photos)
    .join(photo_owners, photo_owners.c.sha256 == photos.c.sha256)
    .where(
        photo_owners.c.customer_id == HE, photo_owners.c.sha256 == sa.bindparam("photo"), photos.c.bytes.is_not(None)
    )
)


def person(customer: Customer) -> dict[str, str]:
    """A customer as the parameters of a statement."""
    return {"channel": customer.channel, "account": customer.account, "person": customer.id}


def find(connection: Connection, customer: Customer) -> int | None:
    found: int | None = connection.execute(_FIND, person(customer)).scalar_one_or_none()
    return found


def keep(connection: Connection, customer: Customer) -> int:
    """The row of a customer, made when he is new."""
    found = find(connection, customer)
    if found is not None:
        return found
    row = insert(connection, customers, keys=("channel", "account", "person"), returning="id")
    return int(connection.execute(row, person(customer) | {"since": now()}).scalar_one())


def place(connection: Connection, customer: Customer) -> tuple[int, int]:
    """The customer's row and his current conversation, both made when they are not there."""
    found = connection.execute(_PLACE, person(customer)).one_or_none()
    customer_id = keep(connection, customer) if found is None else int(found.id)
    if found is not None and found.conversation_id is not None:
        return customer_id, int(found.conversation_id)
    return customer_id, begin_conversation(connection, customer_id, None)


def begin_conversation(connection: Connection, customer_id: int, language: str | None) -> int:
    """A new current conversation; there must be none. Its language may be told later."""
    row = {
        "customer_id": customer_id,
        "language": language,
        "holder": "bot",
        "head": "",
        "folded": "",
        "kept_from": 0,
        "began_at": now(),
    }
    return int(connection.execute(_BEGIN, row).scalar_one())


def own(
    connection: Connection, customer: Customer, photo: Photo, size: int | None, *, event: str | None = None
) -> None:
    """This customer sent this photo, or was sent it; its file has ``size`` bytes, or nothing new is known of it
    (``None``).

    He is made when he is new, but not for a photo of an ``event`` that was accepted: if that is gone, so is he. Raises
    :class:`~bot.errors.Erased` then.
    """
    if event is not None:
        require(connection, customer, event)
    at, customer_id = now(), keep(connection, customer)
    # A file that is written anew counts; one that is still to come changes nothing of what is known.
    changes = () if size is None else ("media_type", "width", "height", "bytes")
    row = {
        "sha256": photo.sha256,
        "media_type": photo.media_type,
        "width": photo.width,
        "height": photo.height,
        "bytes": size,
        "added_at": at,
    }
    connection.execute(insert(connection, photos, keys=("sha256",), update=changes), row)
    connection.execute(
        insert(connection, photo_owners, keys=("customer_id", "sha256")),
        {"customer_id": customer_id, "sha256": photo.sha256, "at": at},
    )


def require(connection: Connection, customer: Customer, event: str) -> None:
    """Raises :class:`~bot.errors.Erased` when this event of his is not kept any more."""
    if connection.execute(_ACCEPTED, person(customer) | {"event": event}).first() is None:
        raise erased(f"event {event} of {customer.channel}")


def erased(what: str) -> Erased:
    """What to raise when something of a customer is gone with him."""
    return Erased(f"{what} is not kept any more: its customer was erased")


def photo(connection: Connection, customer: Customer, sha256: str) -> Photo | None:
    """The photo under this hash, if this customer sent it or was sent it, and its file was written."""
    row = connection.execute(_PHOTO, person(customer) | {"photo": sha256}).one_or_none()
    return None if row is None else as_photo(row)


def as_photo(row: Row[Any]) -> Photo:
    """A row of ``photos`` as the value it holds."""
    return Photo(sha256=row.sha256, media_type=row.media_type, width=row.width, height=row.height)
