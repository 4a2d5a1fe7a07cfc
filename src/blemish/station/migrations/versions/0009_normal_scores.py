"""Scores of good parts are in the inspectors' files alone."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0007"


def upgrade() -> None:
    """Drop the column, which nobody has read since the stability index went."""
    with op.batch_alter_table("inspector_versions", schema=None) as batch_op:
        batch_op.drop_column("normal_scores")
