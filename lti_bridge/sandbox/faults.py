"""What a test asks of any pretend provider: its rows, and delays, broken and lost answers."""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from flask import Blueprint, Response, abort, g, jsonify, request

_KEYS = {"path", "method", "status", "times", "delay_s", "drop", "body", "content_type"}


class Faults:
    """Faults that wait for a request to their path."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[dict[str, Any]] = []

    def add(self, fault: dict[str, Any]) -> None:
        """Keep a fault; `times` is 1 when it says nothing, and -1 means until cleared."""
        with self._lock:
            self._waiting.append({"times": 1, **fault})

    def take(self, facts: Mapping[str, str]) -> dict[str, Any] | None:
        """The oldest fault for a request with these facts, used up once more."""
        with self._lock:
            for fault in self._waiting:
                same = all(str(fault.get(name, value)) == value for name, value in facts.items())
                if same and fault["times"] != 0:
                    fault["times"] -= int(fault["times"] > 0)
                    return fault
        return None

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._waiting.clear()


def install(
    everything: Blueprint,
    faults: Faults,
    facts: Callable[[], Mapping[str, str]] = dict,
) -> None:
    """Add POST /control/fault, play faults, and keep /control/ to callers on this machine.

    `facts` of a request, by name, are what a fault may name besides its path and method.
    """

    @everything.before_app_request
    def guard() -> Response | None:
        if not request.path.startswith("/control/"):
            return _play(faults, facts)
        if not ipaddress.ip_address(request.remote_addr or "0.0.0.0").is_loopback:  # noqa: S104
            abort(403)
        return None

    @everything.after_app_request
    def lose_answer(response: Response) -> Response:
        if g.get("fault", {}).get("drop"):
            # Half a shutdown would still deliver the answer.
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return response

    @everything.post("/control/fault")
    def fault() -> Response:
        """Break requests to a path, or to all; a dropped one is carried out all the same."""
        asked = request.get_json()
        if set(asked) - _KEYS - set(facts()):
            abort(400)
        faults.add(asked)
        return jsonify(ok=True)


class Rows(Protocol):
    """What a pretend provider remembers."""

    def snapshot(self) -> dict[str, Any]:
        """All rows as plain values."""

    def clear(self, *, rows: bool = False) -> None:
        """Forget faults and logs, or all rows."""


def install_rows(everything: Blueprint, state: Rows) -> None:
    """Add /control/state and /control/clear."""

    @everything.get("/control/state")
    def rows() -> Response:
        return jsonify(state.snapshot())

    @everything.post("/control/clear")
    def clear() -> Response:
        """Forget faults and logs; {"all": true} every row."""
        state.clear(rows=(request.get_json(silent=True) or {}).get("all", False))
        return jsonify(ok=True)


def _play(faults: Faults, facts: Callable[[], Mapping[str, str]]) -> Response | None:
    request.get_data(cache=True)  # signatures need the bytes after the form is read
    fault = faults.take({"path": request.path, "method": request.method, **facts()})
    if fault is None:
        return None
    g.fault = fault
    time.sleep(float(fault.get("delay_s", 0)))
    if fault.get("drop") or not ("status" in fault or "body" in fault):
        return None
    kind = fault.get("content_type", "application/json")
    return Response(fault.get("body", ""), status=fault.get("status", 200), content_type=kind)
