"""A row to write over, by which it is known that the database can be written."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add its table, and take the row away that stood among launches."""
    op.create_table(
        "write_probe",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.execute("DELETE FROM held_launches WHERE token = 'probe'")
