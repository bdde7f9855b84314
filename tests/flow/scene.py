"""A world with several LMSs and a recording tool, for what ordinary launches never show."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import create_engine, text

from lti_bridge.sandbox import lms, serving
from tests.flow.browser import Browser, Page
from tests.flow.campus11 import Arrival, Campus, Tool, start_tool
from tests.flow.world import BASE, World, make_world

TOOL_SECRET = "tool-secret/ä&"
TWIN_SECRET = "twin secret ö&"
DEPLOYMENT_ID = "https://purl.imsglobal.org/spec/lti/claim/deployment_id"
WORDS = "caf%C3%A9"
QUERY = f"user_id=123&lti_message_type=1234&tag=b&tag=a%20%2B&empty=&word={WORDS}"
EXTRA = """
[[lms]]
name = "twin11"
lti = "1.1"
consumer_key = "twin-key"
shared_secret = "{twin}"
inline = true

[[lms]]
name = "strict11"
lti = "1.1"
consumer_key = "strict-key"
shared_secret = "strict-secret"
signature = "HMAC-SHA256"
timestamp_window_s = 300

[[lms]]
name = "second13"
lti = "1.3"
inline = true
issuer = "{second}"
client_id = "bridge-client"
deployment_ids = ["1", "2"]
authorization_url = "{second}/lti/auth"
token_url = "{second}/lti/token"
jwks_url = "{second}/lti/jwks"

[[connection]]
name = "plain"
kind = "lti"
launch_url = "{tool}/plain"
consumer_key = "plain-key"
shared_secret = "{secret}"

[[connection]]
name = "named"
kind = "lti"
launch_url = "{tool}/named"
consumer_key = "named-key"
shared_secret = "{secret}"
signature = "HMAC-SHA256"
privacy = ["given_name", "email", "username"]

[[connection]]
name = "query"
kind = "lti"
launch_url = "{tool}/query?{query}"
consumer_key = "query-key"
shared_secret = "{secret}"

[[connection]]
name = "told"
kind = "lti"
launch_url = "{tool}/told"
consumer_key = "told-key"
shared_secret = "{secret}"
notice = "Your answers go to the test provider."

[[connection]]
name = "twins-only"
kind = "lti"
launch_url = "{tool}/twins"
consumer_key = "twins-key"
shared_secret = "{secret}"
lms = ["twin11"]

[[connection]]
name = "parts"
kind = "lti"
launch_url = "{tool}/parts"
consumer_key = "parts-key"
shared_secret = "{secret}"
privacy = ["given_name", "family_name"]

[[connection]]
name = "family-first"
kind = "lti"
launch_url = "{tool}/parts"
consumer_key = "family-key"
shared_secret = "{secret}"
privacy = ["given_name", "family_name"]
names = "family-first"

[[connection]]
name = "unsplit"
kind = "isograd"
route = "lti-1.1"
launch_url = "{tool}/unsplit"
consumer_key = "unsplit-key"
shared_secret = "{secret}"
names = "whole"

[[activity]]
id = "parts"
title = "Parts of names"
connection = "parts"

[[activity]]
id = "family-first"
title = "Family names first"
connection = "family-first"

[[activity]]
id = "unsplit"
title = "Names are not split"
connection = "unsplit"
settings = {{ act_id = 8, tst_frm_id = "363", gen_id = 3, redirect = 1 }}

[[activity]]
id = "plain"
title = "A plain test"
connection = "plain"

[[activity]]
id = "named"
title = "A test that knows names"
connection = "named"
[activity.settings.custom]
"Review:Chapter" = "1.2.56"
empty = ""
who = "$Person.name.given"
family = "$Person.name.family"
login = "$User.username"
unvalued = "$Context.label"
unknown = "$Foo.bar"
user_id = "root"

[[activity]]
id = "told"
title = "A test with a notice"
connection = "told"

[[activity]]
id = "query"
title = "A test behind a query"
connection = "query"

[[activity]]
id = "once"
title = "One attempt only"
connection = "tosa"
settings = {{ act_id = 8, tst_frm_id = "363", gen_id = 3, redirect = 1 }}
attempts = 1

[[activity]]
id = "thrice"
title = "Three attempts"
connection = "plain"
attempts = 3

[[activity]]
id = "for-twins"
title = "For one LMS only"
connection = "plain"
lms = ["twin11"]

[[activity]]
id = "closed"
title = "Behind a connection of one LMS"
connection = "twins-only"
"""


@dataclass
class Scene:
    """The running world, its second LTI 1.3 LMS, the tool, and the LTI 1.1 registrations."""

    world: World
    second: serving.Running
    tool: Tool
    campus: Campus
    twin: Campus
    strict: Campus

    def open(self, campus: Campus, **changes: str | None) -> Arrival:
        """Launch and let the browser carry the form to the tool; what the tool got."""
        page = campus.launch(**changes)
        assert page.status == 200, page.text
        return self.carry(page)

    def carry(self, page: Page) -> Arrival:
        """Submit a handoff as a browser does: line breaks of any kind travel as CRLF."""
        form = page.form()
        fields = [(name, re.sub(r"\r\n|\r|\n", "\r\n", value)) for name, value in form.fields]
        said = Browser().post(form.action, fields)
        assert said.text == "hello", said.text
        return self.tool.last

    def rows(self, sql: str, **values: Any) -> list[Any]:
        """The rows of a query on the bridge's database."""
        config = tomllib.loads(self.world.bridge.config.read_text(encoding="utf-8"))
        engine = create_engine(config["bridge"]["database_url"])
        with engine.connect() as connection:
            found = connection.execute(text(sql), values).all()
        engine.dispose()
        return list(found)

    def write(self, sql: str, **values: Any) -> None:
        """Change the bridge's database behind its back."""
        config = tomllib.loads(self.world.bridge.config.read_text(encoding="utf-8"))
        engine = create_engine(config["bridge"]["database_url"])
        with engine.begin() as connection:
            connection.execute(text(sql), values)
        engine.dispose()

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 - our tests

    def attempts(self, user_id: str) -> list[tuple[int, str]]:
        """Number and state of all attempts of a user, in order."""
        sql = (
            "SELECT a.number, a.state FROM attempts a JOIN learners l ON l.id = a.learner_id"
            " WHERE l.user_id = :user_id ORDER BY a.number"
        )
        return [(row.number, row.state) for row in self.rows(sql, user_id=user_id)]

    def log_of(self, reference: str) -> str:
        """The log lines that name a reference id."""
        return "\n".join(line for line in self.world.bridge.log().splitlines() if reference in line)

    def launches(self) -> list[dict[str, Any]]:
        """What the pretend Isograd got, oldest first."""
        url = f"{self.world.isograd.url}/control/state"
        return list(Browser().pool.request("GET", url).json()["launches"])


@contextmanager
def running_scene(folder: Path, database: str, *options: str) -> Iterator[Scene]:
    """Everything started, with the bridge's log at DEBUG level."""
    tool = start_tool()
    base = BASE.replace('log_level = "INFO"', 'log_level = "DEBUG"')
    world = make_world(folder, database, base=base)
    settings = lms.LmsSettings(
        bridge_url=world.bridge.url,
        links=(lms.LinkSpec("best13", "Plain by 1.3", "1.3", {"activity": "plain"}),),
        client_id="bridge-client",
    )
    second = serving.start(lms.make_app(settings))
    extra = EXTRA.format(
        tool=tool.running.url, second=second.url, query=QUERY, secret=TOOL_SECRET, twin=TWIN_SECRET
    )
    with world.bridge.config.open("a", encoding="utf-8") as config:
        config.write(extra)
    url = f"{world.bridge.url}/lti/launch"
    try:
        world.bridge.serve("--no-worker", *options)
        yield Scene(
            world,
            second,
            tool,
            Campus(url, "campus-key", "campus-secret-äöü&x"),
            Campus(url, "twin-key", TWIN_SECRET),
            Campus(url, "strict-key", "strict-secret", "HMAC-SHA256"),
        )
    finally:
        world.stop()
        second.stop()
        tool.running.stop()


def refusal(page: Page) -> tuple[str, str]:
    """Code and reference id of an error page; there is a sentence too."""
    heading = re.search(r"<h1>(.{15,})</h1>", page.text)
    shown = re.findall(r'<dd class="copy">([^<]+)</dd>', page.text)
    assert heading, page.text
    assert len(shown) == 2, page.text
    return shown[1], shown[0]


def way_back(page: Page) -> dict[str, list[str]]:
    """The parameters of the link back to the course; empty when there is none."""
    found = re.search(r'href="(https://lms\.example\.edu/back[^"]*)"', page.text)
    if not found:
        return {}
    return parse_qs(urlsplit(found[1].replace("&amp;", "&")).query)


def launch13(scene: Scene, party: serving.Running, user: str = "student1", **token: Any) -> Page:
    """A launch by LTI 1.3; `deployment` and `claims` change what the LMS signs.

    `browser` is a new one unless given.
    """
    deployment = token.get("deployment", "1")
    claims = {DEPLOYMENT_ID: deployment, **token.get("claims", {})}
    browser = token.get("browser") or Browser()
    browser.get(f"{party.url}/as/{user}")
    scene.world.control(party, "tamper", id_token={"claims": claims})
    extra = {"lti_deployment_id": deployment}
    start = scene.world.control(party, "launch", link="best13", user=user, extra=extra)
    return browser.submit(browser.post(start["login_url"], start["fields"]))
