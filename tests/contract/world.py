"""A real bridge in this process, between learners who click and one pretend provider.

Core, store (SQLite), network client, web door and the kind are those of production; only time is
the test's own.
"""

from __future__ import annotations

import itertools
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask, request
from sqlalchemy import text

from lti_bridge import log
from lti_bridge.assembly.bridge import Bridge, build
from lti_bridge.assembly.web import web_app
from lti_bridge.core.attempt.callbacks import attempt_token
from lti_bridge.core.attempt.calls import Calls
from lti_bridge.core.attempt.provider import Connection, Report
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.launch.handoff import ConfirmPage, Handoff
from lti_bridge.core.launch.launches import Preview
from lti_bridge.core.launch.message import Context, GradeTarget, Launch, Once, Person, ResourceLink
from lti_bridge.core.launch.opened import Opened
from lti_bridge.core.records import Attempt
from lti_bridge.sandbox import serving
from lti_bridge.settings import parse
from tests.contract.party import HTTP, Hook, Party
from tests.flow.world import eventually

HOOK_TOKEN = "hook-token-of-the-contract"
NAMES = {"ann": ("Änn", "O’Neilson"), "bob": ("Bobby", "Tester-Smith"), "cyd": ("Cydney", "Quill")}
GRADE = (
    "SELECT g.given, g.maximum FROM grades g JOIN attempts a"
    " ON a.link_id = g.link_id AND a.learner_id = g.learner_id WHERE a.id = :id"
)
PATIENCE_S = 60.0  # of a click for its call: what a page does that waits is no kind's
FINAL = frozenset({"graded", "invalidated", "expired"})


class Clock:
    """The core's time, which a test moves."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def pass_(self, **time: float) -> None:
        """Let hours, minutes or seconds pass."""
        self.ahead += timedelta(**time)


class World:
    """One party and one bridge, whose only connection and activity are the party's."""

    def __init__(self, kind: str, party: Party, folder: Path, **options: Any) -> None:
        self.kind, self.party, self.clock = kind, party, Clock()
        self.story = party.story
        self.hooks: list[Hook] = []
        self.deaf = False
        self._names: dict[str, str] = {}
        self._attempts: dict[str, str] = {}
        self._counter = itertools.count(1)
        self._pool = ThreadPoolExecutor(2)
        self._folder, self._options = folder, options
        self.door = serving.start(self._open)

    def _open(self, url: str) -> Flask:
        self.party.start(f"{url}/hooks/{self.kind}/{HOOK_TOKEN}")
        self.bridge = _with_clock(build(self._settings(url)), self.clock)
        self.bridge.store.database.migrate()
        door = web_app(self.bridge)
        door.before_request(self._hear)
        return door

    def _settings(self, url: str) -> Any:
        timeout_s = self._options.pop("timeout_s", 10.0)
        own = {"name": self.kind, "kind": self.kind, "hook_token": HOOK_TOKEN}
        connection = {**own, "timeout_s": timeout_s, **self.party.connection(), **self._options}
        activity = {"id": "test", "title": "A test", "connection": self.kind}
        tables = {
            "bridge": {
                "public_url": url,
                "database_url": f"sqlite:///{self._folder}/bridge.sqlite3",
                "queue_url": f"sqlite:///{self._folder}/queue.sqlite3",
                "keys_dir": str(self._folder / "keys"),
            },
            "connection": [connection],
            "activity": [{**activity, "settings": self.party.activity()}],
        }
        return parse(tables, "contract")

    def _hear(self) -> tuple[str, int] | None:
        if not request.path.startswith("/hooks/"):
            return None
        query = f"?{request.query_string.decode()}" if request.query_string else ""
        dropped = ("Host", "Content-Length", "Connection")  # those of each sending
        headers = tuple((k, v) for k, v in request.headers.items() if k not in dropped)
        body = request.get_data(cache=True)
        self.hooks.append(Hook(request.method, request.path + query, headers, body))
        self.story.append(f"the bridge was called: {request.method} {request.path}{query} {body!r}")
        return ("", 503) if self.deaf else None

    def stop(self) -> None:
        """Stop everything."""
        self.party.go_down()
        self.door.stop()
        self._pool.shutdown()
        self.bridge.store.database.close()

    @property
    def connection(self) -> Connection:
        """The party's connection."""
        return self.bridge.catalogue.connection(self.kind)

    def click(self, user: str = "ann") -> Handoff:
        """A learner clicks the course link. Raises what the student's page would show."""
        self.story.append(f"{user} clicked the course link")
        return self._hand_off(user, self.bridge.launching.open(self.launch(user)))

    def press(self, asked: ConfirmPage, user: str = "ann") -> Handoff:
        """The learner presses the button of a page. Raises what their page would show."""
        self.story.append(f"{user} pressed the button")
        return self._hand_off(user, self.bridge.launching.go_on(asked.token, asked.number))

    def stay(self, shown: Handoff, user: str = "ann") -> Handoff:
        """The learner stays at a page that goes on by itself; what they get in the end."""
        until = time.monotonic() + PATIENCE_S
        while isinstance(shown, ConfirmPage) and shown.reload_s and time.monotonic() < until:
            time.sleep(shown.reload_s)
            shown = self.press(shown, user)
        return shown

    def rest(self) -> None:
        """Let the pause pass in which nobody starts, after the party said that it has enough."""
        calls = self.bridge.launching.calls
        for closed in (True, False):
            eventually(lambda closed=closed: bool(calls.troubles()) == closed, True)

    def _hand_off(self, user: str, opened: Opened) -> Handoff:
        assert (opened.attempt is None) == (opened.again is not None)
        if opened.attempt is not None:
            self._attempts[user] = opened.attempt.id
        handoff = self.bridge.launching.hand_off(opened)
        assert not isinstance(handoff, Preview)
        return handoff

    def begin(self, user: str = "ann") -> str:
        """A learner's first click; the provider's name for what was bought."""
        return self._began(user, self.click(user))

    def begin_another(self, user: str = "ann") -> str:
        """A learner's click after their test is over, and their yes; what was bought by it."""
        asked, number = self.click(user), self.attempt(user).number + 1
        assert isinstance(asked, ConfirmPage), asked
        assert asked.number == number
        return self._began(user, self.press(asked, user))

    def _began(self, user: str, handoff: Handoff) -> str:
        assert not isinstance(handoff, ConfirmPage), handoff
        bought = self.party.bought()
        assert bought, "start() returned, and bought() of the contract.py names nothing"
        self._names[user] = bought[-1]
        return self._names[user]

    def finish(self, user: str, score: str) -> None:
        """The learner hands in and is marked; the bridge hears of it and asks if it has to."""
        self.party.hand_in(self._names[user])
        self.party.mark(self._names[user], score)
        self.settle()

    def settle(self) -> None:
        """Let hours pass, in which the bridge asks whom it can ask."""
        self.story.append("five hours passed")
        self.clock.pass_(hours=5)
        self.ask_due()

    def ask_due(self) -> int:
        """Ask about every attempt that is due now, as a worker does."""
        return self.bridge.polling.poll_due(self._pool)

    def hint(self) -> None:
        """As if the provider had called, where it does not do so when marks change."""
        if not self.party.tells_marks:
            self.remind()

    def remind(self) -> None:
        """As if the provider had sent its last callback once more."""
        assert [self.send(hook) for hook in self.hooks[-1:]] == [200]

    def ask(self, user: str = "ann") -> Report:
        """Ask the provider about a learner's attempt now."""
        return self.bridge.polling.ask(self.attempt(user), self.clock())

    def attempt(self, user: str = "ann") -> Attempt:
        """The learner's newest attempt as it is stored."""
        found = self.bridge.store.attempt(self._attempts[user])
        assert found is not None
        return found

    def token(self, user: str) -> str:
        """The secret in the hook address of a learner's attempt."""
        attempt_id = self._attempts[user]
        return attempt_token(self.bridge.callbacks.key, self.kind, attempt_id)

    def send(self, hook: Hook) -> int:
        """Send a request to the bridge's door; its status."""
        url, headers = self.door.url + hook.path, dict(hook.headers)
        answer = HTTP.request(hook.method, url, body=hook.body or None, headers=headers)
        return int(answer.status)

    def grade(self, user: str = "ann") -> Score | None:
        """What the learner's gradebook cell is to show."""
        ((given, maximum),) = self.rows(GRADE, id=self._attempts[user])
        if given is None:
            return None
        return Score(Decimal(given), Decimal(maximum))

    def snapshot(self) -> Any:
        """Everything that a message may have changed: attempts, results, grades."""
        return [
            self.rows("SELECT id, state, given, maximum, reference, is_open FROM attempts"),
            self.rows("SELECT attempt_id, event, given, maximum FROM results"),
            self.rows("SELECT id, given, maximum, version FROM grades"),
        ]

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """Rows of the store, in an order that does not change."""
        with self.bridge.store.database.reading() as connection:
            return sorted((tuple(row) for row in connection.execute(text(query), values)), key=repr)

    def private(self) -> set[str]:
        """Texts that no log, no error and no stored answer may hold."""
        connection, wrong = self.party.connection(), self.party.wrong_secret()
        assert set(wrong) <= set(connection), (
            f"wrong_secret() has keys that connection() has not: {set(wrong) - set(connection)}"
        )
        secrets = {str(connection[key]) for key in wrong}
        people = {part for pair in NAMES.values() for part in pair} | {"@people.example.org"}
        return secrets | people | {HOOK_TOKEN}

    def launch(self, user: str) -> Launch:
        """A fresh click of a learner, as an LMS door hands it over."""
        number, now = next(self._counter), self.clock()
        given, family = NAMES.get(user, ("Given", "Family"))
        return Launch(
            registration="campus",
            lti="1.3",
            once=Once("nonce", str(number), now + timedelta(hours=1)),
            received_at=now,
            person=Person(
                id=user,
                given_name=given,
                family_name=family,
                full_name=f"{given} {family}",
                email=f"{user}@people.example.org",
            ),
            context=Context(id="course", title="A course"),
            resource_link=ResourceLink(id="link", title="A test"),
            grade_target=GradeTarget("https://lms.example.edu/outcomes", f"sourced-{user}"),
            roles=("http://purl.imsglobal.org/vocab/lis/v2/membership#Learner",),
            main_role="learner",
            custom={"activity": "test"},
        )


def leaks(world: World, records: list[logging.LogRecord]) -> list[str]:
    """What the log and the stored answers tell although they may not."""
    written = [log.Formatter(json=False).format(record) for record in records]
    written += [str(getattr(record, "reason", "")) for record in records]
    written += [str(json.loads(raw)) for (raw,) in world.rows("SELECT raw FROM results")]
    return [line for line in written if any(text in line for text in world.private())]


def _with_clock(bridge: Bridge, clock: Clock) -> Bridge:
    polling = replace(bridge.polling, clock=clock)
    return replace(
        bridge,
        launching=replace(bridge.launching, clock=clock, calls=Calls(lambda: 0.0, PATIENCE_S)),
        polling=polling,
        callbacks=replace(bridge.callbacks, polling=polling, clock=clock),
    )
