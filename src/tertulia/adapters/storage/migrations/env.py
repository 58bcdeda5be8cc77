"""What Alembic runs for each migration: on the connection that `migrate.py` gives it."""

from alembic import context

from tertulia.adapters.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
