"""The pretend LMS of the sandbox, with the habits of a family, before one worker of a bridge."""

from __future__ import annotations

from typing import Any

import urllib3
from flask import Flask

from lti_bridge.sandbox import serving
from lti_bridge.sandbox.lms import LinkSpec, LmsSettings, make_app
from tests.lms.platform13 import CLIENT, jwk, rsa_key

HTTP = urllib3.PoolManager(retries=False, timeout=60)
LINK = "rl-7"


class PretendLms:
    """The pretend LMS with the habits of a family, and the key set by which it knows the bridge."""

    USER = "4"

    def __init__(self, family: str, **more: Any) -> None:
        self.keys = serving.start(_key_set)
        link = LinkSpec(LINK, "Excel", "1.3", grades="ags")
        settings = LmsSettings(
            self.keys.url,
            (link,),
            client_id=CLIENT,
            deployment_id="1",
            jwks_url=f"{self.keys.url}/jwks",
            family=family,
            **more,
        )
        self.running = serving.start(make_app(settings))
        self.url = self.running.url
        self.token_url = f"{self.url}/lti/token"
        self.container = f"{self.url}/lti/ags/101/lineitems?type_id=1"
        self.item = f"{self.url}/lti/ags/101/lineitems/1/lineitem?type_id=1"

    def control(self, what: str, **values: Any) -> None:
        """Steer it."""
        url = f"{self.url}/control/{what}"
        answer = HTTP.request("POST", url, json=values)
        assert answer.status == 200, answer.data

    def teacher(self, points: float | None, comment: str = "") -> None:
        """A teacher enters a grade."""
        self.control("grade", item="1", user=self.USER, points=points, comment=comment)

    def cell(self, user: str = USER) -> dict[str, Any]:
        """What its gradebook shows of a learner."""
        columns = HTTP.request("GET", f"{self.url}/gradebook.json").json()["columns"]
        return columns[0]["cells"].get(user, {}) if columns else {}

    def log(self) -> list[dict[str, Any]]:
        """All requests to its services."""
        return HTTP.request("GET", f"{self.url}/control/log").json()  # type: ignore[no-any-return]

    def stop(self) -> None:
        """Stop it."""
        self.running.stop()
        self.keys.stop()


def _key_set(base_url: str) -> Flask:
    app = Flask("keys")
    app.get("/jwks")(lambda: {"keys": [jwk("tool-1", rsa_key("tool"), alg="RS256")]})
    return app
