"""Run by alembic, for the connection that `storage.migrate` hands over."""

from __future__ import annotations

from alembic import context

from coder_enterprise.server.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
