"""Conversations: what the prompt is built from, what a person reads, and the replies that wait to be sent.

Functions over a connection; ``store.SqlStore`` runs each as one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from bot.model import Answer, Conversation, Customer, Event, Exchange, Fact, Language, Offer, Photo, Reply, Trace, Turn
from bot.ports import Outgoing, Said
from storage import codec
from storage.columns import now
from storage.customers import HE, begin_conversation, erased, find, keep, own, person, place
from storage.tables import conversations, events, exchanges, replies, said

_THIS = conversations.c.id == sa.bindparam("this")
_ONE = sa.select(conversations).where(_THIS)
_CURRENT = sa.select(conversations).where(conversations.c.customer_id == HE, conversations.c.closed_at.is_(None))
_SPEAK = sa.update(conversations).where(_THIS, conversations.c.language.is_(None))
_CLOSE = sa.update(conversations).where(
    conversations.c.customer_id == sa.bindparam("customer"), conversations.c.closed_at.is_(None)
)
_EXCHANGES = (
    sa.select(exchanges)
    .where(exchanges.c.conversation_id == sa.bindparam("this"), exchanges.c.id >= sa.bindparam("first"))
    .order_by(exchanges.c.id)
)
_OWNER = sa.select(conversations.c.customer_id).where(_THIS)
_NOT_DONE = (
    sa.select(events.c.id, events.c.event_id)
    .where(
        events.c.customer_id == sa.bindparam("customer"),
        events.c.event_id.in_(sa.bindparam("ids", expanding=True)),
        events.c.done_at.is_(None),
    )
    .with_for_update()
)
_DONE = sa.update(events).where(events.c.id.in_(sa.bindparam("ids", expanding=True)))
# A message that came while a new conversation began is read where it was answered.
_READ_HERE = sa.update(said).where(
    said.c.event_id.in_(sa.bindparam("ids", expanding=True)), said.c.conversation_id != sa.bindparam("this")
)
_EXCHANGE = sa.insert(exchanges)
_REPLY = sa.insert(replies).returning(replies.c.id)
_SAY = sa.insert(said)
_OUTGOING = (
    sa.select(replies.c.id, replies.c.reply, replies.c.trace)
    .where(replies.c.sent_at.is_(None), replies.c.error.is_(None))
    .order_by(replies.c.id)
)
_UNSENT = sa.select(replies.c.id).where(
    replies.c.id == sa.bindparam("this"), replies.c.sent_at.is_(None), replies.c.error.is_(None)
)
_SENT = sa.update(replies).where(replies.c.id == sa.bindparam("this"), replies.c.sent_at.is_(None))
_HISTORY = (
    sa.select(said, events.c.event_id.label("event"))
    .join_from(conversations, said, said.c.conversation_id == conversations.c.id)
    .outerjoin(events, events.c.id == said.c.event_id)
    .where(conversations.c.customer_id == HE, conversations.c.closed_at.is_(None), said.c.id > sa.bindparam("after"))
    .order_by(said.c.id)
    .limit(sa.bindparam("most"))
)


def current(connection: Connection, customer: Customer) -> Conversation | None:
    """The current conversation; ``None`` while there is none whose language is known."""
    row = connection.execute(_CURRENT, person(customer)).one_or_none()
    return None if row is None or row.language is None else _conversation(connection, row, customer)


def keep_current(connection: Connection, customer: Customer, language: Language) -> Conversation:
    """The current conversation, begun in this language when nobody has done so.

    Raises :class:`~bot.errors.Erased` for one who is not known: whoever writes is known before he is answered.
    """
    if find(connection, customer) is None:
        raise erased(f"a customer of {customer.channel}")
    _, conversation_id = place(connection, customer)
    connection.execute(_SPEAK, {"this": conversation_id, "language": language})
    return _conversation(connection, connection.execute(_ONE, {"this": conversation_id}).one(), customer)


def begin(connection: Connection, customer: Customer, language: Language) -> Conversation:
    """Closes the current conversation and begins another; makes the customer when he is new."""
    customer_id = keep(connection, customer)
    connection.execute(_CLOSE, {"customer": customer_id, "closed_at": now()})
    conversation_id = begin_conversation(connection, customer_id, language)
    return _conversation(connection, connection.execute(_ONE, {"this": conversation_id}).one(), customer)


def fix_head(connection: Connection, conversation: Conversation, head: str) -> Conversation:
    """Fixes the head of a conversation that has none; one that has keeps it."""
    connection.execute(
        sa.update(conversations)
        .where(conversations.c.id == conversation.id, conversations.c.head == "")
        .values(head=head)
    )
    return _again(connection, conversation)


def fold(connection: Connection, conversation: Conversation, folded: str, keep: int) -> Conversation:
    """Keeps the newest ``keep`` exchanges for the prompt. All stay in the database: export shows them."""
    newest = (
        sa.select(exchanges.c.id)
        .where(exchanges.c.conversation_id == conversation.id)
        .order_by(exchanges.c.id.desc())
        .limit(max(keep, 1))
    )
    ids = connection.execute(newest).scalars().all()
    if ids:
        first = ids[-1] if keep > 0 else ids[0] + 1
        connection.execute(
            sa.update(conversations)
            .where(conversations.c.id == conversation.id)
            .values(
                folded=folded,
                kept_from=sa.case((conversations.c.kept_from > first, conversations.c.kept_from), else_=first),
            )
        )
    return _again(connection, conversation)


def finish(
    connection: Connection,
    conversation: Conversation,
    done: Sequence[Event],
    new_exchanges: Sequence[Exchange],
    new_replies: Sequence[tuple[Reply, Trace]],
) -> list[Outgoing]:
    """The events are done, the exchanges stand, the replies wait to be sent: all or nothing.

    Nothing, and an empty list, when one of the events is done already or gone with its customer: somebody else
    answered, or nobody may. What is still open of them is found by ``events`` again.
    """
    customer_id = connection.execute(_OWNER, {"this": conversation.id}).scalar_one_or_none()
    if customer_id is None:
        return []
    ids = list(dict.fromkeys(event.id for event in done))
    rows: dict[str, int] = {}
    if ids:
        found = connection.execute(_NOT_DONE, {"customer": customer_id, "ids": ids}).all()
        if len(found) != len(ids):
            return []
        rows = {row.event_id: row.id for row in found}
    at = now()
    if rows:
        numbers = list(rows.values())
        connection.execute(_DONE, {"ids": numbers, "done_at": at})
        connection.execute(_READ_HERE, {"ids": numbers, "this": conversation.id, "conversation_id": conversation.id})
    if new_exchanges:
        connection.execute(_EXCHANGE, [_exchange_row(conversation.id, exchange) for exchange in new_exchanges])
    answered = rows.get(ids[-1]) if ids else None
    return [_put_out(connection, conversation.id, answered, reply, trace, at) for reply, trace in new_replies]


def outgoing(connection: Connection) -> list[Outgoing]:
    """Replies that no platform has taken, oldest first."""
    return codec.readable(
        connection.execute(_OUTGOING),
        lambda row: Outgoing(id=row.id, reply=codec.load(Reply, row.reply), trace=codec.load(Trace, row.trace)),
    )


def unsent(connection: Connection, reply_id: int) -> bool:
    """Whether a reply still waits to be sent."""
    return connection.execute(_UNSENT, {"this": reply_id}).one_or_none() is not None


def sent(connection: Connection, reply_id: int, error: str | None) -> None:
    """The platform took the reply, or never will. A reply that was taken stays taken."""
    connection.execute(_SENT, {"this": reply_id, "sent_at": now() if error is None else None, "error": error})


def history(connection: Connection, customer: Customer, after: int, limit: int) -> list[Said]:
    """What was said in the current conversation after a row, oldest first."""
    found = connection.execute(_HISTORY, person(customer) | {"after": after, "most": limit})
    return codec.readable(found, _said)


def _put_out(
    connection: Connection, conversation_id: int, event_id: int | None, reply: Reply, trace: Trace, at: datetime
) -> Outgoing:
    told = codec.dump(trace)
    row = {"conversation_id": conversation_id, "reply": codec.dump(reply), "trace": told, "created_at": at}
    reply_id = connection.execute(_REPLY, row).scalar_one()
    line = {
        "conversation_id": conversation_id,
        "event_id": event_id,
        "reply_id": reply_id,
        "speaker": "staff" if reply.source == "staff" else "bot",
        "text": reply.text,
        "photos": codec.dump(reply.photos),
        "offers": codec.dump(reply.offers),
        "trace": told,
        "at": at,
    }
    connection.execute(_SAY, line)
    for photo in reply.photos:
        own(connection, reply.customer, photo, None)
    return Outgoing(id=reply_id, reply=reply, trace=trace)


def _exchange_row(conversation_id: int, exchange: Exchange) -> dict[str, Any]:
    return {
        "conversation_id": conversation_id,
        "body": codec.dump(exchange.body),
        "facts": codec.dump(exchange.facts),
        "answer": codec.dump(exchange.answer),
    }


def _again(connection: Connection, conversation: Conversation) -> Conversation:
    row = connection.execute(_ONE, {"this": conversation.id}).one_or_none()
    if row is None:
        raise erased(f"conversation {conversation.id}")
    return _conversation(connection, row, conversation.customer)


def _conversation(connection: Connection, row: Row[Any], customer: Customer) -> Conversation:
    found = connection.execute(_EXCHANGES, {"this": row.id, "first": row.kept_from})
    return Conversation(
        id=row.id,
        customer=customer,
        language=row.language,
        holder=row.holder,
        head=row.head,
        folded=row.folded,
        exchanges=tuple(codec.readable(found, _exchange)),
    )


def _exchange(row: Row[Any]) -> Exchange:
    return Exchange(
        **codec.fields(Exchange, {"body": row.body}),
        facts=codec.load_all(Fact, row.facts),
        answer=None if row.answer is None else codec.load(Answer, row.answer),
    )


def _said(row: Row[Any]) -> Said:
    turn = Turn(speaker=row.speaker, text=row.text, photos=codec.load_all(Photo, row.photos), at=row.at)
    return Said(
        id=row.id,
        turn=turn,
        event=row.event,
        offers=codec.load_all(Offer, row.offers),
        trace=None if row.trace is None else codec.load(Trace, row.trace),
    )
