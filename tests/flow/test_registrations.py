"""LMSs that come while the bridge runs, and LMSs that move from LTI 1.1 to 1.3."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from lti_bridge.sandbox import lms, serving
from tests.flow.browser import Browser, Page
from tests.flow.campus11 import Campus
from tests.flow.scene import Scene, refusal, running_scene
from tests.flow.scene import launch13 as launch_of
from tests.flow.world import HTTP, eventually
from tests.lms.platform13 import jwk, rsa_key

WAYS = 8  # as many launches as it takes for each of two processes to be asked
PAGES = ("go-on", "place", "people")
CLOSING = ('"org.imsglobal.lti.close"', '"lti.close"', "window.opener || window.parent")


def cli(scene: Scene, *words: str) -> str:
    """What `lti-bridge registrations …` says; it has to succeed."""
    config = str(scene.world.bridge.config)
    ran = CliRunner().invoke(main, ["registrations", *words, "--config", config])
    assert ran.exit_code == 0, ran.output
    return ran.output


def invited(scene: Scene, name: str, *options: str) -> str:
    """The address of a fresh invitation."""
    return str(json.loads(cli(scene, "invite", name, "--json", *options))["address"])


def opened_by(party: serving.Running, address: str) -> str:
    """The address as the LMS opens it, with its own parameters."""
    asked = HTTP.request("POST", f"{party.url}/control/registration", json={"url": address})
    return str(asked.json()["url"])


def launch13(
    scene: Scene, party: serving.Running, user: str, browser: Browser | None = None, **token: Any
) -> Page:
    """A launch by LTI 1.3; `token` says what is different in the id_token."""
    browser = browser or Browser()
    browser.get(f"{party.url}/as/{user}")
    if token:
        scene.world.control(party, "tamper", id_token=token)
    start = scene.world.control(party, "launch", link="best13", user=user)
    return browser.submit(browser.post(start["login_url"], start["fields"]))


def login(scene: Scene, party: serving.Running) -> int:
    """The status of the answer to a login initiation by this LMS."""
    start = scene.world.control(party, "launch", link="best13", user="student1")
    fields = [(name, value) for name, value in start["fields"].items()]
    answer = HTTP.request("POST", start["login_url"], fields=dict(fields), redirect=False,
                          encode_multipart=False)  # fmt: skip
    return answer.status


def every_login(scene: Scene, party: serving.Running) -> set[int]:
    """The statuses of several logins."""
    return {login(scene, party) for _ in range(WAYS)}


def posted(scene: Scene, browser: Browser, token: str) -> set[int]:
    """The statuses of the pages that this token opens, by connections of their own."""
    found = set()
    for page in PAGES * WAYS:
        same = Browser()
        same.cookies = browser.cookies
        found.add(same.post(f"{scene.world.bridge.url}/course/{page}", {"token": token}).status)
    return found


@pytest.mark.spec("T13DR-01", "T13DR-06", "T13DR-07", "SECP-55")
def test_an_lms_registers_itself_waits_launches_and_is_retired(fresh_scene: Scene) -> None:
    scene, party = fresh_scene, fresh_scene.second
    address = opened_by(party, invited(scene, "newcomer"))
    page = Browser().get(address)
    assert page.status == 200, page.text
    assert all(word in page.text for word in CLOSING), page.text
    assert "registrations approve newcomer" in page.text
    # pending: neither process lets it in, and says why as soon as it has read the database again
    assert every_login(scene, party) <= {400, 403}
    eventually(lambda: every_login(scene, party), {403})
    start = scene.world.control(party, "launch", link="best13", user="teacher")
    waiting = Browser().post(start["login_url"], start["fields"])
    assert refusal(waiting)[0] == "lms-waiting"
    assert "registrations approve newcomer" in waiting.text
    cli(scene, "approve", "newcomer")
    eventually(lambda: every_login(scene, party), {302})
    launched = launch13(scene, party, "student1")
    assert launched.status == 200, launched.text
    assert scene.rows("SELECT registration FROM learners")[0][0] == "newcomer"
    # the same address again calls nobody
    HTTP.request("POST", f"{party.url}/control/clear", json={})
    again = Browser().get(address)
    assert (again.status, refusal(again)[0]) == (403, "invitation")
    asked = HTTP.request("GET", f"{party.url}/control/log").json()
    assert [entry["path"] for entry in asked if "registration" in entry["path"]] == []
    browser = Browser()
    page = launch13(scene, party, "teacher", browser=browser)
    held = dict(page.form().fields)["token"]
    eventually(lambda: posted(scene, browser, held), {200})  # both processes know it
    cli(scene, "retire", "newcomer")
    eventually(lambda: every_login(scene, party), {400})
    # what its people have open goes on no more
    eventually(lambda: posted(scene, browser, held), {403})
    shown = json.loads(cli(scene, "show", "newcomer", "--json"))
    assert shown["registration"]["state"] == "retired"
    assert [step["status"] for step in shown["invitations"][0]["exchange"]] == [200, 200]


def test_a_grade_goes_to_an_lms_that_came_while_the_worker_ran(fresh_scene: Scene) -> None:
    scene, lms = fresh_scene, fresh_scene.world.lms
    scene.world.bridge.run("worker")
    page = Browser().get(opened_by(lms, invited(scene, "grader", "--approve")))
    assert "Your LMS is connected" in page.text
    browser = Browser()
    browser.get(f"{lms.url}/as/student1")
    test = browser.through(browser.get(f"{lms.url}/launch/best13"), scene.world.isograd.url)
    browser.submit(test, score="0.85")

    def delivered() -> list[Any]:
        return [tuple(row) for row in scene.rows("SELECT registration, delivery FROM grades")]

    eventually(delivered, [("grader", "delivered")])


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A running scene whose second LMS is going to be several others' successor."""
    folder: Path = tmp_path_factory.mktemp("moving")
    with running_scene(folder, f"sqlite:///{folder}/bridge.sqlite3") as made:
        yield made


def attempts(scene: Scene, *who: tuple[str, str]) -> list[tuple[str, str]]:
    """Attempt and link of all attempts of learners who are known by one of these: LMS and name."""
    (lms, user), (other_lms, other_user) = who[0], who[-1]
    known = "(registration, user_id) IN ((:lms, :user), (:other_lms, :other_user))"
    found = scene.rows(
        "SELECT DISTINCT a.id, a.link_id FROM attempts a WHERE a.learner_id IN ("  # noqa: S608
        f"SELECT id FROM learners WHERE {known} UNION"
        f" SELECT learner_id FROM learner_aliases WHERE {known})",
        lms=lms,
        user=user,
        other_lms=other_lms,
        other_user=other_user,
    )
    return [tuple(row) for row in found]


def claim(campus: Campus, user: str, link: str, secret: str = "") -> dict[str, str]:
    """What the LMS says about who this was, signed with the secret of then."""
    return {
        "secret": secret or campus.secret,
        "oauth_consumer_key": campus.key,
        "user_id": user,
        "context_id": "course-1",
        "resource_link_id": link,
    }


@pytest.mark.spec("T13MX-03", "T13MX-04", "BR-03")
def test_a_signed_claim_brings_learner_link_and_attempt_along(moving: Scene) -> None:
    scene, campus = moving, moving.campus
    scene.open(campus, user_id="ann-1", resource_link_id="signed", custom_activity="plain")
    ann, one = ("campus11", "ann-1"), ("second13", "4")
    (before,) = attempts(scene, ann)
    was = scene.tool.last.form
    there = {"claims": {"https://purl.imsglobal.org/spec/lti/claim/resource_link": {"id": "new"}}}
    signed = claim(campus, "ann-1", "signed")
    page = launch13(scene, scene.second, "student1", lti1p1=signed, **there)
    now = scene.carry(page).form
    assert attempts(scene, ann, one) == [before]
    for name in ("user_id", "resource_link_id", "context_id", "lis_result_sourcedid"):
        assert now[name] == was[name], name
    # the newest launch says where the grade goes
    where = scene.rows("SELECT registration, user_id FROM grades WHERE link_id = :id", id=before[1])
    assert [tuple(row) for row in where] == [("second13", "4")]
    # both versions go on side by side, with and without the claim
    scene.open(campus, user_id="ann-1", resource_link_id="signed", custom_activity="plain")
    assert launch13(scene, scene.second, "student1", **there).status == 200
    assert attempts(scene, ann, one) == [before]


@pytest.mark.spec("T13MX-05", "SECP-38")
@pytest.mark.parametrize("forged", ["secret", "twin", "unknown"])
def test_a_forged_claim_gives_nobody_anything(moving: Scene, forged: str) -> None:
    scene, campus = moving, moving.campus
    victim = f"victim-{forged}"
    scene.open(campus, user_id=victim, resource_link_id=forged, custom_activity="plain")
    before = attempts(scene, ("campus11", victim))
    wrong = {
        "secret": claim(campus, victim, forged, secret="guessed"),
        "twin": {**claim(moving.twin, victim, forged), "oauth_consumer_key": campus.key},
        "unknown": {**claim(campus, victim, forged), "oauth_consumer_key": "nobody"},
    }[forged]
    page = launch13(scene, scene.second, "student2", lti1p1=wrong)
    assert page.status == 200, page.text
    assert attempts(scene, ("campus11", victim)) == before
    mine = scene.rows("SELECT id FROM learners WHERE registration = 'second13' AND user_id = '5'")
    assert len(mine) == 1
    assert attempts(scene, ("second13", "5")) != before


@pytest.mark.spec("T13MX-07")
def test_an_admin_links_an_old_registration_to_a_new_one_and_parts_them(moving: Scene) -> None:
    scene, campus, party = moving, moving.strict, moving.world.lms
    assert (
        "is connected"
        in Browser().get(opened_by(party, invited(scene, "strict13", "--approve"))).text
    )
    placed = {"resource_link_id": "best13", "context_id": "101", "custom_activity": "plain"}
    scene.open(campus, user_id="6", **placed)
    old, new = ("strict11", "6"), ("strict13", "6")
    (before,) = attempts(scene, old)
    token = {"claims": {"https://purl.imsglobal.org/spec/lti/claim/custom": {"activity": "plain"}}}
    cli(scene, "link", "strict11", "strict13")

    def linked() -> bool:
        """Whether the server knows it by now, as somebody finds who has never come before."""
        who = token_hex(4)
        scene.open(campus, user_id=who, **placed)
        claims = {**token["claims"], "sub": who}
        assert launch13(scene, party, "student1", claims=claims).status == 200
        return len(attempts(scene, ("strict11", who), ("strict13", who))) == 1

    eventually(linked, True)
    # a teacher reviews it before its learner has ever come by LTI 1.3
    claims = {**token["claims"], **review_of("6")}
    assert "Attempt 1" in launch13(scene, party, "teacher", claims=claims).text
    assert launch13(scene, party, "student3", **token).status == 200
    assert attempts(scene, old, new) == [before]
    # who came by LTI 1.3 first is known when she comes by LTI 1.1
    launch13(scene, party, "student1", **token)
    first = scene.rows(
        "SELECT a.id FROM attempts a JOIN learners l ON l.id = a.learner_id"
        " WHERE l.registration = 'strict13' AND l.user_id = '4'"
    )
    scene.open(campus, user_id="4", **placed)
    assert (
        scene.rows("SELECT id FROM learners WHERE registration = 'strict11' AND user_id = '4'")
        == []
    )
    assert len(first) == 1
    # parted again: LTI 1.1 keeps what it began, LTI 1.3 begins anew
    cli(scene, "unlink", "strict11", "strict13")

    def two_learners() -> int:
        assert launch13(scene, party, "student3", **token).status == 200
        return len(attempts(scene, old, new))

    eventually(two_learners, 2)
    scene.open(campus, user_id="6", **placed)
    assert len(attempts(scene, old, new)) == 2


def relaunch(scene: Scene, campus: Campus, browser: Browser, **changes: str | None) -> Page:
    """What answers a launch that offers a relaunch."""
    offered = {"relaunch_url": "http://127.0.0.1:9/relaunch", "platform_state": "ps-1", **changes}
    return browser.post(campus.url, campus.signed(campus.fields(**offered)))


@pytest.mark.spec("T11S-01", "T11S-02", "SECP-47")
def test_a_relaunch_is_bound_to_the_browser_and_used_once(moving: Scene) -> None:
    campus, browser = moving.campus, Browser()
    page = relaunch(moving, campus, browser)
    form = page.form()
    fields = dict(form.fields)
    assert (page.status, form.action) == (200, "http://127.0.0.1:9/relaunch")
    assert fields["platform_state"] == "ps-1"
    assert fields["oauth_signature"]
    assert moving.rows("SELECT 1 FROM learners WHERE user_id = 'relaunched'") == []
    back = {"tool_state": fields["tool_state"], "platform_state": "ps-1", "user_id": "relaunched"}
    signed = campus.signed(campus.fields(**back))
    # another browser, another LMS, another platform_state, a state nobody gave
    assert Browser().post(campus.url, signed).status == 401
    assert browser.post(campus.url, moving.twin.signed(moving.twin.fields(**back))).status == 401
    other = {**back, "platform_state": "ps-2"}
    assert browser.post(campus.url, campus.signed(campus.fields(**other))).status == 401
    unknown = {**back, "tool_state": fields["tool_state"][:-4] + "AAAA"}
    assert browser.post(campus.url, campus.signed(campus.fields(**unknown))).status == 401
    assert moving.rows("SELECT 1 FROM learners WHERE user_id = 'relaunched'") == []
    assert browser.post(campus.url, signed).status == 200
    assert browser.post(campus.url, signed).status == 401
    assert browser.post(campus.url, campus.signed(campus.fields(**back))).status == 401
    assert len(moving.rows("SELECT 1 FROM learners WHERE user_id = 'relaunched'")) == 1


@pytest.mark.spec("T11S-01", "T11S-03", "SECP-26")
@pytest.mark.parametrize(
    "changes",
    [
        {"platform_state": None},
        {"platform_state": ""},
        {"relaunch_url": "javascript:alert(1)"},
        {"relaunch_url": "//evil.example.org/x"},
        {"relaunch_url": "data:text/html,x"},
        {"relaunch_url": ""},
    ],
)
def test_a_relaunch_to_nowhere_good_is_refused(
    moving: Scene, changes: dict[str, str | None]
) -> None:
    page = relaunch(moving, moving.campus, Browser(), **changes)
    assert (page.status, refusal(page)[0]) == (400, "message")


def test_the_documents_hold_our_addresses_and_no_secret(moving: Scene) -> None:
    url = moving.world.bridge.url
    canvas = HTTP.request("GET", f"{url}/lti/config.json")
    assert canvas.headers["Cache-Control"] == "public, max-age=3600"
    said = canvas.json()
    assert said["target_link_uri"] == f"{url}/lti/launch"
    assert said["oidc_initiation_url"] == f"{url}/lti/login"
    assert said["public_jwk_url"] == f"{url}/lti/jwks"
    cartridge = HTTP.request("GET", f"{url}/lti/config.xml")
    assert (
        re.search(rb"<blti:launch_url>([^<]+)<", cartridge.data)[1].decode() == f"{url}/lti/launch"
    )
    assert cartridge.headers["Content-Type"].startswith("application/xml")
    lticm = "{http://www.imsglobal.org/xsd/imslticm_v1p0}"
    tree = ElementTree.fromstring(cartridge.data)  # noqa: S314 - our own
    choosing = {
        options.get("name"): [(one.get("name"), one.text) for one in options]
        for options in tree.iter(f"{lticm}options")
    }
    asked = [("message_type", "ContentItemSelectionRequest"), ("url", f"{url}/lti/launch")]
    assert choosing == {"assignment_selection": asked, "link_selection": asked}
    unchanged = {"If-None-Match": cartridge.headers["ETag"]}
    assert HTTP.request("GET", f"{url}/lti/config.xml", headers=unchanged).status == 304
    for body in (canvas.data, cartridge.data):
        assert b"secret" not in body
        assert moving.campus.key.encode() not in body


def reviewed(scene: Scene, by: str, of: str, link: str = "best13") -> Page:
    """What the LMS's gradebook opens for the submission of a user, clicked by another."""
    return launch13(scene, scene.second, by, claims=review_of(of, link))


def review_of(user: str, link: str = "best13") -> dict[str, Any]:
    """What makes a launch a submission review."""
    lti = "https://purl.imsglobal.org/spec/lti/claim/"
    return {
        f"{lti}message_type": "LtiSubmissionReviewRequest",
        f"{lti}for_user": {"user_id": user, "name": "Somebody"},
        f"{lti}resource_link": {"id": link},
    }


@pytest.mark.spec("T13MX-01", "T13MX-02")
def test_a_submission_is_shown_to_staff_and_to_its_own_learner_only(moving: Scene) -> None:
    launch13(moving, moving.second, "student2")
    for by in ("teacher", "student2"):
        page = reviewed(moving, by, "5")
        assert page.status == 200, page.text
        assert "Attempt 1" in page.text
        assert "UTC opened" in page.text
    refused = reviewed(moving, "student3", "5")
    assert (refused.status, refusal(refused)[0]) == (403, "access-refused")
    assert "Attempt 1" not in refused.text
    # nobody of this name, or another link
    assert "No attempt yet" in reviewed(moving, "teacher", "nobody").text
    assert "No attempt yet" in reviewed(moving, "teacher", "5", "another").text
    # a review makes no attempt
    assert moving.rows("SELECT 1 FROM learners WHERE user_id IN ('2', 'nobody')") == []


def test_an_invited_lms_is_held_to_its_deployments_and_to_given_keys(
    moving: Scene, tmp_path: Path
) -> None:
    """As one of the file with deployment_ids and public_keys is."""
    link = lms.LinkSpec("best13", "Plain", "1.3", {"activity": "plain"})
    settings = lms.LmsSettings(bridge_url=moving.world.bridge.url, links=(link,))
    party = serving.start(lms.make_app(settings))
    answer: dict[str, Any] = HTTP.request("GET", f"{party.url}/lti/jwks").json()
    right, wrong = tmp_path / "right.json", tmp_path / "wrong.json"
    right.write_text(json.dumps(answer), encoding="utf-8")
    other = jwk(answer["keys"][0]["kid"], rsa_key("foreign"))
    wrong.write_text(json.dumps({"keys": [other]}), encoding="utf-8")

    def answered(deployment: str) -> tuple[int, str]:
        try:
            page = launch_of(moving, party, deployment=deployment)
        except AssertionError:  # its login has no form as long as this process knows it not
            return 400, "unknown-lms"
        return page.status, "" if page.status == 200 else refusal(page)[0]

    try:
        address = opened_by(party, invited(moving, "held", "--approve"))
        assert "is connected" in Browser().get(address).text
        eventually(lambda: answered("1"), (200, ""))
        cli(moving, "set", "held", "--deployment", "2")
        eventually(lambda: answered("1"), (403, "unknown-deployment"))
        assert answered("2") == (200, "")
        cli(moving, "set", "held", "--keys", str(wrong))
        eventually(lambda: answered("2"), (401, "signature"))
        assert answered("1")[0] == 401
        cli(moving, "set", "held", "--keys", str(right), "--any-deployment")
        eventually(lambda: answered("1"), (200, ""))
        assert answered("2") == (200, "")
        cli(moving, "set", "held", "--keys", str(wrong))
        eventually(lambda: answered("1")[0], 401)
        cli(moving, "set", "held", "--fetch-keys")
        eventually(lambda: answered("1"), (200, ""))
    finally:
        party.stop()
