"""What a submission review says of attempts at a provider that is called to start them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lti_bridge.assembly.basics import now
from lti_bridge.core.grade.submission_review import FOR_USER, review
from lti_bridge.core.launch.handoff import InfoPage
from lti_bridge.core.launch.message import Context, Former, Launch, Once, Person, ResourceLink
from tests.cli.office import COUNTER, Office


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder: Path = tmp_path_factory.mktemp("reviewing")
    made = Office(folder, f"sqlite:///{folder}/bridge.sqlite3")
    yield made
    made.stop()


def reviewed(office: Office, user: str, former: Former | None = None) -> InfoPage:
    """What the LMS's staff sees of this learner, perhaps of an LMS that has moved."""
    launch = Launch(
        registration="moved" if former else "campus",
        former=former,
        lti="1.3",
        once=Once("nonce", f"review-{next(COUNTER)}", now() + timedelta(hours=1)),
        received_at=now(),
        person=Person("tess"),
        context=Context("course"),
        resource_link=ResourceLink("link-demo"),
        main_role="staff",
        extra={FOR_USER: {"user_id": user}},
    )
    return review(office.bridge.store, launch)


def test_a_start_is_called_unclear_only_as_long_as_it_is(office: Office) -> None:
    office.begin("ann", "demo")
    history = dict(reviewed(office, "ann").details)["Attempt 1: history"]
    assert history.endswith("started")
    assert "unclear" not in history
    office.lose("ben", "demo")
    assert "unclear" in dict(reviewed(office, "ben").details)["Attempt 1: history"]


def test_who_only_came_by_lti_11_is_found_too(office: Office) -> None:
    office.begin("cleo", "demo")
    former = Former("campus", "tess", "course", "link-demo")
    assert "Attempt 1" in dict(reviewed(office, "cleo", former).details)
    for user, at in (("nobody", former), ("cleo", replace(former, resource_link_id="other"))):
        assert reviewed(office, user, at).title == "No attempt yet"
