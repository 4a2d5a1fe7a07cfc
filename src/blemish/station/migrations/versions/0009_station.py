"""Batch, shift and camera of inspections; photographs that sources have given, and signals that sinks still await."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns with their indexes, and the tables."""
    for name in ("batch", "shift", "camera"):
        known = sa.text(f"{name} IS NOT NULL")
        op.add_column("inspections", sa.Column(name, sa.Text(), nullable=True))
        op.create_index(
            f"ix_inspections_{name}",
            "inspections",
            [name, "time", "id"],
            sqlite_where=known,
            postgresql_where=known,
        )
    op.create_table(
        "taken",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("station", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("inspection_id", _NUMBER, nullable=True),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["inspections.id"], name="fk_taken_inspection_id_inspections"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_taken"),
        sa.UniqueConstraint("station", "source", "key", name="uq_taken_station_source_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "outbox",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("station", sa.Text(), nullable=False),
        sa.Column("sink", sa.Text(), nullable=False),
        sa.Column("inspection_id", _NUMBER, nullable=False),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("set_aside", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["inspections.id"], name="fk_outbox_inspection_id_inspections"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_station_sink", "outbox", ["station", "sink", "set_aside", "id"])
