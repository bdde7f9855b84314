"""Who a candidate or a test at a provider belongs to: one learner each."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

TIME = sa.BigInteger


def upgrade() -> None:
    """Add the table; what was there before is entered by `core.attempt.owners.adopt`."""
    op.create_table(
        "owners",
        sa.Column("id", sa.Text, primary_key=True),  # a MAC of what the provider calls it
        sa.Column("what", sa.Text, nullable=False),  # candidate or test
        sa.Column("connection", sa.Text, nullable=False),  # where it was met first
        sa.Column("learner_id", sa.Text, sa.ForeignKey("learners.id"), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_index("owners_by_learner", "owners", ["learner_id"])
