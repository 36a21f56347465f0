"""Sessions, anchors, clips, skips; invitations that end; background; a chained audit log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from bench.reading import canonical_hash
from raters.tables import chained

revision = "0002"
down_revision = "0001"

_ADDED: dict[str, Sequence[sa.Column[Any]]] = {
    "stimulus": (
        sa.Column("seconds", sa.Float),
        sa.Column("anchor", sa.Boolean, nullable=False, server_default=sa.false()),
    ),
    "rater": (
        sa.Column("label_order", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("expires_at", sa.String(40)),
        sa.Column("revoked_at", sa.String(40)),
    ),
    "assignment": (
        sa.Column("session", sa.Integer, nullable=False, server_default="1"),
        sa.Column("scene", sa.String(16), nullable=False, server_default=""),
        sa.Column("seconds", sa.Float, nullable=False, server_default="0"),
        sa.Column("expects", sa.JSON(none_as_null=True)),
    ),
    "response_event": (
        sa.Column("skip", sa.String(20)),
        sa.Column("shown", sa.JSON, nullable=False, server_default="{}"),
        sa.Column("protocol_version", sa.Integer, nullable=False, server_default="1"),
    ),
    "audit": (sa.Column("hash", sa.String(64), nullable=False, server_default=""),),
}

_SECONDS = {"attribution": 15.0, "scale": 10.0, "pair": 20.0}
"""The table by which the first release planned."""


def upgrade() -> None:
    """Add what this revision has, and fill it from what is there."""
    for table, columns in _ADDED.items():
        for column in columns:
            op.add_column(table, column)
    with op.batch_alter_table("rater") as batch:
        batch.alter_column("block", existing_type=sa.Integer, nullable=True)
    op.create_index("response_of_rater", "response_event", ["rater", "number"])
    op.create_table(
        "background",
        sa.Column("rater", sa.String(16), sa.ForeignKey("rater.id"), primary_key=True),
        sa.Column("question", sa.String(40), primary_key=True),
        sa.Column("answer", sa.Text, nullable=False),
    )
    op.create_table(
        "protocol_version",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
    )
    tables = sa.MetaData()
    tables.reflect(op.get_bind())
    _fill_assignments(op.get_bind(), tables)
    _wrap_scales(op.get_bind(), tables)
    _chain(op.get_bind(), tables.tables["audit"])


def _fill_assignments(connection: sa.Connection, tables: sa.MetaData) -> None:
    a, s = tables.tables["assignment"], tables.tables["stimulus"]
    rows = connection.execute(
        sa.select(a.c.id, a.c.last_phase, s.c.scene, s.c.scales).join(s, s.c.id == a.c.first)
    ).all()
    for row in rows:
        if row.last_phase == "pair":
            seconds = _SECONDS["pair"]
        else:
            asked = len(row.scales) if row.last_phase == "scales" else 0
            seconds = _SECONDS["attribution"] + _SECONDS["scale"] * asked
        connection.execute(
            sa.update(a).where(a.c.id == row.id).values(scene=row.scene, seconds=seconds)
        )


def _wrap_scales(connection: sa.Connection, tables: sa.MetaData) -> None:
    """Put the scales of a payload under a name: flags have come beside them."""
    e = tables.tables["response_event"]
    rows = connection.execute(
        sa.select(e.c.number, e.c.payload).where(e.c.phase == "scales", e.c.payload_hash != "")
    ).all()
    for row in rows:
        payload = {"scales": row.payload}
        told = canonical_hash({"phase": "scales", "payload": payload})
        connection.execute(
            sa.update(e).where(e.c.number == row.number).values(payload=payload, payload_hash=told)
        )


def _chain(connection: sa.Connection, audit: sa.Table) -> None:
    before = ""
    for row in connection.execute(sa.select(audit).order_by(audit.c.number)).all():
        before = chained(before, row.at, row.action, row.detail)
        connection.execute(sa.update(audit).where(audit.c.number == row.number).values(hash=before))
