"""What is too old is found by indexes, and large tables are cleaned up in small parts."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

BUSY = ("attempts", "attempt_changes", "grades", "launches", "results", "used_once")


def upgrade() -> None:
    """Add the indexes. PostgreSQL's vacuum comes after a fiftieth of a table, not a fifth."""
    _index("attempt_changes_by_age", "attempt_changes", "at")
    _index("results_with_words", "results", "received_at", "raw <> '{}'")
    _index("held_launches_expiry", "held_launches", "until")
    _index("call_answers_expiry", "call_answers", "until")
    _index("launches_without_attempt", "launches", "learner_id", "attempt_id IS NULL")
    if op.get_bind().dialect.name == "postgresql":
        for table in BUSY:
            op.execute(
                f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.02,"
                " autovacuum_vacuum_insert_scale_factor = 0.02,"
                " autovacuum_analyze_scale_factor = 0.02)"
            )


def _index(name: str, table: str, column: str, condition: str = "") -> None:
    where = sa.text(condition) if condition else None
    op.create_index(name, table, [column], sqlite_where=where, postgresql_where=where)
