"""A configuration file, a database and pretend providers, for commands that staff give."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from sqlalchemy import text

from lti_bridge.assembly.basics import now
from lti_bridge.assembly.bridge import Bridge, build
from lti_bridge.cli import main
from lti_bridge.core.launch.handoff import ConfirmPage, Handoff
from lti_bridge.core.launch.launches import Preview
from lti_bridge.core.launch.message import Context, GradeTarget, Launch, Once, Person, ResourceLink
from lti_bridge.errors import AttemptUnclear
from lti_bridge.settings import load
from tests.contract.party import Party
from tests.providers.demo.contract import Demo
from tests.providers.isograd.contract import Api
from tests.providers.itep.contract import Gtx
from tests.providers.mettl.contract import Schedule
from tests.providers.prov.contract import Asked

PARTIES: dict[str, Callable[[], Party]] = {
    "demo": Demo,
    "isograd": Api,
    "mettl": Schedule,
    "itep": Gtx,
    "prov": Asked,
}
EXAM = {"exam_code": "NB1", "exam_name": "Nursing basics", "score_min": 0, "score_max": 100}
BRIDGE = """
[bridge]
public_url = "http://127.0.0.1:9"
database_url = "{database}"
queue_url = "sqlite:///{folder}/queue.sqlite3"
keys_dir = "{folder}/keys"

[[lms]]
name = "campus"
lti = "1.1"
consumer_key = "campus-key"
shared_secret = "campus-secret-of-the-test"
"""
ACTION_2 = """
[[activity]]
id = "isograd-action-2"
title = "A test for candidates who are there"
connection = "isograd"
settings = { act_id = 2, tst_frm_id = "363" }
"""
COUNTER = itertools.count(1)


class Office:
    """Learners who click, and the commands. Activities have the names of their connections."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.parties = {kind: make() for kind, make in PARTIES.items()}
        written = BRIDGE.format(folder=folder, database=database)
        for kind, party in self.parties.items():
            party.start("http://127.0.0.1:9/hooks/nobody/listens")
            written += _tables(kind, kind, party.connection(), party.activity())
        written += _tables("files", "prov", {}, EXAM)
        written += ACTION_2
        lti = {"launch_url": "https://tool.example.org/lti", "consumer_key": "k"}
        written += _tables("tool", "lti", {**lti, "shared_secret": "tool-secret-of-the-test"}, {})
        self.config.write_text(written, encoding="utf-8")
        self.reload()
        self.bridge.store.database.migrate()

    def reload(self) -> None:
        """Read the configuration again."""
        self.bridge: Bridge = build(load(self.config))

    def stop(self) -> None:
        """Stop everything."""
        for party in self.parties.values():
            party.go_down()
        self.bridge.store.database.close()

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        """Give a command; `answer` is typed when it asks."""
        given = [*arguments, "--config", str(self.config)]
        result = CliRunner().invoke(main, given, input=answer, catch_exceptions=False)
        if "--json" in arguments and result.exit_code != 2:
            assert result.stdout, result.output
        return result

    def ok(self, *arguments: str) -> str:
        """What a command that has to work says."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str) -> Any:
        """The JSON of a command that has to work."""
        return json.loads(self.ok(*arguments, "--json"))

    def refused(self, *arguments: str, status: int = 1) -> str:
        """What a command says that cannot work."""
        result = self.run(*arguments)
        assert result.exit_code == status, result.output
        return result.stderr

    def click(
        self, user: str, activity: str, *, minutes_ago: float = 5, graded: bool = True
    ) -> Handoff | None:
        """A learner clicks; None when nobody knows afterwards what has been started.

        `graded` False: their LMS has no place for a grade.
        """
        past = now() - timedelta(minutes=minutes_ago)
        launching = replace(self.bridge.launching, clock=lambda: past)
        launch = _launch(user, activity, past)
        if not graded:
            launch = replace(launch, grade_target=GradeTarget())
        opened = launching.open(launch)
        with suppress(AttemptUnclear):
            handoff = launching.hand_off(opened)
            assert not isinstance(handoff, Preview)
            return handoff
        return None

    def press(self, asked: Handoff | None) -> Handoff:
        """A learner says yes to another attempt."""
        assert isinstance(asked, ConfirmPage)
        assert asked.number
        launching = self.bridge.launching
        handoff = launching.hand_off(launching.go_on(asked.token, asked.number))
        assert not isinstance(handoff, (Preview, ConfirmPage))
        return handoff

    def begin(self, user: str, activity: str, **options: Any) -> str:
        """A learner starts a test; the attempt's id."""
        handoff = self.click(user, activity, **options)
        assert handoff
        assert not isinstance(handoff, ConfirmPage), handoff
        return self.attempt_of(user, activity)

    def lose(self, user: str, activity: str, **options: Any) -> str:
        """A learner clicks, and the provider's answer is lost; the attempt's id."""
        party = self.parties[activity]
        party.fault(party.paid_call(), drop=True)
        assert self.click(user, activity, **options) is None
        return self.attempt_of(user, activity)

    def attempt_of(self, user: str, activity: str) -> str:
        """The id of a learner's newest attempt."""
        found = self.rows(
            "SELECT a.id FROM attempts a JOIN learners l ON l.id = a.learner_id"
            " WHERE l.user_id = :user AND a.activity_id = :activity ORDER BY a.number DESC",
            user=user,
            activity=activity,
        )
        return str(found[0][0])

    def state(self, attempt_id: str) -> tuple[str, str]:
        """State and score of an attempt, as a person sees them."""
        shown = self.json("attempts", "show", attempt_id)
        return shown["state"], shown["score"]

    def rows(self, query: str, **values: Any) -> list[Any]:
        """Rows of the database."""
        with self.bridge.store.database.reading() as connection:
            return list(connection.execute(text(query), values))


def _launch(user: str, activity: str, at: Any) -> Launch:
    sourced = f"sourced-of-{user}-{activity}"
    return Launch(
        registration="campus",
        lti="1.1",
        once=Once("nonce", str(next(COUNTER)), at + timedelta(hours=1)),
        received_at=at,
        person=Person(
            id=user,
            given_name=f"Given-{user}",
            family_name=f"Family-{user}",
            full_name=f"Given-{user} Family-{user}",
            email=f"{user}@people.example.org",
        ),
        context=Context(id="course", title="A course"),
        resource_link=ResourceLink(id=f"link-{activity}", title=activity),
        grade_target=GradeTarget("https://lms.example.edu/outcomes", sourced),
        roles=("http://purl.imsglobal.org/vocab/lis/v2/membership#Learner",),
        main_role="learner",
        custom={"activity": activity},
    )


def _tables(name: str, kind: str, connection: dict[str, Any], activity: dict[str, Any]) -> str:
    settings = ", ".join(f"{key} = {json.dumps(value)}" for key, value in activity.items())
    own = "".join(f"{key} = {json.dumps(value)}\n" for key, value in connection.items())
    return (
        f'\n[[connection]]\nname = "{name}"\nkind = "{kind}"\n{own}'
        f'\n[[activity]]\nid = "{name}"\ntitle = "{name}"\nconnection = "{name}"\n'
        f"settings = {{ {settings} }}\n"
    )
