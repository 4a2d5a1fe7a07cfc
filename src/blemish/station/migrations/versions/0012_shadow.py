"""Versions that judge beside the active one, and what they say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0010"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "shadows",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("beside", sa.BigInteger(), nullable=False),
        sa.Column("parts", sa.BigInteger(), nullable=False),
        sa.Column("most_differences", sa.BigInteger(), nullable=True),
        sa.Column("begun", sa.BigInteger(), nullable=False),
        sa.Column("begun_after", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.Column("ended_after", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_shadows"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_shadows_name", "shadows", ["name", "id"])
    running = sa.text("ended IS NULL")
    op.create_index(
        "uq_shadows_running", "shadows", ["name"], unique=True, sqlite_where=running, postgresql_where=running
    )
    op.create_table(
        "shadow_verdicts",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("shadow_id", _NUMBER, nullable=False),
        sa.Column("inspection_id", _NUMBER, nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shadow_id"], ["shadows.id"], name="fk_shadow_verdicts_shadow_id_shadows"),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["inspections.id"], name="fk_shadow_verdicts_inspection_id_inspections"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shadow_verdicts"),
        sa.UniqueConstraint("shadow_id", "inspection_id", name="uq_shadow_verdicts_shadow_id_inspection_id"),
        sqlite_autoincrement=True,
    )
