"""Who said that a course is a copy."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Add it; until now only LMSs did."""
    told_by = sa.Column("told_by", sa.Text, nullable=False, server_default="")
    op.add_column("course_copies", told_by)
