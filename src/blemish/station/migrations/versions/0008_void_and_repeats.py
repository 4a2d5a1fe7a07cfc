"""Serial numbers, repeats of one photograph, and inspections that are void."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_COVERED = (
    "verdict", "truth", "voided", "repeat_of", "version", "score", "threshold", "defect_type", "serial_number",
)  # fmt: skip
_FIRST = """
UPDATE inspections SET repeat_of = firsts.id
FROM (SELECT inspector, image_digest, min(id) AS id FROM inspections GROUP BY inspector, image_digest) AS firsts
WHERE firsts.inspector = inspections.inspector AND firsts.image_digest = inspections.image_digest
AND firsts.id < inspections.id
"""


def upgrade() -> None:
    """Add the columns, mark the repeats among what is there, and index what is searched and counted."""
    columns: dict[str, Any] = {
        "serial_number": sa.Text(),
        "repeat_of": sa.BigInteger(),
        "voided": sa.BigInteger(),
        "void_reason": sa.Text(),
        "void_by": sa.Text(),
    }
    for name, kind in columns.items():
        op.add_column("inspections", sa.Column(name, kind, nullable=True))
    op.execute(_FIRST)
    op.drop_index("ix_inspections_inspector", "inspections")
    op.create_index("ix_inspections_inspector", "inspections", ["inspector", "time", "id", *_COVERED])
    known = sa.text("serial_number IS NOT NULL")
    op.create_index(
        "ix_inspections_serial_number", "inspections", ["serial_number", "time", "id"],
        sqlite_where=known, postgresql_where=known,
    )  # fmt: skip
