"""Grades that are still being made, and learners who are no longer active in their course."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

TIME = sa.BigInteger


def upgrade() -> None:
    """Add the columns, and the table of those who left."""
    # how a test that was handed in is being marked, in AGS' words; empty when there is nothing
    op.add_column("grades", sa.Column("awaiting", sa.Text, nullable=False, server_default=""))
    # the learner's last launch of the link: what a list said before it no longer counts
    op.add_column("grades", sa.Column("launched_at", TIME, nullable=False, server_default="0"))
    op.create_table(
        "departures",  # as the LMS last listed the course; who is active again has no row
        sa.Column("registration", sa.Text, primary_key=True),
        sa.Column("deployment_id", sa.Text, primary_key=True),
        sa.Column("context_id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("seen_at", TIME, nullable=False),
    )
