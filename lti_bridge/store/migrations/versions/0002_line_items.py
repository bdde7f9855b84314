"""The line item of a link where its LMS names none: found or made once, and by one worker."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "line_items",
        sa.Column("link_id", sa.Text, sa.ForeignKey("links.id"), primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("lease", sa.Text),
        sa.Column("leased_until", sa.BigInteger),
    )
