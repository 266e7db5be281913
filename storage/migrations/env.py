"""What Alembic runs. The connection comes from ``storage.schema``, inside a transaction that is begun already: a
migration happens as a whole or not at all, and a second program that starts meanwhile waits for it.
"""

from alembic import context

from storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a column only by building its table anew
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
