"""Attempts at providers that are called: references, polling, limits, reservations."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TIME = sa.BigInteger


def upgrade() -> None:
    """Add columns and tables."""
    op.add_column("attempts", sa.Column("reference", sa.Text, nullable=False, server_default=""))
    op.add_column("attempts", sa.Column("data", sa.Text, nullable=False, server_default="{}"))
    op.add_column("attempts", sa.Column("poll_at", TIME))
    op.add_column("attempts", sa.Column("polls", sa.Integer, nullable=False, server_default="0"))
    named = sa.text("reference <> ''")
    op.create_index(
        "attempts_by_reference",
        "attempts",
        ["connection", "reference"],
        sqlite_where=named,
        postgresql_where=named,
    )
    due = sa.text("poll_at IS NOT NULL")
    op.create_index(
        "attempts_to_poll", "attempts", ["poll_at"], sqlite_where=due, postgresql_where=due
    )
    op.create_table(
        "attempt_changes",
        sa.Column("attempt_id", sa.Text, sa.ForeignKey("attempts.id"), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("attempt_changes_by_attempt", "attempt_changes", ["attempt_id", "at"])
    op.create_table(
        "adjustments",
        sa.Column("activity_id", sa.Text, primary_key=True),
        sa.Column("learner_id", sa.Text, sa.ForeignKey("learners.id"), primary_key=True),
        sa.Column("extra_attempts", sa.Integer, nullable=False),
        sa.Column("extra_time_percent", sa.Integer, nullable=False),
    )
    op.create_table(
        "notices_read",
        sa.Column("connection", sa.Text, primary_key=True),
        sa.Column("learner_id", sa.Text, sa.ForeignKey("learners.id"), primary_key=True),
        sa.Column("at", TIME, nullable=False),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "reservations",
        sa.Column("connection", sa.Text, primary_key=True),
        sa.Column("slot", sa.Text, primary_key=True),
        sa.Column("seat", sa.Integer, primary_key=True),
        sa.Column("learner_id", sa.Text, nullable=False),
        sa.Column("attempt_id", sa.Text, nullable=False),
        sa.UniqueConstraint("connection", "slot", "learner_id"),
    )
