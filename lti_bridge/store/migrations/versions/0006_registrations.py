"""Registrations that are made while the bridge runs."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Nothing yet."""
