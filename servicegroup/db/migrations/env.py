"""Alembic's entry: runs on the connection and in the transaction that it is handed."""

from alembic import context

from servicegroup.db import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    version_table=tables.VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
