"""Registrations that are made while the bridge runs, and LMSs that moved from LTI 1.1 to 1.3.

`learner_aliases` and `link_aliases` say under which further names of an LMS a learner or a link is
known; an alias comes before a row of its own. The row "registrations" of `counters` rises with
every change of `registrations` and `succession`, so that all processes see that there is one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

TIME = sa.BigInteger


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "registrations",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("lti", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),  # JSON: addresses and other public facts
        sa.Column("state", sa.Text, nullable=False),  # pending, active, retired
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("approved_at", TIME),
        sa.Column("retired_at", TIME),
    )
    trusted = sa.text("state <> 'retired'")
    op.create_index(
        "one_registration_of_a_client",
        "registrations",
        ["issuer", "client_id"],
        unique=True,
        sqlite_where=trusted,
        postgresql_where=trusted,
    )
    op.create_table(
        "invitations",
        sa.Column("token", sa.Text, primary_key=True),  # SHA-256 of what the address holds
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),  # of the registration that it will make
        sa.Column("approve", sa.Integer, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("exchange", sa.Text, nullable=False),  # JSON: what was asked and answered
    )
    op.create_index("invitations_by_name", "invitations", ["name"])
    op.create_table(
        "succession",  # which LTI 1.3 registration is the LMS of which LTI 1.1 registration
        sa.Column("registration", sa.Text, primary_key=True),
        sa.Column("former", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),  # linked, parted
        sa.Column("changed_at", TIME, nullable=False),
    )
    op.create_table(
        "learner_aliases",
        sa.Column("registration", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("learner_id", sa.Text, sa.ForeignKey("learners.id"), nullable=False),
    )
    op.create_index("learner_aliases_by_learner", "learner_aliases", ["learner_id"])
    op.create_index("attempts_by_learner", "attempts", ["learner_id"])
    op.create_table(
        "link_aliases",
        sa.Column("registration", sa.Text, primary_key=True),
        sa.Column("deployment_id", sa.Text, primary_key=True),
        sa.Column("context_id", sa.Text, primary_key=True),
        sa.Column("resource_link_id", sa.Text, primary_key=True),
        sa.Column("link_id", sa.Text, sa.ForeignKey("links.id"), nullable=False),
    )
    op.create_index("link_aliases_by_link", "link_aliases", ["link_id"])
