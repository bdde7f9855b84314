"""The bridge has another address now; links, tools and signatures of the one before still count."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.flow import signing
from tests.flow.browser import Browser
from tests.flow.rig import HTTP, ONE, Rig
from tests.flow.scene import refusal
from tests.flow.signing import Signer
from tests.flow.tools13 import Tools13, running_tools13
from tests.flow.world import eventually

FIELDS = {
    "lti_message_type": "basic-lti-launch-request",
    "lti_version": "LTI-1p0",
    "resource_link_id": "link-best",
    "context_id": "course-1",
    "roles": "Learner",
    "custom_activity": "best",
    "lis_outcome_service_url": "https://lms.example.edu/outcome",
    "lis_result_sourcedid": "cell",
}
FOREIGN = "https://foreign.example.edu"


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A bridge at 127.0.0.1 that was at localhost before, and elsewhere before that."""
    folder = tmp_path_factory.mktemp("moved")
    made = Rig(folder, f"sqlite:///{folder}/bridge.sqlite3", former="localhost")
    made.bridge.serve()
    yield made
    made.stop()


@pytest.mark.parametrize(
    ("signed", "sent", "status"),
    [
        ("present", "present", 200),
        ("former", "former", 200),
        ("former", "present", 200),  # a proxy brought it over
        ("first", "present", 200),
        ("present", "former", 200),
        ("foreign", "present", 401),
        ("foreign", "former", 401),
    ],
)
@pytest.mark.parametrize("query", ["", "?course=7&x=%C3%A4"])
def test_a_link_of_a_former_address_opens(
    moved: Rig, signed: str, sent: str, status: int, query: str
) -> None:
    urls = {
        "present": moved.bridge.url,
        "former": moved.former,
        "first": "https://first.example.edu/bridge",
        "foreign": FOREIGN,
    }
    signer = Signer("old-key", moved.school.consumers["old-key"])
    user = f"{signed}-{sent}-{len(query)}"
    form = signer.form(f"{urls[signed]}/lti/launch{query}", FIELDS | {"user_id": user})
    page = Browser().post(f"{urls[sent]}/lti/launch{query}", form)
    assert page.status == status, page.text
    assert page.url.startswith(moved.bridge.url)
    if status == 401:
        assert refusal(page)[0] == "signature"


def test_without_former_addresses_none_is_believed(rig: Rig) -> None:
    signer = Signer("old-key", rig.school.consumers["old-key"])
    url = rig.bridge.url.replace("127.0.0.1", "localhost")
    form = signer.form(f"{url}/lti/launch", FIELDS | {"user_id": "nobody"})
    assert Browser().post(f"{rig.bridge.url}/lti/launch", form).status == 401
    body = signing.document("replaceResult", "x", "0.5")
    assert rig.post(body, ONE.header(f"{url}/platform/outcomes", body)).status == 401


@pytest.mark.parametrize("target", ["former", "present", "foreign"])
@pytest.mark.parametrize("sent", ["former", "present"])
def test_a_login_for_a_former_address_is_taken(moved: Rig, target: str, sent: str) -> None:
    urls = {"present": moved.bridge.url, "former": moved.former, "foreign": FOREIGN}
    user = f"login-{target}-{sent}"
    moved.sit("new", "best", user)  # the school knows what to sign for this user
    link = f"{urls[target]}/lti/launch"
    moved.school.claims[user]["https://purl.imsglobal.org/spec/lti/claim/target_link_uri"] = link
    query = {
        "iss": moved.school.url,
        "login_hint": user,
        "target_link_uri": link,
        "client_id": "client-new",
    }
    browser = Browser()
    page = browser.get(f"{urls[sent]}/lti/login?{urlencode(query)}")
    if target == "foreign":
        assert (page.status, refusal(page)[0]) == (400, "message")
        return
    assert page.form().action == f"{urls[target]}/lti/launch"  # what the LMS has registered
    opened = browser.submit(page)
    assert opened.status == 200, opened.text
    assert opened.url.startswith(moved.bridge.url)


@pytest.mark.parametrize(
    ("at", "status"), [("former", 200), ("first", 200), ("present", 200), ("foreign", 401)]
)
def test_a_tool_s_stored_outcome_address_still_counts(moved: Rig, at: str, status: int) -> None:
    urls = {
        "present": moved.bridge.url,
        "former": moved.former,
        "first": "https://first.example.edu/bridge",
        "foreign": FOREIGN,
    }
    sitting = moved.sit("old", "best", f"outcome-{at}")
    body = signing.document("replaceResult", sitting.sourced_id, "0.5")
    header = ONE.header(f"{urls[at]}/platform/outcomes", body)
    assert moved.post(body, header).status == status
    if at == "former":
        sent = {"Authorization": header, "Content-Type": "application/xml"}
        again = ONE.header(f"{moved.former}/platform/outcomes", body)
        sent["Authorization"] = again
        answer = HTTP.request("POST", f"{moved.former}/platform/outcomes", body=body, headers=sent)
        assert answer.status == 200


def test_only_browsers_are_sent_on_and_only_to_the_present_address(moved: Rig) -> None:
    port = moved.bridge.url.rpartition(":")[2]
    for host, path, status in (
        (f"localhost:{port}", "/course/page/x?y=1", 307),
        (f"localhost:{port}", "/healthz", 200),
        (f"localhost:{port}", "/lti/jwks", 200),
        ("evil.example.org", "/course/page/x", 403),
        (f"localhost:{port}@evil.example.org", "/course/page/x", 403),
    ):
        answer = HTTP.request(
            "GET", f"{moved.bridge.url}{path}", headers={"Host": host}, redirect=False
        )
        assert answer.status == status, (host, path)
        if status == 307:
            assert answer.headers["Location"] == f"{moved.bridge.url}{path}"


def test_the_way_back_leads_from_a_former_address(moved: Rig) -> None:
    browser = Browser()
    page = moved.launch(browser, "old", "best", "comes-back")
    url = dict(page.form().fields)["launch_presentation_return_url"]
    said = {"lti_msg": "All done"}
    for page in (
        browser.post(url.replace(moved.bridge.url, moved.former), said),
        browser.get(f"{url.replace(moved.bridge.url, moved.former)}?{urlencode(said)}"),
    ):
        assert (page.status, page.url) == (200, f"{url}?{urlencode(said)}")
        assert "All done" in page.text


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools13]:
    """A bridge that was at localhost when its tools of LTI 1.3 were registered."""
    folder = tmp_path_factory.mktemp("moved-tools")
    with running_tools13(folder, f"sqlite:///{folder}/b.sqlite3", former="localhost") as made:
        yield made


def test_an_lti_13_tool_keeps_what_it_knows_of_the_bridge(tools: Tools13) -> None:
    """Issuer, authorization, key set, token audience and line items are those of before."""
    for lti in ("1.1", "1.3"):
        browser = Browser()
        page = tools.open(f"quiz-{lti}", browser=browser)
        assert "was sent" in browser.submit(page, score="2.4").text
        eventually(lambda lti=lti: tools.grade(f"quiz-{lti}"), 0.8)
    issuers = {one["iss"].partition("//")[2].partition(":")[0] for one in tools.launches()}
    assert issuers == {"localhost"}


def test_what_was_chosen_at_a_tool_may_come_to_a_former_address(tools: Tools13) -> None:
    browser, lms, bridge = Browser(), tools.world.lms.url, tools.world.bridge.url
    browser.get(f"{lms}/as/teacher")
    page = browser.through(browser.get(f"{lms}/add/1.3"), bridge)
    page = browser.submit(browser.submit(page, do="form", way="0 quiz"), do="tool")
    page = browser.through(page, f"{tools.tool.url}/choose")
    form = browser.post(page.url, [("chapter", "green")]).form()
    assert form.action.startswith(f"{bridge}/platform/")
    former = form.action.replace("127.0.0.1", "localhost")
    for status in (200, 400):  # and once
        chosen = browser.post(former, form.fields)
        assert (chosen.status, chosen.url.startswith(bridge)) == (status, True), chosen.text
