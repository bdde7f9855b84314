"""What the contract kit has to know of a kind of provider: its pretend one, and its strings.

A kind's tests/providers/<kind>/contract.py has `PARTIES`, a tuple of subclasses of `Party`: one
for each way in which connections of the kind differ (routes, push or pull). Everything that
raises NotImplementedError here has to be written; the rest is given.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

import urllib3
from flask import Flask, Response, request

from lti_bridge.sandbox import serving
from tests.flow.world import free_port

HTTP = urllib3.PoolManager(retries=False, timeout=60)
Call = dict[str, Any]
Refusal = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Hook:
    """A request that reached the bridge's hook address."""

    method: str
    path: str  # with its query
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Seen:
    """A request that the pretend provider answered."""

    method: str
    path: str
    form: dict[str, str]
    status: int
    body: str


class Party:
    """A pretend provider over HTTP. `name` is always the provider's own name for one sitting."""

    # Two different scores that JSON can carry, as exact text, and what they are out of.
    scores: ClassVar[tuple[str, str]] = ("7.3", "4.6")
    maximum: ClassVar[str] = "10"
    # Whether it calls when marks are given or changed, and whether it tells that somebody has
    # handed in before there are marks.
    tells_marks: ClassVar[bool] = True
    marks_later: ClassVar[bool] = True
    # What the provider documents as refusals of the call that buys: the code that people see then,
    # and its answer as for `fault`, such as ("acme-key", {"status": 401}).
    refusals: ClassVar[tuple[Refusal, ...]] = ()

    # What each kind writes

    def app(self, hook_url: str) -> Callable[[str], Flask]:
        """The sandbox's builder for `serving.start`; `hook_url` is the connection's own hook."""
        raise NotImplementedError("app(hook_url): return your sandbox's make_app(settings)")

    def connection(self) -> dict[str, Any]:
        """The kind's own keys of a [[connection]] that reaches self.url."""
        raise NotImplementedError("connection(): return the keys of a connection to self.url")

    def wrong_secret(self) -> dict[str, Any]:
        """Every secret key of connection(), with a value that the provider refuses."""
        raise NotImplementedError("wrong_secret(): return the secret keys with wrong values")

    def activity(self) -> dict[str, Any]:
        """The settings of an activity, if it can be of a test that is marked later."""
        raise NotImplementedError("activity(): return an activity's settings")

    def paid_call(self) -> Call:
        """Which request buys: `path` and `method`, and form fields by name (see sandbox.faults)."""
        raise NotImplementedError('paid_call(): return {"path": …, "method": "POST"}')

    def fetch_calls(self, name: str) -> list[Call]:
        """Which requests ask how a sitting stands; needed with the capability fetch only."""
        raise NotImplementedError('fetch_calls(name): return [{"path": …, "method": "GET"}]')

    def bought(self) -> list[str]:
        """The names of everything that was bought, oldest first."""
        raise NotImplementedError("bought(): return the names of what was bought")

    def hand_in(self, name: str) -> None:
        """The learner hands in; there are no marks yet. The provider calls back by itself."""
        raise NotImplementedError("hand_in(name): let the learner hand in, without marks")

    def mark(self, name: str, score: str) -> None:
        """Give marks, or other marks, out of `maximum`. The provider calls back by itself."""
        raise NotImplementedError("mark(name, score): give marks")

    def stop(self, name: str, score: str) -> None:
        """Say that the sitting was stopped or is under review, with these marks where it has any.

        Of kinds with the capability `verdict` only; `mark` takes it back.
        """
        raise NotImplementedError("stop(name, score): let it say that a sitting is looked into")

    def unknown_status(self, name: str) -> None:
        """Let the provider tell a status that no document names, whenever it is asked or calls."""
        raise NotImplementedError("unknown_status(name): let it tell a status nobody knows")

    def tampered(self, hook: Hook, other: Hook) -> Iterable[Hook]:
        """Forgeries of a genuine hook, such as a better score; `other` is another learner's."""
        raise NotImplementedError("tampered(hook, other): return forged hooks")

    # What all have

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.story: list[str] = []  # what has happened, for who asks why something failed
        self._held: Call | None = None
        self._waiting: list[Seen] = []
        self._go_on = threading.Event()

    def start(self, hook_url: str) -> None:
        """Serve the sandbox, and keep what it answers."""
        self._running = serving.start(self.served(hook_url), port=free_port())
        self.url = self._running.url

    def served(self, hook_url: str) -> Callable[[str], Flask]:
        """The sandbox's builder, with what `held` and `answer` need."""
        build = self.app(hook_url)

        def watched(url: str) -> Flask:
            self._app = build(url)
            self._app.before_request_funcs.setdefault(None, []).insert(0, self._hold)
            self._app.after_request(self._remember)
            return self._app

        return watched

    def go_down(self) -> None:
        """Nobody listens any more; nothing is forgotten."""
        self.story.append("the provider went down")
        self._running.stop()

    def come_back(self) -> None:
        """Listen again, at the same address."""
        self.story.append("the provider came back")
        port = urlsplit(self.url).port or 0
        self._running = serving.start(lambda url: self._app, port=port)

    def control(self, action: str, **asked: Any) -> Any:
        """POST /control/<action> of the sandbox."""
        self.story.append(f"POST /control/{action} {json.dumps(asked)}")
        answer = HTTP.request("POST", f"{self.url}/control/{action}", json=asked)
        assert answer.status == 200, (
            f"the sandbox answers POST /control/{action} with {answer.status}: {answer.data!r:.200}"
        )
        return answer.json()

    def state(self) -> Any:
        """GET /control/state of the sandbox."""
        answer = HTTP.request("GET", f"{self.url}/control/state")
        assert answer.status == 200, (
            f"the sandbox answers GET /control/state with {answer.status}: does it call "
            "faults.install_rows?"
        )
        return answer.json()

    def fault(self, call: Call, **how: Any) -> None:
        """Break a call: delay_s, drop (carried out, but not answered), or status and body."""
        self.control("fault", **{**call, "times": 1, **how})

    @contextmanager
    def held(self, call: Call) -> Iterator[Callable[[], int]]:
        """Nobody gets an answer to this call before the end of the block; how many wait for it."""
        self._held, self._waiting = call, []
        self._go_on.clear()
        try:
            yield lambda: len(self._waiting)
        finally:
            self._held = None
            self._go_on.set()

    def mend(self) -> None:
        """Forget all faults."""
        self.control("clear")

    def answer(self, call: Call) -> Any:
        """What the provider answered to this call last, as JSON."""
        found = [one for one in self.seen if _fits(call, one) and one.status < 300]
        assert found, (
            f"the kind has made no call that fits {call}, or none had a good answer: correct "
            f"paid_call() or fetch_calls(); it made "
            f"{sorted({f'{one.method} {one.path} ({one.status})' for one in self.seen})}"
        )
        return json.loads(found[-1].body)

    def _hold(self) -> None:
        held = self._held  # which another thread may let go meanwhile
        if held is None:
            return
        request.get_data()  # kept, for who reads it after the form
        made = Seen(request.method, request.path, request.form.to_dict(), 0, "")
        if _fits(held, made):
            self._waiting.append(made)
            self._go_on.wait(100)

    def _remember(self, response: Response) -> Response:
        if not request.path.startswith("/control/"):
            body = "" if response.direct_passthrough else response.get_data(as_text=True)
            form = request.form.to_dict()
            self.seen.append(Seen(request.method, request.path, form, response.status_code, body))
            self.story.append(
                f"the provider answered {request.method} {request.path} with "
                f"{response.status_code} {body[:120]}".strip()
            )
        return response


def _fits(call: Call, seen: Seen) -> bool:
    known = {**seen.form, "path": seen.path, "method": seen.method}
    return all(str(known.get(key)) == str(value) for key, value in call.items())
