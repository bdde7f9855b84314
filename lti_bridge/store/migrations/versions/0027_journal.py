"""The journal: every hop of launches and grades, for a time."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

TEXTS = ("context_id", "link_id", "activity_id", "connection", "learner_id", "person")
INDEXES = {
    "hops_by_course": ("context_id", "at"),
    "hops_by_activity": ("activity_id", "at"),
    "hops_by_learner": ("learner_id", "at"),
    "hops_by_person": ("person", "at"),
    "hops_by_attempt": ("attempt_id",),
    "hops_by_grade": ("grade_id",),
    "hops_by_code": ("code", "at"),
}


def upgrade() -> None:
    """Add the table of hops."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "hops",
        sa.Column("id", number, primary_key=True, autoincrement=True),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("ms", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("code", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("proved", sa.Integer, nullable=False),
        sa.Column("registration", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in (*TEXTS, "attempt_id", "grade_id")),
        sa.Column("checks", sa.Text, nullable=False),
        sa.Column("more", sa.Text, nullable=False),
    )
    op.create_index("hops_by_ref", "hops", ["ref"])
    op.create_index("hops_by_age", "hops", ["at"])
    op.create_index("hops_by_registration", "hops", ["registration", "at"])
    for name, columns in INDEXES.items():
        known = sa.text(f"{columns[0]} IS NOT NULL")
        op.create_index(name, "hops", list(columns), sqlite_where=known, postgresql_where=known)
    failed = sa.text("code IS NOT NULL")
    op.create_index("hops_failed", "hops", ["at"], sqlite_where=failed, postgresql_where=failed)
