"""A bridge in this process with LTI 1.3 tools behind it, and launches up to their id_token."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
from flask.testing import FlaskClient
from jwt.algorithms import RSAAlgorithm
from werkzeug.test import TestResponse

from lti_bridge.assembly.web import create_app
from lti_bridge.settings import Settings, parse
from lti_bridge.store.engine import Database
from tests.flow.browser import Form, Page
from tests.flow.campus11 import Campus

PUBLIC = "https://bridge.example.edu/lti-bridge"
TOOL = "https://tool.example.org"
LTI = "https://purl.imsglobal.org/spec/lti/claim/"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
FORM = "application/x-www-form-urlencoded"
KEPT_PAGES = f"{urlsplit(PUBLIC).path}/course/page/"  # what answers a form, to read again


def connection(name: str, **more: Any) -> dict[str, Any]:
    """A connection of kind lti, version 1.3."""
    values: dict[str, Any] = {
        "name": name,
        "kind": "lti",
        "version": "1.3",
        "login_url": f"{TOOL}/{name}/login?tenant=a%20b&x=1",
        "launch_url": f"{TOOL}/{name}",
        "redirect_uris": [f"{TOOL}/{name}/launch", f"{TOOL}/{name}/other?keep=1"],
        "jwks_url": f"{TOOL}/{name}/jwks",
        "client_id": f"client-of-{name}",
        "deployment_id": f"deployment of {name}",
        **more,
    }
    return {key: value for key, value in values.items() if value is not None}


def settings(folder: Path, database: str, allow_private: Sequence[str] = ()) -> Settings:
    """The configuration: a tool that knows names, one that does not, and one in a frame."""
    names = ["given_name", "family_name", "middle_name", "full_name", "email", "image"]
    custom = {"who": "$Person.name.given", "course": "$Context.id", "plain": " 1 "}
    tools = ("full", "shy", "framed")
    return parse(
        {
            "bridge": {
                "public_url": PUBLIC,
                "database_url": database,
                "queue_url": f"sqlite:///{folder}/q.sqlite3",
                "keys_dir": str(folder / "keys"),
                "allow_private": list(allow_private),
            },
            "lms": [
                {"name": "c", "lti": "1.1", "consumer_key": "key", "shared_secret": "secret"},
            ],
            "connection": [
                connection("full", privacy=[*names, "sourced_id"]),
                connection("shy", services=[]),
                connection(
                    "framed",
                    frame=True,
                    services=["basic-outcome"],
                    consumer_key="179248902",
                    shared_secret="my-lti11-secret",
                ),
            ],
            "activity": [
                {"id": name, "title": name, "connection": name, "settings": {"custom": custom}}
                for name in tools
            ],
        },
        "test",
    )


@dataclass
class Bridge13:
    """A browser in front of the bridge; every copy of it is another browser."""

    client: FlaskClient

    def post(
        self, path: str, fields: list[tuple[str, str]] | dict[str, str], dest: str = ""
    ) -> Page:
        """Post a form to the bridge; where it answers with a page of its own, that page.

        `dest` is where the browser says that the answer goes (Sec-Fetch-Dest).
        """
        body = urlencode(fields, errors="surrogatepass")
        headers = {"Sec-Fetch-Dest": dest} if dest else {}
        sent = {"data": body, "content_type": FORM, "base_url": PUBLIC, "headers": headers}
        page = _page(self.client.post(path, **sent))  # type: ignore[arg-type]
        place = page.headers.get("Location", "")
        if page.status == 303 and place.startswith(KEPT_PAGES):
            return self.get(place.removeprefix(urlsplit(PUBLIC).path))
        return page

    def get(self, path: str) -> Page:
        """Get a page of the bridge."""
        return _page(self.client.get(path, base_url=PUBLIC))

    def launch(self, activity: str = "full", **changes: str | None) -> Page:
        """Click a course link; the page with the login initiation."""
        campus = Campus(f"{PUBLIC}/lti/launch", "key", "secret")
        fields = campus.fields(custom_activity=activity, **changes)
        return self.post("/lti/launch", campus.signed(fields))

    def login(self, activity: str = "full", **changes: str | None) -> dict[str, str]:
        """The login initiation's fields."""
        return dict(self.launch(activity, **changes).form().fields)

    def authorize(self, login: dict[str, str], **changes: str | None) -> Page:
        """The tool's authentication request for this login, with changes."""
        return self.post("/platform/authorize", request_for(login, **changes))

    def claims(self, activity: str = "full", **changes: str | None) -> dict[str, Any]:
        """The verified claims of a whole launch."""
        login = self.login(activity, **changes)
        return self.verified(answer(self.authorize(login))["id_token"], login["client_id"])

    def verified(self, token: str, client_id: str) -> dict[str, Any]:
        """What the platform's key set says about a token."""
        kid = jwt.get_unverified_header(token)["kid"]
        [key] = [
            one for one in json.loads(self.get("/platform/jwks").text)["keys"] if one["kid"] == kid
        ]
        claims: dict[str, Any] = jwt.decode(
            token, RSAAlgorithm.from_jwk(key), ["RS256"], audience=client_id, issuer=PUBLIC
        )
        return claims


def open_bridge(folder: Path, allow_private: Sequence[str] = ()) -> Bridge13:
    """A bridge with a database of its own."""
    made = settings(folder, f"sqlite:///{folder}/b.sqlite3", allow_private)
    database = Database(made.bridge.database_url)
    database.migrate()
    database.close()
    return Bridge13(create_app(made).test_client())


def another_browser(bridge: Bridge13) -> Bridge13:
    """The same bridge, without this browser's cookies."""
    return Bridge13(bridge.client.application.test_client())


def request_for(login: dict[str, str], **changes: str | None) -> dict[str, str]:
    """A tool's authentication request; None leaves a parameter out."""
    name = login["client_id"].removeprefix("client-of-")
    request: dict[str, str | None] = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": login["client_id"],
        "redirect_uri": f"{TOOL}/{name}/launch",
        "login_hint": login["login_hint"],
        "lti_message_hint": login["lti_message_hint"],
        "state": "the-state",
        "nonce": "the-nonce",
        **changes,
    }
    return {name: value for name, value in request.items() if value is not None}


def answer(page: Page) -> dict[str, str]:
    """The fields that go to the tool; the page is one."""
    assert page.status == 200, page.text
    [form] = page.forms()
    assert form.method == "post"
    return dict(form.fields)


def target(page: Page) -> str:
    """Where the answer goes."""
    form: Form = page.form()
    return form.action


def _page(response: TestResponse) -> Page:
    return Page(response.request.url, response.status_code, response.headers, response.text)  # type: ignore[arg-type]
