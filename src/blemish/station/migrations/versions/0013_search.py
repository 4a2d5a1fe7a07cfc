"""An index for what is searched for in names: trigrams, where PostgreSQL may have its extension pg_trgm."""

from __future__ import annotations

import logging

from alembic import op
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

revision = "0013"
down_revision = "0012"

logger = logging.getLogger(__name__)

# As `InspectionLog` asks: column ILIKE '%...%'. One index for all three, for they are asked together.
SEARCHED = ("file_name", "serial_number", "batch")
COLUMNS = ", ".join(f"{name} gin_trgm_ops" for name in SEARCHED)
INDEX = f"CREATE INDEX IF NOT EXISTS ix_inspections_search ON inspections USING gin ({COLUMNS})"


def upgrade() -> None:
    """Create the index; without it a search looks at one row after the other, as in SQLite."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    try:
        with connection.begin_nested():  # what is refused must not end the upgrade
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())[:200]
        logger.warning(
            "PostgreSQL has no extension pg_trgm here (%s): searches of names look at one row after the other. "
            "docs/scale.md says what an administrator does.",
            reason,
        )
        return
    connection.execute(text(INDEX))
