"""Run the migrations on the connection that `raters.migrate` holds, within its transaction."""

from __future__ import annotations

from alembic import context

from raters.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
