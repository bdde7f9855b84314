"""Grades that need a person are counted by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the index; the words of its condition stand in the query as they stand here."""
    condition = sa.text("delivery IN ('refused', 'waiting')")
    op.create_index(
        "grades_for_people",
        "grades",
        ["registration", "delivery"],
        sqlite_where=condition,
        postgresql_where=condition,
    )
