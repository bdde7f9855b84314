"""The journal's rows: whose they are, how many there may be, and how they are found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from lti_bridge.assembly.basics import now
from lti_bridge.core.journal.hop import Call, Hop
from lti_bridge.core.journal.journal import Written
from lti_bridge.core.journal.record import Recording
from lti_bridge.core.journal.traces import Question, Traces
from lti_bridge.errors import Finding
from lti_bridge.log import redact
from lti_bridge.store.engine import Database
from lti_bridge.store.journal import Hops
from lti_bridge.store.purge import Keep, Purge
from lti_bridge.store.store import Store

PEOPLE = (
    "INSERT INTO learners (id, registration, user_id, created_at) VALUES"
    " ('learner-1', 'campus', 'ann', 1), ('learner-2', 'other', 'ann', 1)"
)
ALIAS = (
    "INSERT INTO learner_aliases (registration, user_id, learner_id)"
    " VALUES ('campus', 'ann-before', 'learner-1')"
)
KEEP = Keep(launches=0, history=0, answers=0, hops=30, most_hops=1000)


def person(registration: str, user_id: str) -> str:
    """What stands for a user in these tests."""
    return f"mac of {len(registration)} {len(user_id)}" if user_id else ""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with two learners of the same name at two LMSs."""
    made = Database(database_url)
    with made.writing() as connection:
        connection.execute(text(PEOPLE))
    yield made
    made.close()


def write(database: Database, *hops: Hop, findings: tuple[Finding, ...] = ()) -> None:
    """Write these hops in one batch."""
    recording = Recording(redact, person)
    Hops(database).write([recording.columns(Written(one, findings)) for one in hops])


def traces(database: Database) -> Traces:
    """What finds them."""
    return Traces(Hops(database), person, lambda: ["campus", "other"])


def hop(ref: str, **facts: Any) -> Hop:
    """A hop of campus that went well."""
    return Hop("launch", ref, **{"registration": "campus", "proved": True, **facts})


def refs(found: list[Any]) -> list[str]:
    """Which traces were found."""
    return [one.ref for one in found]


def test_a_hop_comes_back_as_it_was(database: Database) -> None:
    finding = Finding("signature", "HMAC-SHA1", "HMAC-SHA256", "Set the method of the key.")
    made = hop("WHOLE", context="c", link="l", activity="a", connection="t", learner="learner-1")
    made.code, made.detail, made.status, made.said = "signature", "no", 401, "said"
    made.checks, made.calls = ["form", "key"], [Call("GET", "lms.example.edu", "/keys", 200, 5)]
    write(database, made, findings=(finding,))
    found = traces(database).trace("whole")
    assert found is not None
    (one,) = found.hops
    assert (one.course, one.link, one.activity, one.connection) == ("c", "l", "a", "t")
    assert (one.learner, one.user, one.registration) == ("learner-1", "ann", "campus")
    assert (one.code, one.detail, one.status, one.said) == ("signature", "no", 401, "said")
    assert (one.checks, one.calls) == (("form", "key"), tuple(made.calls))
    assert one.findings == (finding,)
    assert abs((now() - one.at).total_seconds()) < 60


def test_a_user_is_found_with_and_without_a_learner(database: Database) -> None:
    write(
        database,
        hop("KNOWN", user="ann"),  # refused, and a learner since before
        hop("MADE", learner="learner-1", user="ann"),
        hop("ROLLED", learner="was-never-kept", user="newcomer"),
        hop("NEVER", user="stranger"),
        hop("OTHER", registration="other", user="ann"),
    )
    find = traces(database).find
    assert refs(find(Question(user="ann", lms="campus"))) == ["MADE", "KNOWN"]
    assert refs(find(Question(user="ann"))) == ["OTHER", "MADE", "KNOWN"]
    assert refs(find(Question(user="stranger"))) == ["NEVER"]
    with database.reading() as connection:
        everything = str(connection.execute(text("SELECT * FROM hops")).fetchall())
    assert "stranger" not in everything
    assert traces(database).forget("campus", "stranger") == 1
    assert find(Question(user="stranger")) == []


def test_what_was_refused_under_another_name_is_forgotten_too(database: Database) -> None:
    write(database, hop("BEFORE", user="ann-before"))  # when nobody knew that it is ann
    with database.writing() as connection:
        connection.execute(text(ALIAS))
    assert traces(database).forget("campus", "ann") == 1


def test_a_forgotten_learners_hops_are_gone_and_stay_gone(database: Database) -> None:
    write(database, hop("BEFORE", learner="learner-1"), hop("OTHER", learner="learner-2"))
    Store(database, now).forget_learner("learner-1", now())
    write(database, hop("AFTER", learner="learner-1", user="ann"))  # it was still waiting
    with database.reading() as connection:
        found = connection.execute(text("SELECT ref, learner_id FROM hops ORDER BY id")).fetchall()
    assert [tuple(row) for row in found] == [("OTHER", "learner-2"), ("AFTER", None)]


def test_there_are_never_more_than_so_many_and_the_oldest_go(database: Database) -> None:
    write(database, *(hop(f"HOP{number:04}") for number in range(1400)))
    purge = Purge(database, KEEP)
    assert sum(purge.counts(now()).values()) == 400
    assert sum(step.rows for step in purge.steps(now())) == 400
    left = traces(database).find(Question(limit=2000))
    assert len(left) == 1000
    assert (left[0].ref, left[-1].ref) == ("HOP1399", "HOP0400")


def test_what_is_old_goes(database: Database) -> None:
    old = hop("OLD")
    old.at -= timedelta(days=31).total_seconds()
    write(database, hop("NEW"), old)
    list(Purge(database, KEEP).steps(now()))
    assert refs(traces(database).find(Question())) == ["NEW"]


def test_where_there_is_no_journal_what_there_was_goes(database: Database) -> None:
    write(database, hop("ONE"))
    list(Purge(database, Keep(launches=0, history=0, answers=0)).steps(now()))
    assert traces(database).find(Question()) == []


def test_every_question_limits(database: Database) -> None:
    late = hop("LATE", activity="a", context="c", code="not-open")
    late.at += 100
    login = Hop("login", "LOGIN", registration="campus")
    write(database, hop("GOOD", activity="b", context="d"), login, late)
    find = traces(database).find
    between = now() + timedelta(seconds=50)
    for question in (
        Question(activity="a"),
        Question(course="c"),
        Question(failed=True),
        Question(code="not-open"),
        Question(since=between),
        Question(limit=1),
        Question(lms="campus", activity="a"),
    ):
        assert refs(find(question)) == ["LATE"], question
    for question in (
        Question(until=between),
        Question(activity="b"),
        Question(kinds=("launch",), course="d"),
    ):
        assert refs(find(question)) == ["GOOD"], question
    assert refs(find(Question(kinds=("login",), logins=True))) == ["LOGIN"]
    assert refs(find(Question(lms="other"))) == []


def test_secrets_and_addresses_are_not_kept(database: Database) -> None:
    made = hop("CANARY")
    made.code = "provider"
    made.detail = "ann@example.edu sent Bearer abc.def.ghi and password=hunter2"
    made.said = "https://ann:secret@lms.example.edu/x?token=hunter3"
    made.calls = [Call("GET", "api.example.org", "/people/ann%40example.edu/hunter", 200, 1)]
    found = Finding("signature", "secret=hunter4", "", "Ask ann@example.edu")
    write(database, made, findings=(found,))
    with database.reading() as connection:
        everything = str(connection.execute(text("SELECT * FROM hops")).fetchall())
    for canary in ("ann@", "ann%40", "abc.def", "hunter2", "hunter3", "hunter4", "secret@"):
        assert canary not in everything
