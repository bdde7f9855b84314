"""LTI 1.3 tools that registered themselves, and instructors who are at a tool to choose.

The row "tools" of `counters` rises with every change of `tools`. An invitation of a tool stands in
`invitations`, with the purpose "tool".
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

TIME = sa.BigInteger


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "tools",
        sa.Column("name", sa.Text, primary_key=True),  # of the connection
        sa.Column("client_id", sa.Text, nullable=False, unique=True),
        sa.Column("connection", sa.Text, nullable=False),  # JSON: as [[connection]] has it
        sa.Column("registered", sa.Text, nullable=False),  # JSON: what was registered
        sa.Column("state", sa.Text, nullable=False),  # pending, active, retired
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("approved_at", TIME),
        sa.Column("retired_at", TIME),
    )
    op.create_table(
        "tool_choices",  # one row from the way to the tool to its answer, which takes it away
        sa.Column("data", sa.Text, primary_key=True),  # SHA-256 of what the tool sends back
        sa.Column("browser", sa.Text, nullable=False),  # SHA-256 of the cookie's value
        sa.Column("connection", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),  # of the held launch
        sa.Column("chosen", sa.Text, nullable=False),
        sa.Column("multiple", sa.Integer, nullable=False),
        sa.Column("until", TIME, nullable=False),
    )
    op.create_index("tool_choices_expiry", "tool_choices", ["until"])
