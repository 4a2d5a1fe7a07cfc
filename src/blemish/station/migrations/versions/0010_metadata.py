"""Batch, shift and camera in the index that the statistics are counted in."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"

_COVERED = (
    "verdict", "truth", "voided", "repeat_of", "version", "score", "threshold", "defect_type", "serial_number",
    "batch", "shift", "camera",
)  # fmt: skip


def upgrade() -> None:
    """Make the index anew."""
    op.drop_index("ix_inspections_inspector", "inspections")
    op.create_index("ix_inspections_inspector", "inspections", ["inspector", "time", "id", *_COVERED])
