"""Activities that instructors make, and the courses they belong to.

A row without a registration is an activity that a link wrote out itself; it belongs to no course.
Every saved version is kept: an attempt keeps the settings it was started with.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TIME = sa.BigInteger


def upgrade() -> None:
    """Add columns, and the table of versions."""
    for name in ("registration", "deployment_id", "context_id", "origin", "maximum", "changed_by"):
        column = sa.Column(name, sa.Text, nullable=False, server_default="")
        op.add_column("activities", column)
    for name in ("attempts", "days_between"):
        column = sa.Column(name, sa.Integer, nullable=False, server_default="0")
        op.add_column("activities", column)
    for name in ("opens_at", "closes_at", "changed_at", "retired_at"):
        op.add_column("activities", sa.Column(name, TIME))
    op.create_index(
        "activities_by_course", "activities", ["registration", "deployment_id", "context_id"]
    )
    op.create_index("activities_by_origin", "activities", ["origin"])
    op.create_index("attempts_by_activity", "attempts", ["activity_id"])
    op.create_index("links_by_resource_link", "links", ["registration", "resource_link_id"])
    op.create_table(
        "activity_versions",
        sa.Column("activity_id", sa.Text, sa.ForeignKey("activities.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),  # learners.id of the instructor, or empty
        sa.Column("settings", sa.Text, nullable=False),
    )
