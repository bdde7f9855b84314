"""LTI 1.3 logins and launches that go wrong, each with the cause that has to be found.

The sandbox LMS signs them, which has no line of the bridge's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from lti_bridge.sandbox import serving
from tests.flow.browser import Browser, Page
from tests.flow.campus11 import send
from tests.flow.scene import DEPLOYMENT_ID, Scene

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
Click = Callable[[Scene, serving.Running], Page]


@dataclass(frozen=True)
class Broken13:
    """One broken click at an LMS: how it is answered, and what its first finding has.

    In `says` {issuer} and {bridge} stand for the addresses; `also` are checks of further reasons.
    """

    click: Click
    check: str
    says: tuple[str, ...]
    answer: tuple[int, str]
    also: tuple[str, ...] = ()

    def missing(self, said: str, **own: str) -> list[str]:
        """What is not said."""
        return [one for one in self.says if one.format(**own) not in said]


def form(scene: Scene, party: serving.Running, **token: Any) -> tuple[Browser, Page]:
    """A browser with the page that posts the token to the bridge; `token` is what is wrong."""
    browser = Browser()
    browser.get(f"{party.url}/as/student1")
    scene.world.control(party, "tamper", id_token=token)
    start = scene.world.control(party, "launch", link="best13", user="student1")
    return browser, browser.post(start["login_url"], start["fields"])


def token(**wrong: Any) -> Click:
    """A launch whose token is wrong like this."""

    def click(scene: Scene, party: serving.Running) -> Page:
        browser, page = form(scene, party, **wrong)
        return browser.submit(page)

    return click


def claims(**changes: Any) -> Click:
    """A launch with other claims."""
    return token(claims=changes)


def posted(**changes: str) -> Click:
    """A launch whose form is changed before it is posted."""

    def click(scene: Scene, party: serving.Running) -> Page:
        browser, page = form(scene, party)
        return browser.submit(page, **changes)

    return click


def times(issued: int, expires: int) -> Click:
    """A launch whose token has these times, in seconds from now."""

    def click(scene: Scene, party: serving.Running) -> Page:
        now = int(time.time())
        return claims(iat=now + issued, exp=now + expires)(scene, party)

    return click


def issuer(ending: str) -> Click:
    """A launch whose issuer ends in another way."""
    return lambda scene, party: claims(iss=f"{party.url}{ending}")(scene, party)


def elsewhere(scene: Scene, party: serving.Running) -> Page:
    """A launch that another browser posts."""
    _, page = form(scene, party)
    return Browser().submit(page)


def other_login(scene: Scene, party: serving.Running) -> Page:
    """The token of one login with the state of another."""
    browser, first = form(scene, party)
    start = scene.world.control(party, "launch", link="best13", user="student1")
    second = browser.post(start["login_url"], start["fields"])
    return browser.submit(second, id_token=dict(first.form().fields)["id_token"])


def without_state(scene: Scene, party: serving.Running) -> Page:
    """A launch that no login began."""
    _, page = form(scene, party)
    fields = [pair for pair in page.form().fields if pair[0] != "state"]
    return send(page.form().action, fields)


def answered(error: str) -> Click:
    """The LMS's answer that there is no launch."""

    def click(scene: Scene, party: serving.Running) -> Page:
        browser, page = form(scene, party)
        fields = [("error", error), ("state", dict(page.form().fields)["state"])]
        return browser.post(page.form().action, fields)

    return click


def login(**changes: str | None) -> Click:
    """A login with other parameters; {issuer} stands for the LMS's."""

    def click(scene: Scene, party: serving.Running) -> Page:
        start = scene.world.control(party, "launch", link="best13", user="student1")
        fields = dict(start["fields"])
        for name, value in changes.items():
            fields.pop(name, None)
            if value is not None:
                fields[name] = value.format(issuer=party.url)
        return Browser().get(f"{start['login_url']}?{urlencode(fields)}")

    return click


SIGNATURE, BROWSER, MESSAGE = (401, "signature"), (401, "browser-state"), (400, "message")
BROKEN13: dict[str, Broken13] = {
    "unknown kid": Broken13(
        token(header={"kid": "gone"}), "key id", ("'gone'",), SIGNATURE, ("signature",)
    ),
    "another key": Broken13(
        token(sign_with="other-key"), "signature", ("fits none of",), SIGNATURE
    ),
    "HMAC with the public key": Broken13(
        token(sign_with="hs256"), "algorithm", ("RS256", "'HS256'"), SIGNATURE, ("signature",)
    ),
    "not signed": Broken13(
        token(sign_with="none"), "token", ("3 parts", "not base64url"), SIGNATURE
    ),
    "issuer with a slash": Broken13(issuer("/"), "issuer", ("'{issuer}/'",), SIGNATURE),
    "audience": Broken13(
        claims(aud="another-client"),
        "audience",
        ("'bridge-client'", "'another-client'"),
        SIGNATURE,
    ),
    "azp": Broken13(claims(azp="another-client"), "azp", ("'another-client'",), SIGNATURE),
    "expired": Broken13(times(-300, -240), "clock (exp)", ("s ago", "60 s for"), SIGNATURE),
    "from the future": Broken13(times(600, 660), "clock (iat)", ("s ahead",), SIGNATURE),
    "made long ago": Broken13(times(-3600, 60), "clock (iat)", ("at most 600 s ago",), SIGNATURE),
    "nonce of another login": Broken13(other_login, "nonce", ("another one",), BROWSER),
    "another browser": Broken13(elsewhere, "browser", ("no cookie of this login",), BROWSER),
    "no state": Broken13(without_state, "state", ("none",), BROWSER),
    "state cut short": Broken13(posted(state="abc.def"), "state", ("not made here",), BROWSER),
    "deployment": Broken13(
        claims(**{DEPLOYMENT_ID: "77"}),
        "deployment",
        ("'1'", "'77'"),
        (403, "unknown-deployment"),
        ("deployment of the login",),
    ),
    "message type": Broken13(
        claims(**{f"{LTI}message_type": "LtiStartProctoring"}),
        "message_type",
        ("'LtiStartProctoring'",),
        MESSAGE,
    ),
    "version": Broken13(claims(**{f"{LTI}version": "1.2"}), "version", ("'1.2'",), MESSAGE),
    "target elsewhere": Broken13(
        claims(**{f"{LTI}target_link_uri": "https://old.example.edu/lti/launch"}),
        "target_link_uri",
        ("{bridge}", "'https://old.example.edu/lti/launch'"),
        MESSAGE,
    ),
    "no link": Broken13(
        token(remove=[f"{LTI}resource_link"]), "message", ("Resource Link",), MESSAGE
    ),
    "token cut short": Broken13(
        posted(id_token="eyJhbGciOiJSUzI1NiJ9.eyJzdW"), "token", ("2 parts",), SIGNATURE
    ),
    "the LMS says no": Broken13(
        answered("unauthorized_client"),
        "answer of the LMS",
        ("'unauthorized_client'",),
        (401, "login-failed"),
    ),
    "login of an issuer with a slash": Broken13(
        login(iss="{issuer}/"), "issuer", ("'{issuer}/'",), (400, "unknown-lms")
    ),
    "login of nobody": Broken13(
        login(iss="https://nobody.example.org"),
        "issuer",
        ("'https://nobody.example.org'",),
        (400, "unknown-lms"),
    ),
    "login of another client": Broken13(
        login(client_id="another-client"),
        "client_id",
        ("'bridge-client'", "'another-client'"),
        (400, "unknown-lms"),
    ),
    "login for another address": Broken13(
        login(target_link_uri="https://old.example.edu/lti/launch"),
        "target_link_uri",
        ("{bridge}", "'https://old.example.edu/lti/launch'"),
        MESSAGE,
    ),
    "login without a hint": Broken13(login(login_hint=None), "login_hint", ("none",), MESSAGE),
}
