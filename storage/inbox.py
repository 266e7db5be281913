"""What arrived: events, how far each platform was taken in, and which events are still to be answered.

Functions over a connection; ``store.SqlStore`` runs each as one transaction. Statements of the common path are built
once: building one costs as much as running it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from bot.model import Customer, Event, EventKind, Photo
from bot.ports import Mark
from storage import codec
from storage.columns import now
from storage.customers import HE, erased, own, person, place
from storage.dialects import insert
from storage.tables import customers, events, marks, said

#: Kinds that a person reads as a line of the conversation, and whose line it is.
_SPEAKER = {
    EventKind.MESSAGE: "customer",
    EventKind.EDITED: "customer",
    EventKind.CHOICE: "customer",
    EventKind.STAFF_SPOKE: "staff",
}

#: The parts of an event that stand in ``events.body``; the rest has columns.
_BODY = ("photos", "refs", "faults", "attachment", "album", "route", "language", "target")

_SAY = sa.insert(said)
_MARKED = sa.select(marks.c.value).where(
    marks.c.channel == sa.bindparam("channel"), marks.c.account == sa.bindparam("account")
)
_OLDEST = (
    sa.select(events.c.customer_id, sa.func.min(events.c.id).label("first"))
    .where(events.c.done_at.is_(None))
    .group_by(events.c.customer_id)
    .subquery()
)
_WAITING = (
    sa.select(customers.c.channel, customers.c.account, customers.c.person)
    .join_from(_OLDEST, customers, customers.c.id == _OLDEST.c.customer_id)
    .order_by(_OLDEST.c.first)
)
_OPEN = sa.select(events).where(events.c.customer_id == HE, events.c.done_at.is_(None)).order_by(events.c.id)
_ONE = sa.select(events).where(events.c.customer_id == HE, events.c.event_id == sa.bindparam("event"))


def accept(connection: Connection, arrived: Sequence[Event], mark: Mark | None) -> int:
    """Keeps what is new, in the order given; what was said is to be read at once. Returns how many were new."""
    at, new = now(), 0
    keep = insert(connection, events, keys=("customer_id", "event_id"), returning="id")
    places: dict[Customer, tuple[int, int]] = {}
    for event in arrived:
        if event.customer not in places:
            places[event.customer] = place(connection, event.customer)
        customer_id, conversation_id = places[event.customer]
        row = {
            "customer_id": customer_id,
            "event_id": event.id,
            "kind": event.kind.value,
            "at": event.at,
            "text": event.text,
            "body": {name: codec.dump(getattr(event, name)) for name in _BODY},
            "arrived_at": at,
        }
        event_row: int | None = connection.execute(keep, row).scalar_one_or_none()
        if event_row is None:
            continue
        new += 1
        _say(connection, conversation_id, event_row, event)
    if mark is not None:
        move = insert(connection, marks, keys=("channel", "account"), update=("value", "at"))
        connection.execute(move, {"channel": mark.channel, "account": mark.account, "value": mark.value, "at": at})
    return new


def marked(connection: Connection, channel: str, account: str) -> str | None:
    found: str | None = connection.execute(_MARKED, {"channel": channel, "account": account}).scalar_one_or_none()
    return found


def waiting(connection: Connection) -> list[Customer]:
    """Customers with events that are not done, the longest waiting first."""
    return [Customer(channel=row.channel, account=row.account, id=row.person) for row in connection.execute(_WAITING)]


def open_events(connection: Connection, customer: Customer) -> list[Event]:
    """His events that are not done, in order of arrival."""
    return codec.readable(connection.execute(_OPEN, person(customer)), lambda row: _event(row, customer))


def fetched(connection: Connection, event: Event, arrived: Sequence[Photo], faults: Sequence[str]) -> Event:
    """Puts photos in the place of an event's references; told twice, the first telling stands.

    Raises :class:`~bot.errors.Erased` when the event is gone: its customer was erased meanwhile.
    """
    row = connection.execute(_ONE, person(event.customer) | {"event": event.id}).one_or_none()
    if row is None:
        raise erased(f"event {event.id} of {event.customer.channel}")
    if not row.body["refs"]:
        return _event(row, event.customer)
    kept = [*row.body["photos"], *codec.dump(tuple(arrived))]
    body = row.body | {"photos": kept, "refs": [], "faults": [*row.body["faults"], *faults]}
    changed = connection.execute(
        sa.update(events).where(events.c.id == row.id).values(body=body).returning(*events.c)
    ).one()
    connection.execute(sa.update(said).where(said.c.event_id == row.id, said.c.reply_id.is_(None)).values(photos=kept))
    return _event(changed, event.customer)


def _say(connection: Connection, conversation_id: int, event_row: int, event: Event) -> None:
    speaker = _SPEAKER.get(event.kind)
    if speaker is None or not (event.text or event.photos or event.refs):
        return
    row = {
        "conversation_id": conversation_id,
        "event_id": event_row,
        "speaker": speaker,
        "text": event.text,
        "photos": codec.dump(event.photos),
        "offers": [],
        "at": event.at,
    }
    connection.execute(_SAY, row)
    if speaker == "staff":
        # What he was sent he may look at. What he claims to have sent, he must have brought.
        for photo in event.photos:
            own(connection, event.customer, photo, None)


def _event(row: Row[Any], customer: Customer) -> Event:
    return Event(
        id=row.event_id,
        customer=customer,
        at=row.at,
        kind=codec.load(EventKind, row.kind),
        text=row.text,
        **codec.fields(Event, row.body),
    )
