"""Learners whom tools grade before they were here: who is listed, and where grades go."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add both tables."""
    op.create_table(
        "tool_members",
        sa.Column("context_id", sa.Text, sa.ForeignKey("tool_contexts.id"), primary_key=True),
        sa.Column("learner_id", sa.Text, sa.ForeignKey("learners.id"), primary_key=True),
    )
    op.create_index("tool_members_by_learner", "tool_members", ["learner_id"])
    texts = ("registration", "deployment_id", "family", "line_item", "line_items", "scopes")
    op.create_table(
        "link_places",
        sa.Column("link_id", sa.Text, sa.ForeignKey("links.id"), primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        sa.Column("noted_at", sa.BigInteger, nullable=False),
    )
