"""What calls to providers brought after their click was answered."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "call_answers",
        sa.Column("id", sa.Text, primary_key=True),
        # empty for the preview of somebody whose LMS has no name for them
        sa.Column("learner_id", sa.Text, sa.ForeignKey("learners.id")),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
