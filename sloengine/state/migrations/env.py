"""Alembic's entry: it is handed a connection by :func:`sloengine.state.database.open_database`."""

from alembic import context

from sloengine.state.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
