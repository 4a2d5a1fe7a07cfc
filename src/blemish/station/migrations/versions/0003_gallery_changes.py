"""What galleries have still to learn of the log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table as of this revision."""
    op.create_table(
        "gallery_changes",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("station", sa.Text(), nullable=False),
        sa.Column("inspection_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["inspections.id"], name=op.f("fk_gallery_changes_inspection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gallery_changes")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("gallery_changes", schema=None) as batch_op:
        batch_op.create_index("ix_gallery_changes_station", ["station", "id"], unique=False)
