"""Activities without a grade, and names of gradebook columns."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add both; what is there has a grade, and a column of its title."""
    label = sa.Column("label", sa.Text, nullable=False, server_default="")
    op.add_column("activities", label)
    ungraded = sa.Column("ungraded", sa.Integer, nullable=False, server_default="0")
    op.add_column("activities", ungraded)
