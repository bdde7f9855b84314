"""A grade knows which requests an LMS may still carry out late."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Add the values of requests whose end nobody knows."""
    op.add_column("grades", sa.Column("unanswered", sa.Text, nullable=False, server_default=""))
