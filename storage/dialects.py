"""Where databases differ in their words, and nowhere else."""

from __future__ import annotations

from functools import cache

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection


def insert(
    connection: Connection,
    table: sa.Table,
    *,
    keys: tuple[str, ...],
    update: tuple[str, ...] = (),
    returning: str | None = None,
) -> sa.Insert:
    """An INSERT that meets a row with the same ``keys``: it writes the columns ``update`` anew, or leaves it alone.

    ``returning`` names the column of the new row that it gives back; nothing comes back for a row left alone. The
    values are passed when it is executed, so that one statement is built once.
    """
    return _insert(connection.dialect.name, table, keys, update, returning)


@cache
def _insert(
    dialect: str, table: sa.Table, keys: tuple[str, ...], update: tuple[str, ...], returning: str | None
) -> sa.Insert:
    assert dialect == "sqlite"
    row = sqlite.insert(table)
    if update:
        row = row.on_conflict_do_update(index_elements=keys, set_={name: row.excluded[name] for name in update})
    else:
        row = row.on_conflict_do_nothing(index_elements=keys)
    return row if returning is None else row.returning(table.c[returning])
