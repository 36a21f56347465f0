"""Links are exchanged once: codes and later links by which raters come back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table; whose link was used by now is known from when they started."""
    op.create_table(
        "way_back",
        sa.Column("secret_hash", sa.String(64), primary_key=True),
        sa.Column("rater", sa.String(16), sa.ForeignKey("rater.id"), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
        sa.Column("expires_at", sa.String(40)),
        sa.Column("used_at", sa.String(40)),
    )
