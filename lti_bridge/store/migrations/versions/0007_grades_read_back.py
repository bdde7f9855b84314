"""What the LMS itself shows, and who is in a course."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Nothing yet."""
