"""Launches, attempts, results and grades.

Times are integers: milliseconds since 1970 in UTC. Scores are exact decimals written as text.
Every promise of docs/promises.md that is about "once" or "one" has its unique index here.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TIME = sa.BigInteger


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "used_once",
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("expires_at", TIME, nullable=False),
    )
    op.create_index("used_once_expiry", "used_once", ["expires_at"])

    op.create_table(
        "learners",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("registration", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.UniqueConstraint("registration", "user_id"),
    )

    op.create_table(
        "activities",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("connection", sa.Text, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("grade", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )

    op.create_table(
        "links",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("registration", sa.Text, nullable=False),
        sa.Column("deployment_id", sa.Text, nullable=False),
        sa.Column("context_id", sa.Text, nullable=False),
        sa.Column("resource_link_id", sa.Text, nullable=False),
        sa.Column("activity_id", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.UniqueConstraint("registration", "deployment_id", "context_id", "resource_link_id"),
    )

    op.create_table(
        "attempts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("link_id", sa.Text, sa.ForeignKey("links.id"), nullable=False),
        sa.Column("learner_id", sa.Text, sa.ForeignKey("learners.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("activity_id", sa.Text, nullable=False),
        sa.Column("connection", sa.Text, nullable=False),
        sa.Column("grade_policy", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("is_open", sa.Integer, nullable=False),
        sa.Column("given", sa.Text),
        sa.Column("maximum", sa.Text),
        sa.Column("scored_at", TIME),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.UniqueConstraint("link_id", "learner_id", "number"),
    )
    one_open = sa.text("is_open = 1")
    op.create_index(
        "one_open_attempt",
        "attempts",
        ["link_id", "learner_id"],
        unique=True,
        sqlite_where=one_open,
        postgresql_where=one_open,
    )

    op.create_table(
        "launches",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("registration", sa.Text, nullable=False),
        sa.Column("link_id", sa.Text, sa.ForeignKey("links.id"), nullable=False),
        sa.Column("learner_id", sa.Text, sa.ForeignKey("learners.id")),
        sa.Column("attempt_id", sa.Text, sa.ForeignKey("attempts.id")),
        sa.Column("return_url", sa.Text, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
    )
    op.create_index("launches_by_age", "launches", ["received_at"])
    op.create_index("launches_by_attempt", "launches", ["attempt_id"])

    op.create_table(
        "held_launches",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("until", TIME, nullable=False),
    )

    op.create_table(
        "results",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("attempt_id", sa.Text, sa.ForeignKey("attempts.id"), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("given", sa.Text),
        sa.Column("maximum", sa.Text),
        sa.Column("raw", sa.Text, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.UniqueConstraint("attempt_id", "event"),
    )

    op.create_table(
        "grades",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("link_id", sa.Text, sa.ForeignKey("links.id"), nullable=False),
        sa.Column("learner_id", sa.Text, sa.ForeignKey("learners.id"), nullable=False),
        # what the gradebook should show; no given = no grade
        sa.Column("given", sa.Text),
        sa.Column("maximum", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
        # where it goes: the newest values that the LMS sent for this learner
        sa.Column("registration", sa.Text, nullable=False),
        sa.Column("deployment_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("outcome_url", sa.Text, nullable=False),
        sa.Column("sourced_id", sa.Text, nullable=False),
        sa.Column("line_item", sa.Text, nullable=False),
        sa.Column("line_items", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        # the delivery
        sa.Column("delivery", sa.Text, nullable=False),
        sa.Column("due_at", TIME),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("lease", sa.Text),
        sa.Column("leased_until", TIME),
        sa.Column("stamp", TIME, nullable=False),
        sa.Column("stamp_version", sa.Integer, nullable=False),
        sa.Column("delivered_version", sa.Integer, nullable=False),
        sa.Column("delivered_at", TIME),
        sa.Column("last_error", sa.Text, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.UniqueConstraint("link_id", "learner_id"),
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index("grades_due", "grades", ["due_at"], sqlite_where=due, postgresql_where=due)
