"""The ledger of purchases."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

TIME = sa.BigInteger


def upgrade() -> None:
    """Add the ledger and its counters; what was bought before is in neither."""
    op.create_table(
        "purchases",
        # no foreign key: what was paid for stays in the ledger whatever becomes of the attempt
        sa.Column("attempt_id", sa.Text, primary_key=True),
        sa.Column("connection", sa.Text, nullable=False),
        sa.Column("registration", sa.Text, nullable=False),
        sa.Column("deployment_id", sa.Text, nullable=False),
        sa.Column("context_id", sa.Text, nullable=False),
        sa.Column("day", sa.Text, nullable=False),  # 2026-11-29, UTC
        sa.Column("at", TIME, nullable=False),
        sa.Column("given_back", sa.Integer, nullable=False),
    )
    op.create_table(
        "purchase_days",  # of those that were not given back
        sa.Column("connection", sa.Text, primary_key=True),
        sa.Column("registration", sa.Text, primary_key=True),
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("bought", sa.Integer, nullable=False),
    )
    op.create_index("purchases_of_a_day", "purchase_days", ["day"])
