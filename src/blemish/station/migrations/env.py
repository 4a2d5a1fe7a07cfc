"""Runs migrations on the connection that `Database.upgrade` gives, inside its transaction."""

from __future__ import annotations

from alembic import context

from blemish.station.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
context.run_migrations()
