"""The first tables: customers and what they say, the inbox and the outbox, photos, the shop's data, erasures.

Revision: 0001
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Written out, not imported: a migration means the same for ever, whatever storage.columns becomes.
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    about = op.create_table(
        "about",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_about")),
    )
    op.create_table(
        "audit",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "customers",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("channel", "account", "person", name=op.f("uq_customers_channel_account_person")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "faq",
        sa.Column("shop", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shop", "id", name=op.f("pk_faq")),
    )
    op.create_table(
        "marks",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("channel", "account", name=op.f("pk_marks")),
    )
    op.create_table(
        "orders",
        sa.Column("shop", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("joined", sa.Text(), nullable=False),
        sa.Column("phone_tail", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("tracking", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shop", "number", name=op.f("pk_orders")),
    )
    op.create_index("ix_orders_shop_joined", "orders", ["shop", "joined"], unique=False)
    op.create_table(
        "photos",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=True),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_photos")),
    )
    op.create_table(
        "policy",
        sa.Column("shop", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("passages", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("shop", "id", name=op.f("pk_policy")),
    )
    op.create_table(
        "products",
        sa.Column("shop", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.Column("material", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("kind_also", sa.JSON(), nullable=False),
        sa.Column("pattern_also", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("shop", "id", name=op.f("pk_products")),
    )
    op.create_table(
        "shops",
        sa.Column("shop", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("learned_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("shop", name=op.f("pk_shops")),
    )
    op.create_table(
        "tombstones",
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_tombstones")),
    )
    op.create_table(
        "conversations",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("customer_id", ROW_ID, nullable=False),
        sa.Column("language", sa.String(length=8), nullable=True),
        sa.Column("holder", sa.String(length=8), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.Column("kept_from", sa.BigInteger(), nullable=False),
        sa.Column("began_at", INSTANT, nullable=False),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.CheckConstraint("holder IN ('bot', 'queue', 'staff')", name=op.f("ck_conversations_holder")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_conversations_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_conversations_customer_id", "conversations", ["customer_id"], unique=False)
    op.create_index(
        "uq_conversations_current",
        "conversations",
        ["customer_id"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "events",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("customer_id", ROW_ID, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("arrived_at", INSTANT, nullable=False),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_events_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("customer_id", "event_id", name=op.f("uq_events_customer_id_event_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_events_open",
        "events",
        ["customer_id", "id"],
        unique=False,
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "order_bindings",
        sa.Column("customer_id", ROW_ID, nullable=False),
        sa.Column("shop", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_order_bindings_customer_id")),
        sa.PrimaryKeyConstraint("customer_id", "shop", "number", name=op.f("pk_order_bindings")),
    )
    op.create_table(
        "order_lines",
        sa.Column("shop", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("price", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop", "number"], ["orders.shop", "orders.number"], name=op.f("fk_order_lines_shop_number")
        ),
        sa.PrimaryKeyConstraint("shop", "number", "position", name=op.f("pk_order_lines")),
    )
    op.create_table(
        "photo_owners",
        sa.Column("customer_id", ROW_ID, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_photo_owners_customer_id")),
        sa.ForeignKeyConstraint(["sha256"], ["photos.sha256"], name=op.f("fk_photo_owners_sha256")),
        sa.PrimaryKeyConstraint("customer_id", "sha256", name=op.f("pk_photo_owners")),
    )
    op.create_index("ix_photo_owners_sha256", "photo_owners", ["sha256"], unique=False)
    op.create_table(
        "variants",
        sa.Column("shop", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("colour", sa.Text(), nullable=False),
        sa.Column("sizes", sa.JSON(), nullable=False),
        sa.Column("price", sa.String(length=40), nullable=False),
        sa.Column("stock", sa.Integer(), nullable=False),
        sa.Column("picture", sa.Text(), nullable=False),
        sa.Column("colour_also", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["shop", "product"], ["products.shop", "products.id"], name=op.f("fk_variants_shop_product")
        ),
        sa.PrimaryKeyConstraint("shop", "sku", name=op.f("pk_variants")),
    )
    op.create_index("ix_variants_shop_product", "variants", ["shop", "product"], unique=False)
    op.create_table(
        "exchanges",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("conversation_id", ROW_ID, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("answer", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_exchanges_conversation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchanges")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_exchanges_conversation_id_id", "exchanges", ["conversation_id", "id"], unique=False)
    op.create_table(
        "replies",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("conversation_id", ROW_ID, nullable=False),
        sa.Column("reply", sa.JSON(), nullable=False),
        sa.Column("trace", sa.JSON(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_replies_conversation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replies")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_replies_conversation_id", "replies", ["conversation_id"], unique=False)
    op.create_index(
        "ix_replies_open",
        "replies",
        ["id"],
        unique=False,
        sqlite_where=sa.text("sent_at IS NULL AND error IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL AND error IS NULL"),
    )
    op.create_table(
        "said",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("conversation_id", ROW_ID, nullable=False),
        sa.Column("event_id", ROW_ID, nullable=True),
        sa.Column("reply_id", ROW_ID, nullable=True),
        sa.Column("speaker", sa.String(length=8), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("photos", sa.JSON(), nullable=False),
        sa.Column("offers", sa.JSON(), nullable=False),
        sa.Column("trace", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_said_conversation_id")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_said_event_id")),
        sa.ForeignKeyConstraint(["reply_id"], ["replies.id"], name=op.f("fk_said_reply_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_said")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_said_conversation_id_id", "said", ["conversation_id", "id"], unique=False)
    op.create_index("ix_said_event_id", "said", ["event_id"], unique=False)
    op.create_index("ix_said_reply_id", "said", ["reply_id"], unique=False)
    op.bulk_insert(about, [{"name": "secret", "value": secrets.token_hex(32)}])
