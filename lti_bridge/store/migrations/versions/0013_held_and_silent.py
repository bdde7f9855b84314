"""Results that wait for a person, and quick ways to what does."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

INDEXES = {
    # who has to look at it; the words stand in the queries as they stand here
    "attempts_for_people": (["changed_at"], "state IN ('unclear', 'held')"),
    # opened by LTI: nothing more is known of it before its grade
    "attempts_without_word": (["connection", "created_at"], "state = 'created'"),
    "attempts_with_word": (["activity_id", "connection"], "state <> 'created'"),
}


def upgrade() -> None:
    """Add the columns, empty for what is there, and the indexes."""
    # why the newest result is, or was, kept aside, and what it gives
    op.add_column("attempts", sa.Column("held", sa.Text, nullable=False, server_default=""))
    op.add_column("attempts", sa.Column("held_given", sa.Text))
    op.add_column("attempts", sa.Column("held_maximum", sa.Text))
    for name, (columns, where) in INDEXES.items():
        condition = sa.text(where)
        op.create_index(
            name, "attempts", columns, sqlite_where=condition, postgresql_where=condition
        )
