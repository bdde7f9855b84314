"""What a submission review says of attempts at a provider that is called to start them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lti_bridge.app import now
from lti_bridge.core.handoff import Note
from lti_bridge.core.launch import Context, Launch, Once, Person, ResourceLink
from lti_bridge.core.reviewing import FOR_USER, review
from tests.cli.office import COUNTER, Office


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder: Path = tmp_path_factory.mktemp("reviewing")
    made = Office(folder, f"sqlite:///{folder}/bridge.sqlite3")
    yield made
    made.stop()


def reviewed(office: Office, user: str) -> Note:
    """What the LMS's staff sees of this learner."""
    launch = Launch(
        registration="campus",
        lti="1.3",
        once=Once("nonce", f"review-{next(COUNTER)}", now() + timedelta(hours=1)),
        received_at=now(),
        person=Person("tess"),
        context=Context("course"),
        resource_link=ResourceLink("link-demo"),
        standing="staff",
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
