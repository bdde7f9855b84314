"""When a message was used, and in which browser, so that a second click is told from a stranger."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the columns; what was used before is nobody's to repeat."""
    op.add_column(
        "used_once", sa.Column("used_at", sa.BigInteger, nullable=False, server_default="0")
    )
    # digests; empty where nothing ties the message to a browser, or none other has the same value
    op.add_column("used_once", sa.Column("browser", sa.Text, nullable=False, server_default=""))
    op.add_column("used_once", sa.Column("message", sa.Text, nullable=False, server_default=""))
