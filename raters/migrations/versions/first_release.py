"""The tables as first released, which had no revision yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables of the first release."""
    op.create_table(
        "meta",
        sa.Column("key", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "stimulus",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("file", sa.String(80), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("captions", sa.JSON, nullable=False),
        sa.Column("scales", sa.JSON, nullable=False),
        sa.Column("scene", sa.String(16), nullable=False),
        sa.Column("maker", sa.String(16), nullable=False),
        sa.Column("asked", sa.String(16), nullable=False),
    )
    op.create_table(
        "rater",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("block", sa.Integer, nullable=False, unique=True),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("rater_group", sa.String(80), nullable=False),
        sa.Column("simulated", sa.Boolean, nullable=False),
        sa.Column("room_language", sa.String(8), nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
        sa.Column("started_at", sa.String(40)),
        sa.Column("finished_at", sa.String(40)),
        sa.Column("withdrawn_at", sa.String(40)),
    )
    op.create_table(
        "session",
        sa.Column("secret_hash", sa.String(64), primary_key=True),
        sa.Column("rater", sa.String(16), sa.ForeignKey("rater.id"), nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
    )
    op.create_table(
        "assignment",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("block", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("first", sa.String(32), sa.ForeignKey("stimulus.id"), nullable=False),
        sa.Column("second", sa.String(32), sa.ForeignKey("stimulus.id")),
        sa.Column("last_phase", sa.String(16), nullable=False),
        sa.Column("occasion", sa.Integer, nullable=False),
        sa.Column("rubric_hash", sa.String(64), nullable=False),
        sa.UniqueConstraint("block", "position"),
    )
    op.create_table(
        "display",
        sa.Column("assignment", sa.String(32), sa.ForeignKey("assignment.id"), primary_key=True),
        sa.Column("phase", sa.String(16), primary_key=True),
        sa.Column("shown_at", sa.String(40), nullable=False),
    )
    _events_and_audit()


def _events_and_audit() -> None:
    op.create_table(
        "response_event",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("assignment", sa.String(32), sa.ForeignKey("assignment.id"), nullable=False),
        sa.Column("event_id", sa.String(36), nullable=False),
        sa.Column("rater", sa.String(16), sa.ForeignKey("rater.id"), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("payload", sa.JSON(none_as_null=True)),
        sa.Column("payload_hash", sa.String(64), nullable=False),
        sa.Column("room_language", sa.String(8), nullable=False),
        sa.Column("rubric_hash", sa.String(64), nullable=False),
        sa.Column("received_at", sa.String(40), nullable=False),
        sa.Column("client_time", sa.String(40), nullable=False),
        sa.UniqueConstraint("assignment", "event_id"),
    )
    op.create_index("response_of_phase", "response_event", ["assignment", "phase"])
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
