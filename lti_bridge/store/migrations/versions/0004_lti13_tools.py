"""LTI 1.3 tools as providers: launches under way, courses, users, line items and scores.

`tool_users`, `tool_contexts` and `tool_line_items` say what an id that a tool was told stands for;
such an id belongs to one connection, and nothing is found under another one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

TIME = sa.BigInteger


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "tool_launches",  # one row from the login initiation to the id_token, which takes it away
        sa.Column("hint", sa.Text, primary_key=True),  # SHA-256 of the lti_message_hint
        sa.Column("connection", sa.Text, nullable=False),
        sa.Column("login_hint", sa.Text, nullable=False),
        sa.Column("browser", sa.Text, nullable=False),  # SHA-256 of the cookie's value
        sa.Column("claims", sa.Text, nullable=False),  # JSON: the id_token but for nonce and times
        sa.Column("until", TIME, nullable=False),
    )
    op.create_index("tool_launches_expiry", "tool_launches", ["until"])
    op.create_table(
        "tool_users",
        sa.Column("connection", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, primary_key=True),  # the pairwise id: sub, userId
        sa.Column("learner_id", sa.Text, sa.ForeignKey("learners.id"), nullable=False),
    )
    op.create_table(
        "tool_contexts",
        sa.Column("id", sa.Text, primary_key=True),  # as the tool knows it, also in addresses
        sa.Column("connection", sa.Text, nullable=False),
        sa.Column("registration", sa.Text, nullable=False),
        sa.Column("deployment_id", sa.Text, nullable=False),
        sa.Column("context_id", sa.Text, nullable=False),  # the LMS's own; empty without a course
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_table(
        "tool_line_items",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("context_id", sa.Text, sa.ForeignKey("tool_contexts.id"), nullable=False),
        sa.Column("link_id", sa.Text, sa.ForeignKey("links.id")),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("maximum", sa.Text, nullable=False),
        sa.Column("resource_id", sa.Text, nullable=False),
        sa.Column("tag", sa.Text, nullable=False),
        sa.Column("more", sa.Text, nullable=False),  # JSON: startDateTime, endDateTime, …
        sa.Column("by_tool", sa.Integer, nullable=False),  # 0: declared by the bridge
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_index("tool_line_items_by_context", "tool_line_items", ["context_id", "id"])
    op.create_index("tool_line_items_by_link", "tool_line_items", ["link_id"])
    declared = sa.text("by_tool = 0")
    op.create_index(
        "one_declared_line_item",
        "tool_line_items",
        ["context_id", "link_id"],
        unique=True,
        sqlite_where=declared,
        postgresql_where=declared,
    )
    op.create_table(
        "tool_scores",  # what AGS knows of one user at one line item: the newest score
        sa.Column(
            "line_item_id",
            sa.Text,
            sa.ForeignKey("tool_line_items.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("learner_id", sa.Text, sa.ForeignKey("learners.id"), primary_key=True),
        sa.Column("at", TIME, nullable=False),  # the score's timestamp, microseconds since 1970
        sa.Column("given", sa.Text),
        sa.Column("maximum", sa.Text),
        sa.Column("more", sa.Text, nullable=False),  # JSON: progress, comment, submission times
    )
