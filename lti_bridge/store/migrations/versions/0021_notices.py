"""Notices of LMSs: where they are asked for, and which courses were copied from which."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add both tables."""
    op.create_table(
        "course_copies",
        sa.Column("registration", sa.Text, primary_key=True),
        sa.Column("deployment_id", sa.Text, primary_key=True),
        sa.Column("context_id", sa.Text, primary_key=True),
        sa.Column("origin_context_id", sa.Text, primary_key=True),
        sa.Column("told_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "notice_services",
        sa.Column("registration", sa.Text, primary_key=True),
        sa.Column("deployment_id", sa.Text, primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("base", sa.Text, nullable=False, server_default=""),
        sa.Column("handler", sa.Text, nullable=False, server_default=""),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("said", sa.Text, nullable=False, server_default=""),
    )
