"""What the LMS itself shows, and who is in a course."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

TIME = sa.BigInteger


def upgrade() -> None:
    """Add the columns of read-back, and the addresses of the courses' lists of members."""
    for name in ("family", "told", "shown"):
        op.add_column("grades", sa.Column(name, sa.Text, nullable=False, server_default=""))
    for name in ("forced_version", "overridden", "reads"):
        op.add_column("grades", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    for name in ("shown_at", "read_at"):
        op.add_column("grades", sa.Column(name, TIME))
    # what was delivered before this version is what the LMS holds from us
    op.execute(
        "UPDATE grades SET told = coalesce(given || '/' || maximum, '-')"
        " WHERE delivered_version = version AND version > 0"
    )
    planned = sa.text("read_at IS NOT NULL")
    op.create_index(
        "grades_to_read", "grades", ["read_at"], sqlite_where=planned, postgresql_where=planned
    )
    op.create_table(
        "rosters",
        sa.Column("registration", sa.Text, primary_key=True),
        sa.Column("deployment_id", sa.Text, primary_key=True),
        sa.Column("context_id", sa.Text, primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
    )
