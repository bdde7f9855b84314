"""An LMS tells of a copied course by itself, and its links find their tests at the first click."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lti_bridge.sandbox import lms, serving
from tests.flow.browser import Browser, Page
from tests.flow.scene import Scene, refusal, running_scene
from tests.flow.test_placing import fill
from tests.flow.test_registrations import every_login, invited, opened_by
from tests.flow.world import HTTP, eventually

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
SCOPE = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"


@dataclass
class Teller:
    """An LMS that offers notices, and has registered itself with the scene's bridge."""

    scene: Scene
    party: serving.Running
    name: str

    def click(
        self,
        user: str,
        course: str,
        link: str,
        custom: dict[str, str] | None = None,
        claims: dict[str, Any] | None = None,
    ) -> Page:
        """A click on a link of a course; what the bridge answers. `claims` are further ones."""
        said: dict[str, Any] = {
            f"{LTI}context": {"id": course, "title": f"Course {course}"},
            f"{LTI}resource_link": {"id": link, "title": "A test"},
            f"{LTI}custom": custom or {},
            **(claims or {}),
        }
        browser = Browser()
        browser.get(f"{self.party.url}/as/{user}")
        self.scene.world.control(self.party, "tamper", id_token={"claims": said})
        start = self.scene.world.control(self.party, "launch", link="best13", user=user)
        return browser.submit(browser.post(start["login_url"], start["fields"]))

    def places(self, course: str = "101") -> dict[str, str]:
        """A teacher sets a test up in a course; the custom parameters of its link."""
        browser = Browser()
        browser.get(f"{self.party.url}/as/teacher")
        claims = {f"{LTI}context": {"id": course}}
        self.scene.world.control(self.party, "tamper", id_token={"claims": claims})
        page = browser.submit(browser.submit(browser.get(f"{self.party.url}/add/1.3")))
        title = f"Test {secrets.token_hex(4)}"
        chosen = fill(browser, page, title=title, **{"set.custom": f"named = {title}"})
        answer = browser.submit(browser.submit(chosen, do="finish"))
        assert "Added to the course" in answer.text, answer.text
        (row,) = self.scene.rows("SELECT id FROM activities WHERE title = :title", title=title)
        return {"lti_bridge_activity": row.id}

    def wanted(self) -> dict[str, Any]:
        """What the bridge has asked the LMS for."""
        return dict(HTTP.request("GET", f"{self.party.url}/control/notice").json())

    def tell(self, course: str, *origins: str, **more: Any) -> list[dict[str, Any]]:
        """Let the LMS send a notice that a course was copied; how the bridge answered."""
        said = {"course": course, "from": list(origins), **more}
        return list(self.scene.world.control(self.party, "notice", **said)["answers"])

    @property
    def deployment(self) -> str:
        """The id of its only deployment."""
        return str(self.scene.rows("SELECT deployment_id FROM notice_services")[0].deployment_id)

    @property
    def address(self) -> str:
        """Where its notices go."""
        return f"{self.scene.world.bridge.url}/lti/notices/{self.name}"


def teller(scene: Scene, shape: Any) -> Iterator[Teller]:
    """An LMS that has registered itself and writes old courses in this shape."""
    settings = lms.LmsSettings(
        bridge_url=scene.world.bridge.url, links=(lms.LinkSpec("best13", "Bare", "1.3"),),
        notices=shape,
    )  # fmt: skip
    party = serving.start(lms.make_app(settings))
    name = f"teller-{shape}"
    page = Browser().get(opened_by(party, invited(scene, name, "--approve")))
    assert "Your LMS is connected" in page.text, page.text
    made = Teller(scene, party, name)
    eventually(lambda: every_login(scene, party), {302})
    assert made.click("teacher", "warm", "warm").status == 200
    yield made
    party.stop()


@pytest.fixture(params=["ids", "objects"], scope="module")
def fresh(each_scene: Scene, request: pytest.FixtureRequest) -> Iterator[Teller]:
    """One of each shape on each database, in a bridge that has two processes."""
    yield from teller(each_scene, request.param)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teller]:
    """One for the tests of this module."""
    folder = tmp_path_factory.mktemp("teller")
    with running_scene(folder, f"sqlite:///{folder}/bridge.sqlite3") as scene:
        yield from teller(scene, "ids")


def opened(told: Teller, page: Page) -> str:
    """The title of the test that a student's click opened."""
    assert page.status == 200, page.text
    return told.scene.carry(page).form["custom_named"]


@pytest.mark.spec("T13PN-01", "T13PN-02", "T13PN-03", "T13PN-08")
def test_from_the_handler_to_the_first_click_in_the_copied_course(fresh: Teller) -> None:
    custom = fresh.places()
    title = opened(fresh, fresh.click("student1", "101", "old", custom))
    worker = fresh.scene.world.bridge.run("worker")
    eventually(lambda: fresh.wanted().get("LtiContextCopyNotice", {}).get("handler"), fresh.address)
    fresh.scene.world.bridge.kill(worker)
    # nobody has said anything of this course: students are told to wait
    assert refusal(fresh.click("student1", "201", "new", custom))[0] == "not-configured"
    copied = fresh.scene.world.control(fresh.party, "copy", how="import", to="202")
    assert [one["status"] for one in copied["notices"]] == [200]
    before = fresh.scene.rows("SELECT count(*) FROM attempts")[0][0]
    student, links = Browser(), copied["links"]
    student.get(f"{fresh.party.url}/as/student1")
    (placed,) = [link for link in links if link.startswith("placed-")]
    page = student.get(f"{fresh.party.url}/launch/{links[placed]}")
    assert opened(fresh, student.submit(student.submit(page))) == title
    assert fresh.scene.rows("SELECT count(*) FROM attempts")[0][0] == before + 1
    sources = fresh.scene.rows(
        "SELECT context_id, origin FROM activities WHERE registration = :name ORDER BY context_id",
        name=fresh.name,
    )
    assert [tuple(row) for row in sources] == [
        ("101", ""),
        ("202", custom["lti_bridge_activity"]),
    ]


def copies(told: Teller) -> int:
    """How many copies of courses the bridge has been told of."""
    return told.scene.count("course_copies")


def claims(**changes: Any) -> dict[str, Any]:
    """What is different in the claims of a notice."""
    return {"spoil": {"claims": changes}}


def without(*names: str) -> dict[str, Any]:
    """A notice that lacks these claims."""
    return {"spoil": {"remove": list(names)}}


NOW = int(time.time())
BAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "another key": ({"spoil": {"sign_with": "other-key"}}, 401, "signature"),
    "its public key as a secret": ({"spoil": {"sign_with": "hs256"}}, 401, "signature"),
    "no signature": ({"spoil": {"sign_with": "none"}}, 401, "signature"),
    "a key of its own choice": ({"spoil": {"header": {"jku": "http://x"}}}, 401, "signature"),
    "another issuer": (claims(iss="https://other.example"), 401, "signature"),
    "another client": (claims(aud="somebody-else"), 401, "signature"),
    "a further client": (claims(aud=["bridge-client", "somebody-else"]), 401, "signature"),
    "meant for another": (claims(azp="somebody-else"), 401, "signature"),
    "expired": (claims(iat=NOW - 900, exp=NOW - 600), 401, "signature"),
    "stale": (claims(iat=NOW - 9000), 401, "signature"),
    "of tomorrow": (claims(iat=NOW + 86_400, exp=NOW + 90_000), 401, "signature"),
    "without an end": (without("exp"), 401, "signature"),
    "without a beginning": (without("iat"), 401, "signature"),
    "without a nonce": (without("nonce"), 400, "notice"),
    "with a nonce that is no text": (claims(nonce=["x"]), 400, "notice"),
    "of another version": (claims(**{f"{LTI}version": "2.0"}), 400, "notice"),
    "without a version": (without(f"{LTI}version"), 400, "notice"),
    "without a deployment": (without(f"{LTI}deployment_id"), 400, "notice"),
    "no notice": (without(f"{LTI}notice"), 400, "notice"),
    "of another type": (claims(**{f"{LTI}notice": {"type": "LtiOtherNotice"}}), 400, "notice"),
    "of no type": (claims(**{f"{LTI}notice": {"type": ["LtiContextCopyNotice"]}}), 400, "notice"),
    "without a course": (without(f"{LTI}context"), 400, "notice"),
    "a course without id": (claims(**{f"{LTI}context": {"title": "x"}}), 400, "notice"),
    "an id too long": (claims(**{f"{LTI}context": {"id": "x" * 256}}), 400, "notice"),
    "an id with NUL": (claims(**{f"{LTI}context": {"id": "a\0b"}}), 400, "notice"),
    "origins that are a text": (claims(**{f"{LTI}origin_contexts": "101"}), 400, "notice"),
    "origins of a third shape": (claims(**{f"{LTI}origin_contexts": [["101"]]}), 400, "notice"),
    "too many origins": (
        claims(**{f"{LTI}origin_contexts": [str(n) for n in range(21)]}),
        400,
        "notice",
    ),
}


@pytest.mark.spec("T13PN-04", "T13PN-05", "T13PN-06")
@pytest.mark.parametrize("what", BAD)
def test_a_notice_that_is_not_good_changes_nothing(one: Teller, what: str) -> None:
    more, status, code = BAD[what]
    before = copies(one)
    (answer,) = one.tell("bad", "101", to=one.address, **more)
    assert (answer["status"], json.loads(answer["body"])["error"]) == (status, code)
    assert copies(one) == before
    reference = json.loads(answer["body"])["reference"]
    assert "notice.refused" in one.scene.log_of(reference)


def post(told: Teller, notices: list[Any], address: str = "") -> tuple[int, Any]:
    """Send notices that were kept; status and answer."""
    answer = HTTP.request("POST", address or told.address, json={"notices": notices})
    return answer.status, answer.json() if answer.data else None


def kept(told: Teller, course: str, *origins: str, **more: Any) -> list[dict[str, str]]:
    """Notices that nobody has sent yet."""
    said = {"course": course, "from": list(origins), "keep": True, **more}
    return list(told.scene.world.control(told.party, "notice", **said)["notices"])


@pytest.mark.spec("T13PN-05")
def test_a_notice_counts_once(one: Teller) -> None:
    notices = kept(one, "once", "101")
    assert post(one, notices) == (200, None)
    one.scene.write("DELETE FROM course_copies WHERE context_id = 'once'")
    status, said = post(one, notices)
    assert (status, said["error"]) == (401, "opened-already")
    rows = one.scene.rows("SELECT * FROM course_copies WHERE context_id = 'once'")
    assert rows == []


@pytest.mark.spec("T13PN-04")
def test_a_notice_counts_at_the_address_of_its_own_lms(one: Teller) -> None:
    before, bridge = copies(one), one.scene.world.bridge.url
    notices = kept(one, "foreign", "101")
    for name, status in (("second13", 401), ("campus11", 404), ("nobody", 404)):
        assert post(one, notices, f"{bridge}/lti/notices/{name}")[0] == status
    assert copies(one) == before
    assert HTTP.request("GET", one.address).status == 405


@pytest.mark.spec("T13PN-06")
def test_a_notice_of_an_unknown_deployment_changes_nothing(one: Teller) -> None:
    """The registration in the file lists its deployments."""
    scene, before = one.scene, copies(one)
    to = f"{scene.world.bridge.url}/lti/notices/second13"
    for deployment, status in (("2", 200), ("3", 403)):
        spoil = {"claims": {f"{LTI}deployment_id": deployment}}
        said = {"course": "dep", "from": ["1"], "to": to, "spoil": spoil}
        (answer,) = scene.world.control(scene.second, "notice", **said)["answers"]
        assert answer["status"] == status, answer
    assert copies(one) == before + 1


@pytest.mark.spec("T13PN-07")
def test_each_notice_of_a_body_stands_for_itself(one: Teller) -> None:
    good, bad = kept(one, "stands", "101"), kept(one, "falls", "101", **without("nonce"))
    status, said = post(one, [*bad, *good, {"jwt": "x.y.z"}])
    assert (status, said["error"]) == (400, "notice")
    assert [(one["notice"], one["error"]) for one in said["refused"]] == [
        (0, "notice"),
        (2, "signature"),
    ]
    found = one.scene.rows("SELECT context_id FROM course_copies WHERE origin_context_id = '101'")
    assert {"stands"} == {row.context_id for row in found} & {"stands", "falls"}


@pytest.mark.spec("T13PN-07")
def test_no_more_come_at_once_than_the_lms_was_told(one: Teller) -> None:
    before = copies(one)
    many = [kept(one, f"many-{n}", "101")[0] for n in range(21)]
    assert post(one, many)[0] == 400
    assert copies(one) == before
    assert post(one, many[:20]) == (200, None)
    assert copies(one) == before + 20
    large = {"notices": [{"jwt": "x" * 300_000}]}
    assert HTTP.request("POST", one.address, json=large).status == 413


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"\xff", b'{"notices": {}}', b'{"notices": []}', b'{"notices": ["x"]}',
     b'{"notices": [{"jwt": 1}]}', b'{"notices": [{"jwt": "\\u00e4.b.c"}]}'],
)  # fmt: skip
def test_a_body_without_notices_is_refused(one: Teller, body: bytes) -> None:
    before = copies(one)
    headers = {"Content-Type": "application/json"}
    answer = HTTP.request("POST", one.address, body=body, headers=headers)
    assert answer.status in (400, 401)
    assert copies(one) == before


@pytest.mark.spec("T13PN-02")
def test_a_copy_of_a_copy_that_nobody_opened_finds_its_test(one: Teller) -> None:
    custom = one.places("gen-1")
    title = opened(one, one.click("student1", "gen-1", "g1", custom))
    for course, origin in (("gen-2", "gen-1"), ("gen-3", "gen-2"), ("gen-1", "gen-3")):
        assert one.tell(course, origin, to=one.address)[0]["status"] == 200
    assert opened(one, one.click("student1", "gen-3", "g3", custom)) == title
    assert refusal(one.click("student1", "gen-4", "g4", custom))[0] == "not-configured"


@pytest.mark.spec("T13PN-02")
def test_a_notice_without_a_known_origin_is_taken(one: Teller) -> None:
    before = copies(one)
    for more in ({}, {"spoil": {"claims": {f"{LTI}origin_contexts": None}}}):
        assert one.tell("unknown", to=one.address, **more)[0]["status"] == 200
    hello = {f"{LTI}notice": {"type": "LtiHelloWorldNotice"}}
    assert one.tell("unknown", to=one.address, **claims(**hello))[0]["status"] == 200
    assert copies(one) == before


def test_a_notice_opens_nothing_of_another_course(one: Teller) -> None:
    """It says where a course comes from, and a link of elsewhere stays what it is."""
    custom = one.places("mine")
    assert one.tell("theirs", "not-mine", to=one.address)[0]["status"] == 200
    assert refusal(one.click("student1", "theirs", "t1", custom))[0] == "not-configured"
