"""Every table. Migrations build them; this says what they must come out as, and a test compares the two.

Row ids are never given twice (``sqlite_autoincrement``): a page reads on from an id, and an engine's memory of an
erased conversation must not fit the next one. Every foreign key has an index, or an erasure would read whole tables.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

from storage.columns import Instant, Money, RowId, Words

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: What is true of the database itself: ``secret`` keys the traces that erasures leave, ``scrub`` says that the file is
#: still to be cleaned after one (see ``rights``).
about = Table(
    "about",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Words, nullable=False),
)

# ------------------------------------------------------------------------------------------------ who writes, and what

customers = Table(
    "customers",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("channel", Words, nullable=False),
    Column("account", Words, nullable=False),
    #: The platform's id of the person.
    Column("person", Words, nullable=False),
    Column("since", Instant, nullable=False),
    UniqueConstraint("channel", "account", "person"),
    sqlite_autoincrement=True,
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    #: Not known yet while nobody has read the events that opened it.
    Column("language", String(8)),
    Column("holder", String(8), nullable=False),
    #: Empty until it is fixed.
    Column("head", Words, nullable=False),
    Column("folded", Words, nullable=False),
    #: The first exchange that still stands in the prompt; what is older was folded.
    Column("kept_from", BigInteger, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("closed_at", Instant),
    CheckConstraint("holder IN ('bot', 'queue', 'staff')", name="holder"),
    Index("ix_conversations_customer_id", "customer_id"),
    #: One conversation is the current one.
    Index(
        "uq_conversations_current",
        "customer_id",
        unique=True,
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    #: The order of arrival.
    Column("id", RowId, primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    #: The platform's id, known for ever.
    Column("event_id", Words, nullable=False),
    Column("kind", String(20), nullable=False),
    #: When the platform says that it happened.
    Column("at", Instant, nullable=False),
    Column("text", Words, nullable=False),
    #: The rest of the value: photos, refs, faults, attachment, album, route, language, target.
    Column("body", JSON, nullable=False),
    Column("arrived_at", Instant, nullable=False),
    Column("done_at", Instant),
    UniqueConstraint("customer_id", "event_id"),
    #: Holds what waits and nothing else, however many events there were.
    Index(
        "ix_events_open",
        "customer_id",
        "id",
        sqlite_where=text("done_at IS NULL"),
        postgresql_where=text("done_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

marks = Table(
    "marks",
    metadata,
    Column("channel", Words, primary_key=True),
    Column("account", Words, primary_key=True),
    Column("value", Words, nullable=False),
    Column("at", Instant, nullable=False),
)

#: What the prompt is built from again; only ever appended to.
exchanges = Table(
    "exchanges",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False),
    Column("body", JSON, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("answer", JSON(none_as_null=True)),
    Index("ix_exchanges_conversation_id_id", "conversation_id", "id"),
    sqlite_autoincrement=True,
)

#: The outbox. Open while neither sent nor given up (``error``).
replies = Table(
    "replies",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False),
    Column("reply", JSON, nullable=False),
    Column("trace", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("error", Words),
    Index("ix_replies_conversation_id", "conversation_id"),
    Index(
        "ix_replies_open",
        "id",
        sqlite_where=text("sent_at IS NULL AND error IS NULL"),
        postgresql_where=text("sent_at IS NULL AND error IS NULL"),
    ),
    sqlite_autoincrement=True,
)

#: What a person reads: the customer's line from its arrival on, the shop's from the commit of the reply.
said = Table(
    "said",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False),
    #: The event that the line came from or that it answers.
    Column("event_id", ForeignKey("events.id")),
    #: The reply that it shows; empty for what came in.
    Column("reply_id", ForeignKey("replies.id")),
    Column("speaker", String(8), nullable=False),
    Column("text", Words, nullable=False),
    Column("photos", JSON, nullable=False),
    Column("offers", JSON, nullable=False),
    Column("trace", JSON(none_as_null=True)),
    Column("at", Instant, nullable=False),
    Index("ix_said_conversation_id_id", "conversation_id", "id"),
    Index("ix_said_event_id", "event_id"),
    Index("ix_said_reply_id", "reply_id"),
    sqlite_autoincrement=True,
)

# ------------------------------------------------------------------------------------------------ photos

photos = Table(
    "photos",
    metadata,
    #: Of the bytes as they arrived.
    Column("sha256", String(64), primary_key=True),
    Column("media_type", String(40), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    #: Of the kept JPEG; empty while its file has not been written here.
    Column("bytes", Integer),
    Column("added_at", Instant, nullable=False),
)

photo_owners = Table(
    "photo_owners",
    metadata,
    Column("customer_id", ForeignKey("customers.id"), primary_key=True),
    Column("sha256", ForeignKey("photos.sha256"), primary_key=True),
    Column("at", Instant, nullable=False),
    Index("ix_photo_owners_sha256", "sha256"),
)

# ------------------------------------------------------------------------------------------------ the shop's data

shops = Table(
    "shops",
    metadata,
    Column("shop", Words, primary_key=True),
    #: Of the knowledge that was read in last.
    Column("version", Words, nullable=False),
    Column("learned_at", Instant, nullable=False),
)

products = Table(
    "products",
    metadata,
    Column("shop", Words, primary_key=True),
    Column("id", Words, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("name", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("pattern", Words, nullable=False),
    Column("material", Words, nullable=False),
    Column("about", Words, nullable=False),
    Column("kind_also", JSON, nullable=False),
    Column("pattern_also", JSON, nullable=False),
)

variants = Table(
    "variants",
    metadata,
    Column("shop", Words, primary_key=True),
    Column("sku", Words, primary_key=True),
    Column("product", Words, nullable=False),
    Column("position", Integer, nullable=False),
    Column("colour", Words, nullable=False),
    Column("sizes", JSON, nullable=False),
    Column("price", Money, nullable=False),
    Column("stock", Integer, nullable=False),
    Column("picture", Words, nullable=False),
    Column("colour_also", JSON, nullable=False),
    ForeignKeyConstraint(["shop", "product"], ["products.shop", "products.id"]),
    Index("ix_variants_shop_product", "shop", "product"),
)

policy = Table(
    "policy",
    metadata,
    Column("shop", Words, primary_key=True),
    Column("id", Words, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("title", Words, nullable=False),
    Column("passages", JSON, nullable=False),
)

faq = Table(
    "faq",
    metadata,
    Column("shop", Words, primary_key=True),
    Column("id", Words, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("question", Words, nullable=False),
    Column("answer", Words, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("shop", Words, primary_key=True),
    Column("number", Words, primary_key=True),
    #: The number as customers' spellings of it are compared: see ``shop.joined``.
    Column("joined", Words, nullable=False),
    Column("phone_tail", Words, nullable=False),
    Column("status", Words, nullable=False),
    Column("at", Instant, nullable=False),
    Column("carrier", Words, nullable=False),
    Column("tracking", Words, nullable=False),
    Index("ix_orders_shop_joined", "shop", "joined"),
)

order_lines = Table(
    "order_lines",
    metadata,
    Column("shop", Words, primary_key=True),
    Column("number", Words, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("sku", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("price", Money, nullable=False),
    ForeignKeyConstraint(["shop", "number"], ["orders.shop", "orders.number"]),
)

#: Which orders a customer may hear of. No foreign key to the order: bindings outlive a new import.
order_bindings = Table(
    "order_bindings",
    metadata,
    Column("customer_id", ForeignKey("customers.id"), primary_key=True),
    Column("shop", Words, primary_key=True),
    Column("number", Words, primary_key=True),
    Column("at", Instant, nullable=False),
)

# ------------------------------------------------------------------------------------------------ what erasing leaves

#: ``conversation`` and ``photo``: what engines must not keep. ``customer``: who must stay erased after a restore.
tombstones = Table(
    "tombstones",
    metadata,
    Column("kind", String(12), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("at", Instant, nullable=False),
)

#: That something was done, never to whom.
audit = Table(
    "audit",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("action", String(40), nullable=False),
    Column("counts", JSON, nullable=False),
    sqlite_autoincrement=True,
)
