"""Whether a launch was opened within a page of its LMS."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the column; of launches that are there, nobody knows."""
    framed = sa.Column("framed", sa.Integer, nullable=False, server_default="0")
    op.add_column("launches", framed)
