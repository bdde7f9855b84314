"""Metrics, where they are configured: who counts, what the database tells, and who may read it."""

from __future__ import annotations

import hmac
import logging
import threading
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from lti_bridge.core.attempt.capabilities import pushing
from lti_bridge.core.launch.message import DEEP_LINKING, RESOURCE_LINK, SUBMISSION_REVIEW
from lti_bridge.lms.routes import LAUNCH_PATH
from lti_bridge.platform.routes_outcomes import OUTCOMES_PATH
from lti_bridge.providers.routes import HOOKS_PATH
from lti_bridge.settings import Settings, tell_library
from lti_bridge.store import figures
from lti_bridge.store.health import Health
from lti_bridge.store.watch import observed

if TYPE_CHECKING:
    from lti_bridge.assembly.bridge import Bridge
    from lti_bridge.metrics.recorder import Figures, Recorder

log = logging.getLogger("lti_bridge.metrics")

METRICS_PATH = "/metrics"
TROUBLES = ("away", "busy")  # as lanes stand that are not open
KEEP_S = 10.0  # how long the database's figures are told before they are read again
MESSAGES = (RESOURCE_LINK, DEEP_LINKING, SUBMISSION_REVIEW)


def recorder_of(settings: Settings) -> Recorder | None:
    """Who counts in this process, if anybody is to; a full disk is no reason not to serve."""
    if not settings.bridge.metrics_token.get_secret_value():
        return None
    from lti_bridge.metrics.recorder import Recorder  # nothing of it where it is not wanted

    try:
        return Recorder(Path(settings.bridge.metrics_dir), tell_library)
    except OSError as error:
        reason = f"metrics_dir: {type(error).__name__}: {error.strerror}"
        log.error("metrics.off", extra={"reason": reason})
        return None


def add_metrics(app: Flask, bridge: Bridge, recorder: Recorder, health: Health) -> None:
    """Count launches and grade messages of this app, and let it answer a scraper."""
    told = _Figures(bridge, health)
    recorder.expect(
        [lms.name for lms in bridge.settings.lms],
        [connection.name for connection in bridge.settings.connection],
    )
    token = bridge.settings.bridge.metrics_token.get_secret_value().encode()
    app.before_request_funcs.setdefault(None, []).insert(0, _begin)
    app.after_request(partial(_count, recorder))

    @app.get(METRICS_PATH)
    def metrics() -> Response:
        """What was counted, for who has the token."""
        sent = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(sent, b"Bearer " + token):
            refused = Response("The metrics_token is wanted.\n", 401, content_type="text/plain")
            refused.headers["WWW-Authenticate"] = 'Bearer realm="metrics"'
            return refused
        try:
            page = recorder.page(told.now())
        except (OSError, ValueError):
            log.exception("metrics.broke")
            return Response("metrics_dir cannot be read.\n", 503, content_type="text/plain")
        response = Response(page, content_type=_text())
        response.headers["Cache-Control"] = "no-store"
        return response


def _text() -> str:
    from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

    return CONTENT_TYPE_PLAIN_0_0_4


def _begin() -> None:
    g.begun = monotonic()


def _count(recorder: Recorder, response: Response) -> Response:
    seconds, path = monotonic() - g.begun, request.path
    if request.method == "POST" and path == LAUNCH_PATH:
        recorder.launched(_launch(), seconds)
    elif way := _way(path):
        recorder.told(way, _outcome(response), seconds)
    return response


def _launch() -> tuple[str, str, str, str]:
    """Registration, LTI version, message and outcome: nothing that a stranger could choose."""
    launch = g.get("launch")
    message = launch.message if launch else "unknown"
    outcome = g.get("code") or ("opened" if launch else "sent-on")
    known = message if message in (*MESSAGES, "unknown") else "other"
    return g.get("registration", ""), g.get("lti", "unknown"), known, outcome


def _way(path: str) -> str:
    """By which way a grade came to this address; empty where none comes."""
    if path.startswith(HOOKS_PATH):
        return "hook"
    if request.method != "POST" or not path.startswith("/platform/"):
        return ""
    return "outcome" if path == OUTCOMES_PATH else "score" if path.endswith("/scores") else ""


def _outcome(response: Response) -> str:
    if response.status_code >= 500:
        return "failed"
    return "taken" if response.status_code < 300 and g.get("taken", True) else "refused"


class _Figures:
    """What the database and the queue tell, read at most once in KEEP_S."""

    def __init__(self, bridge: Bridge, health: Health) -> None:
        self._bridge = bridge
        self._health = health
        self._lock = threading.Lock()
        self._read_at = -KEEP_S
        self._figures: Figures = {}

    def now(self) -> Figures:
        """The figures by gauge. A database that does not answer has none but that it does not."""
        trouble = self._health.trouble()
        writable: Figures = {"lti_bridge_database_writable": {(): 0.0 if trouble else 1.0}}
        if trouble and not trouble.readable:
            return writable
        with self._lock:
            if monotonic() - self._read_at >= KEEP_S:
                self._figures, self._read_at = self._read(), monotonic()
            return {**writable, **self._figures}

    def _read(self) -> Figures:
        bridge, at = self._bridge, self._bridge.clock()
        database, store = bridge.store.database, bridge.store
        waiting = figures.pending(database)
        stuck = store.stuck_attempts(at, pushing(bridge.catalogue.connections()))
        return {
            "lti_bridge_grades_pending": {(one.registration,): one.count for one in waiting},
            "lti_bridge_oldest_pending_grade_seconds": {
                (one.registration,): max(0.0, (at - one.since).total_seconds()) for one in waiting
            },
            "lti_bridge_grades_for_people": figures.for_people(database),
            "lti_bridge_attempts_for_people": {(why,): n for why, n in stuck.items()},
            "lti_bridge_lane_troubled_seconds": {
                (one.what, one.about, one.said): max(0.0, (at - one.since).total_seconds())
                for one in observed(database, at)
                if one.said in TROUBLES
            },
            "lti_bridge_questions_due": {
                (name,): count for name, count in figures.questions_due(database, at).items()
            },
            "lti_bridge_key_set_age_seconds": _ages(bridge),
            "lti_bridge_queue_hints": _hints(bridge),
        }


def _ages(bridge: Bridge) -> dict[tuple[str], float]:
    """How old the keys of LMSs are, in seconds, as far as this process has needed them."""
    known = bridge.lms.lms13.keysets.ages()
    return {
        (one.name,): known[one.jwks_url]
        for one in bridge.lms.directory.all13()
        if one.jwks_url in known
    }


def _hints(bridge: Bridge) -> dict[tuple[()], float]:
    try:
        return {(): bridge.waker.queue.pending_count()}
    except Exception as error:  # any engine, any failure: the other figures are told all the same
        log.warning("metrics.no-queue", extra={"reason": type(error).__name__})
        return {}
