"""`purge`: what is too old, said before it goes."""

from __future__ import annotations

from sqlalchemy import text

from lti_bridge.bench.fill import fill
from tests.cli.office import Office

OLD = 1_000_000  # milliseconds since 1970


def test_what_would_go_is_said_and_goes_when_it_is_asked_for(fresh_office: Office) -> None:
    office = fresh_office
    database = office.bridge.store.database
    assert "Nothing is too old." in office.run("purge").output
    fill(database, 0, 30, "https://lms.example.org", print)
    with database.writing() as connection:
        connection.execute(text("UPDATE launches SET received_at = :old"), {"old": OLD})
    said = office.run("purge", "--dry-run")
    assert said.exit_code == 0
    assert "30  launches         clicks, older than 180 days: go" in said.output
    assert office.json("purge", "--dry-run")["launches"] == 30
    refused = office.run("purge", answer="n\n")
    assert refused.exit_code == 1
    assert office.json("purge", "--dry-run")["launches"] == 30
    done = office.run("purge", answer="y\n")
    assert done.exit_code == 0
    assert "30 rows are gone or emptied." in done.output
    assert office.json("purge", "--dry-run")["launches"] == 0


def test_a_script_says_that_it_means_it(office: Office) -> None:
    refused = office.run("purge", "--json")
    assert refused.exit_code == 2
    assert "--json needs --dry-run or --yes" in refused.output
    assert office.run("purge", "--json", "--yes").exit_code == 0
