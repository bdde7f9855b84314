"""One bridge, two LTI 1.1 LMSs that know one address, and a pretend provider of each kind."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from sqlalchemy import Engine, create_engine, text

from lti_bridge.cli import main
from lti_bridge.sandbox import isograd, itep, mettl, prov, serving
from tests.flow.browser import Page
from tests.flow.campus11 import Campus
from tests.flow.loop import HOOK_TOKEN
from tests.flow.world import HTTP, Bridge, free_port
from tests.prepared import prepare

AGREED = {"X-Agreed": "agreed-secret"}
CONFIG = """
[bridge]
public_url = "{bridge}"
former_urls = ["{former}"]
database_url = "{database}"
queue_url = "sqlite:///{folder}/queue.sqlite3"
keys_dir = "{folder}/keys"

[[lms]]
name = "campus"
lti = "1.1"
consumer_key = "campus-key"
shared_secret = "campus-secret"
inline = true

[[lms]]
name = "twin"
lti = "1.1"
consumer_key = "twin-key"
shared_secret = "twin-secret"

[[connection]]
name = "tosa"
kind = "isograd"
route = "api"
base_url = "{isograd}/api/usage"
token_url = "{isograd}/oauth2/token"
client_id = "id"
client_secret = "secret"
account = "ours"
low_credits = 0

[[connection]]
name = "tosa-lti"
kind = "isograd"
route = "lti-1.1"
launch_url = "{isograd}/public/lti.php"
consumer_key = "bridge-key"
shared_secret = "bridge-secret"
account = "ours"

[[connection]]
name = "tosa-plus"
kind = "isograd"
route = "api"
base_url = "{isograd}/api/usage"
token_url = "{isograd}/oauth2/token"
client_id = "id"
client_secret = "secret"
account = "ours"
addresses = "plus"
low_credits = 0

[[connection]]
name = "mettl"
kind = "mettl"
base_url = "{mettl}"
public_key = "pub"
private_key = "private-key-of-the-test"
hook_token = "hook-token-of-the-test"

[[connection]]
name = "mettl-names"
kind = "mettl"
base_url = "{mettl}"
public_key = "pub"
private_key = "private-key-of-the-test"
addresses = "pseudonym"
pseudonym_domain = "people.example.org"

[[connection]]
name = "prov"
{prov}
event_id_path = "eventId"
result_event_id_path = "eventId"
event_body = '''{{"candidateId": "{{candidate_id}}", "examCode": "{{exam_code}}",
  "examName": "{{exam_name}}", "address": "{{address}}"}}'''

[[connection]]
name = "prov-asked"
{prov}
result_path = "/api/results/{{event_id}}"
event_id_path = "eventId"
event_body = '{{"candidateId": "{{candidate_id}}", "examCode": "{{exam_code}}"}}'

[[connection]]
name = "prov-mail"
{prov}
event_id_path = "eventId"
result_event_id_path = "eventId"
privacy = ["given_name", "family_name", "email"]
event_body = '''{{"candidateId": "{{candidate_id}}", "examCode": "{{exam_code}}",
  "mail": "{{email}}"}}'''

[[connection]]
name = "itep"
kind = "itep"
endpoint = "{itep}/api/fulfillment"
secret = "account-key"
header_name_gtx = "X-iTEP-GTX"
header_name_stx = "X-iTEP-STX"
sig_encoding = "hex"
sequence_mode = "counter"
response_test_id_path = "test-id"
response_password_path = "password"
hook_token = "hook-token-of-the-test"
hook_header_name = "X-Agreed"
hook_header_value = "agreed-secret"
stock = {{ Academic-Plus = 20 }}
"""
PROV = """kind = "prov"
base_url = "{prov}"
auth_style = "bearer"
auth_value = "prov-secret-of-the-test"
event_path = "/api/events"
event_url_path = "examUrl"
result_candidate_id_path = "candidateId"
result_exam_code_path = "examCode"
result_score_path = "overallScore"
hook_token = "hook-token-of-the-test"
"""
ISOGRAD = "act_id = 8, tst_frm_id = '363', gen_id = 3"
EXAM = "exam_code = 'NB1', score_min = 0, score_max = 100"
ACTIVITIES = {  # by name: the connection, and the settings
    "tosa": ("tosa", ISOGRAD),
    "tosa-other-link": ("tosa", ISOGRAD),
    "tosa-known": ("tosa", "act_id = 2, tst_frm_id = '363'"),
    "tosa-new": ("tosa", "act_id = 9, tst_frm_id = '363'"),
    "tosa-area": ("tosa", "act_id = 38"),
    "tosa-candidate": ("tosa", "act_id = 1, gen_id = 3"),
    "tosa-report": ("tosa", "act_id = 6, tst_frm_id = '363'"),
    "tosa-lti": ("tosa-lti", f"{ISOGRAD}, redirect = 1"),
    "tosa-plus": ("tosa-plus", ISOGRAD),
    "mettl": ("mettl", "access_key = 'open1001'"),
    "mettl-delete": ("mettl", "access_key = 'open1001', second_attempt = 'delete'"),
    "mettl-names": ("mettl-names", "access_key = 'open1001'"),
    "prov": ("prov", EXAM),
    "prov-asked": ("prov-asked", EXAM),
    "prov-mail": ("prov-mail", EXAM),
    "itep": ("itep", "product_code = 'GTX-Academic-Plus', track = 'RC'"),
}


@dataclass(frozen=True)
class Pair:
    """Two user ids, and the e-mail address that both have."""

    ann: str
    bob: str
    mail: str


@dataclass
class People:
    """Everybody, and what tests do with them."""

    bridge: Bridge
    database: str
    parties: dict[str, serving.Running]
    lms: dict[str, Campus] = field(default_factory=dict)
    fresh: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def click(
        self, user: str, mail: str, activity: str, lms: str = "campus", **changes: str | None
    ) -> Page:
        """A learner's launch."""
        fields: dict[str, str | None] = {
            "user_id": user,
            "lis_person_contact_email_primary": mail,
            "resource_link_id": f"link-{activity}",
            "custom_activity": activity,
            "lis_result_sourcedid": f"cell-of-{user}",
            **changes,
        }
        return self.lms[lms].launch(**fields)

    def place(
        self, user: str, mail: str, activity: str, lms: str = "campus", **changes: str | None
    ) -> str:
        """Where a learner's click leads at the provider."""
        page = self.click(user, mail, activity, lms, **changes)
        assert page.status in (200, 302, 303), page.text
        return str(page.headers.get("Location", ""))

    def state(self, party: str) -> Any:
        """A provider's rows."""
        return HTTP.request("GET", f"{self.parties[party].url}/control/state").json()

    def pull(self, party: str, action: str, **values: Any) -> Any:
        """Pull a string at a provider."""
        answer = HTTP.request("POST", f"{self.parties[party].url}/control/{action}", json=values)
        assert answer.status < 300, answer.data
        return answer.json() if answer.data else None

    def hook(
        self, connection: str, body: Any, headers: dict[str, str] | None = None, at: str = ""
    ) -> int:
        """Send what a provider might push; the status of the answer. `at` is another address."""
        url = f"{at or self.bridge.url}/hooks/{connection}/{HOOK_TOKEN}"
        if isinstance(body, str):
            sent = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
            return int(HTTP.request("POST", url, body=body, headers=sent).status)
        return int(HTTP.request("POST", url, json=body, headers=headers).status)

    def rows(self, sql: str, **values: Any) -> list[Any]:
        """The rows of a query, or none for a change."""
        with self.engine.begin() as connection:
            found = connection.execute(text(sql), values)
            return list(found.all()) if found.returns_rows else []

    @cached_property
    def engine(self) -> Engine:
        """The way to the database, kept for all tests."""
        return create_engine(self.database)

    def pair(self) -> Pair:
        """Two learners who were never here, and the address of both."""
        number = next(self.fresh)
        return Pair(f"ann{number}", f"bob{number}", f"ann.exampleton{number}@example.edu")

    def attempt(self, user: str, activity: str = "", lms: str = "campus") -> Any:
        """A learner's newest attempt."""
        found = self.rows(
            "SELECT a.* FROM attempts a JOIN learners l ON l.id = a.learner_id"
            " WHERE l.user_id = :user AND l.registration = :lms"
            " AND (:activity = '' OR a.activity_id = :activity) ORDER BY a.created_at DESC",
            user=user,
            lms=lms,
            activity=activity,
        )
        return found[0]

    def score(self, user: str, activity: str = "", lms: str = "campus") -> str:
        """A learner's score, as `given/maximum`; empty without one."""
        row = self.attempt(user, activity, lms)
        return "" if row.given is None else f"{row.given}/{row.maximum}"

    def run(self, *arguments: str) -> Result:
        """An `lti-bridge` command."""
        return CliRunner().invoke(main, [*arguments, "--config", str(self.bridge.config)])

    def ok(self, *arguments: str) -> str:
        """What a command says that has to work."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.output

    def json(self, *arguments: str) -> Any:
        """The JSON of a command."""
        return json.loads(self.ok(*arguments, "--json"))

    def let_time_pass(self) -> None:
        """As if an hour had passed: attempts are due to be asked about, starts no longer fresh."""
        self.rows("UPDATE attempts SET poll_at = 1 WHERE poll_at IS NOT NULL")
        self.rows("UPDATE attempts SET changed_at = changed_at - 3600000")

    def begin_anew(self) -> None:
        """As if nothing had ever happened."""
        self.bridge.begin_anew(self.database)
        for name in self.parties:
            self.pull(name, "clear", all=True)


def code_of(page: Page) -> str:
    """The code on a page that refuses; empty on any other."""
    found = re.search(r'<dt>Code</dt><dd class="copy">([a-z0-9-]+)</dd>', page.text)
    return found[1] if found and page.status >= 400 else ""


@contextmanager
def running_people(
    folder: Path,
    database: str,
    more: str = "",
    activities: dict[str, tuple[str, str]] | None = None,
) -> Iterator[People]:
    """Everybody started; `more` is added to the configuration, as are `activities`."""
    url = f"http://127.0.0.1:{free_port()}"
    hooks = {name: f"{url}/hooks/{name}/{HOOK_TOKEN}" for name in ("mettl", "itep")}
    track = itep.Track("RC", hooks["itep"], True, tuple(AGREED.items()))
    names = prov.Names()
    parties = {
        "isograd": serving.start(
            isograd.make_app(isograd.IsogradSettings("bridge-key", "bridge-secret", "id", "secret"))
        ),
        "mettl": serving.start(
            mettl.make_app(
                mettl.MettlSettings("pub", "private-key-of-the-test", hook_url=hooks["mettl"])
            )
        ),
        "prov": serving.start(
            prov.make_app(prov.ProvSettings("bearer", "", "prov-secret-of-the-test", names=names))
        ),
        "itep": serving.start(itep.make_app(itep.ItepSettings("account-key", tracks=(track,)))),
    }
    prepare(folder, database)
    urls = {name: party.url for name, party in parties.items()}
    wire = PROV.format(prov=urls["prov"])
    config = folder / "config.toml"
    former = url.replace("127.0.0.1", "localhost")
    written = CONFIG.format(
        bridge=url, former=former, database=database, folder=folder, **{**urls, "prov": wire}
    )
    for name, (connection, settings) in {**ACTIVITIES, **(activities or {})}.items():
        written += (
            f'\n[[activity]]\nid = "{name}"\ntitle = "The test {name}"\n'
            f'connection = "{connection}"\nsettings = {{ {settings} }}\n'
        )
    config.write_text(written + more, encoding="utf-8")
    bridge = Bridge(url, folder, config)
    launch = f"{url}/lti/launch"
    lmss = {name: Campus(launch, f"{name}-key", f"{name}-secret") for name in ("campus", "twin")}
    try:
        bridge.serve()
        people = People(bridge, database, parties, lmss)
        yield people
        people.engine.dispose()
    finally:
        bridge.end()
        for party in parties.values():
            party.stop()
