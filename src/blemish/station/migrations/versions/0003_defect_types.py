"""What inspectors say of the defect's type, beside what people say of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the type and the probabilities; inspections of before have none."""
    with op.batch_alter_table("inspections", schema=None) as batch_op:
        batch_op.add_column(sa.Column("type", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("types", sa.JSON(), nullable=False, server_default=sa.text("'{}'")))
