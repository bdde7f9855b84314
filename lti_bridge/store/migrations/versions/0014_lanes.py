"""What is due is found party by party."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

INDEXES = {
    "grades_due": ("grades", "registration", "due_at"),
    "grades_to_read": ("grades", "registration", "read_at"),
    "attempts_to_poll": ("attempts", "connection", "poll_at"),
}


def upgrade() -> None:
    """Put the party before the time in the three indexes of what is due."""
    for name, (table, party, at) in INDEXES.items():
        op.drop_index(name, table)
        condition = sa.text(f"{at} IS NOT NULL")
        op.create_index(
            name, table, [party, at], sqlite_where=condition, postgresql_where=condition
        )
