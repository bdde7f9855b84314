"""Broken launches, one for each cause: operators are told the true one, and strangers nothing.

Every LMS has few refusals explained in a minute, so each broken launch of LTI 1.1 comes from an LMS
of its own, and those of LTI 1.3 from two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import cycle

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from tests.conftest import fresh_database
from tests.flow.broken11 import BROKEN11
from tests.flow.broken13 import BROKEN13
from tests.flow.browser import Page
from tests.flow.campus11 import Campus, send, sign
from tests.flow.scene import TOOL_SECRET, TWIN_SECRET, Scene, refusal, running_scene
from tests.flow.signing import Signer, document
from tests.flow.world import HTTP, eventually

LMS11 = """
[[lms]]
name = "{name}"
lti = "1.1"
consumer_key = "{name}-key"
shared_secret = "{name} secret-äöü&x"
"""
PERSONAL = ("Exampleton", "ann.exampleton@example.edu", "cell-of-ann", "student1")


@dataclass(frozen=True)
class Told:
    """A refusal: the page that a stranger got, and what the operator's command says of it."""

    page: Page
    findings: list[dict[str, str]]

    @property
    def first(self) -> dict[str, str]:
        """The first reason."""
        return self.findings[0]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The checks that were not passed."""
        return tuple(one["check"] for one in self.findings if one["remedy"])


def command(scene: Scene, *words: str) -> str:
    """What a command prints."""
    ran = CliRunner().invoke(main, [*words, "--config", str(scene.world.bridge.config)])
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def told(scene: Scene, page: Page) -> Told:
    """What is known of the refusal that a page is about."""
    ref = refusal(page)[1]
    eventually(lambda: bool(scene.rows("SELECT 1 FROM hops WHERE ref = :ref", ref=ref)), True)
    shown = json.loads(command(scene, "launches", "show", ref, "--json"))
    return Told(page, shown["hops"][0]["findings"])


def slug(name: str) -> str:
    """The name of the LMS of a broken launch."""
    return re.sub(r"\W+", "-", name.lower()).strip("-")


@pytest.fixture(scope="module")
def senders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A running bridge with an LMS of LTI 1.1 for each broken launch; on SQLite."""
    folder = tmp_path_factory.mktemp("senders")
    with running_scene(folder, f"sqlite:///{folder}/bridge.sqlite3") as scene:
        scene.world.bridge.end()
        with scene.world.bridge.config.open("a", encoding="utf-8") as config:
            config.write("".join(LMS11.format(name=slug(name)) for name in [*BROKEN11, "random"]))
        scene.world.bridge.serve("--no-worker")
        yield scene


@pytest.fixture(scope="module")
def campus13(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """A running bridge with two LMSs of LTI 1.3; on PostgreSQL."""
    with (
        fresh_database(request.getfixturevalue("postgres")) as url,
        running_scene(tmp_path_factory.mktemp("campus13"), url) as scene,
    ):
        yield scene


def campus(scene: Scene, name: str) -> Campus:
    """The LMS of a broken launch, as itself knows the bridge."""
    lms = slug(name)
    return Campus(f"{scene.world.bridge.url}/lti/launch", f"{lms}-key", f"{lms} secret-äöü&x")


@pytest.fixture(scope="module")
def page11(senders: Scene) -> Callable[[str], Page]:
    """The answer to each broken launch of LTI 1.1, which is sent once."""

    @cache
    def of(name: str) -> Page:
        at = campus(senders, name)
        sent = BROKEN11[name].make(at)
        url = f"{at.url}?{sent.query}" if sent.query else at.url
        return send(url, sent.fields, sent.headers)

    return of


@pytest.fixture(scope="module")
def told11(senders: Scene, page11: Callable[[str], Page]) -> Callable[[str], Told]:
    """What is told of each broken launch of LTI 1.1."""
    return cache(lambda name: told(senders, page11(name)))


@pytest.fixture(scope="module")
def told13(campus13: Scene) -> Callable[[str], Told]:
    """What is told of each broken click of LTI 1.3, which is made once."""
    parties = cycle((campus13.second, campus13.world.lms))
    return cache(lambda name: told(campus13, BROKEN13[name].click(campus13, next(parties))))


@pytest.mark.parametrize("name", BROKEN11)
def test_a_broken_launch_by_lti_11_is_explained(
    senders: Scene, told11: Callable[[str], Told], name: str
) -> None:
    broken, found = BROKEN11[name], told11(name)
    assert (found.page.status, refusal(found.page)[0]) == broken.answer
    assert found.first["check"] == broken.check, found.findings
    said = f"{found.first['configured']} {found.first['came']}"
    assert broken.missing(said, lms=slug(name), key=campus(senders, name).key) == []
    assert found.reasons == (broken.check, *broken.also)


@pytest.mark.parametrize("name", BROKEN13)
def test_a_broken_click_by_lti_13_is_explained(
    campus13: Scene, told13: Callable[[str], Told], name: str
) -> None:
    broken, found = BROKEN13[name], told13(name)
    assert (found.page.status, refusal(found.page)[0]) == broken.answer
    assert found.first["check"] == broken.check, found.findings
    said = f"{found.first['configured']} {found.first['came']}"
    lmss = (campus13.second.url, campus13.world.lms.url)
    own = campus13.world.bridge.url
    assert [] in [broken.missing(said, issuer=one, bridge=own) for one in lmss], found.first
    assert found.reasons == (broken.check, *broken.also)


def test_the_command_says_it_in_words(senders: Scene, told11: Callable[[str], Told]) -> None:
    found = told11("line end after the secret")
    words = command(senders, "launches", "show", refusal(found.page)[1])
    for text in ("configured", "came", "remedy"):
        assert found.first[text] in words
    assert "right: consumer key ('line-end-after-the-secret-key'), clock (" in words


def strangers(page: Page) -> tuple[int, str, dict[str, str]]:
    """All that a stranger gets, without the reference and the time."""
    headers = {name: value for name, value in page.headers.items() if name.lower() != "date"}
    return page.status, page.text.replace(refusal(page)[1], ""), headers


def test_a_stranger_is_told_one_thing_whatever_the_cause(
    page11: Callable[[str], Page],
) -> None:
    # but for the clock: who hears of it has proved that it knows the secret
    unproved = [name for name, one in BROKEN11.items() if one.answer == (401, "signature")]
    answers = {name: strangers(page11(name)) for name in unproved if name != "clock"}
    assert len(answers) >= 30
    first = answers["scheme"]
    assert [name for name, answer in answers.items() if answer != first] == []


@pytest.mark.parametrize("table", ["1.1", "1.3"])
def test_no_answer_holds_what_an_operator_is_told(
    told11: Callable[[str], Told], told13: Callable[[str], Told], table: str
) -> None:
    every = [told11(name) for name in BROKEN11] if table == "1.1" else []
    every += [told13(name) for name in BROKEN13] if table == "1.3" else []
    for one in every:
        proved = refusal(one.page)[0] in ("message", "unknown-deployment")
        for reason in one.findings:
            assert not reason["remedy"] or reason["remedy"] not in one.page.text
            if reason["remedy"] and not proved:  # its own LMS is told what it has sent wrong
                assert reason["came"] not in one.page.text, reason
                assert reason["configured"] not in one.page.text, reason


@pytest.mark.parametrize("table", ["1.1", "1.3"])
def test_what_an_operator_is_told_holds_no_secret_and_nobody(
    told11: Callable[[str], Told], told13: Callable[[str], Told], table: str
) -> None:
    every = [told11(name) for name in BROKEN11] if table == "1.1" else []
    every += [told13(name) for name in BROKEN13] if table == "1.3" else []
    assert len(every) >= 20
    secrets = ["secret-äöü", TWIN_SECRET, TOOL_SECRET]
    for one in every:
        said = json.dumps(one.findings, ensure_ascii=False)
        assert [text for text in (*secrets, *PERSONAL) if text in said] == []


def test_a_random_signature_is_explained_by_nothing(senders: Scene) -> None:
    at = campus(senders, "random")
    fields = at.fields()
    page = send(at.url, [*fields, ("oauth_signature", sign(at.url, fields, "guess"))])
    found = told(senders, page)
    assert found.reasons == ("signature",)
    assert "no single change explains it" in found.first["came"]
    for likely in ("secret at both sides", "tool's address", "a proxy"):
        assert likely in found.first["remedy"]


TOOL = Signer("plain-key", TOOL_SECRET)
MESSAGES: dict[str, tuple[Callable[[str, bytes], str], str, str]] = {
    "another body": (
        lambda url, body: TOOL.header(url, body + b" "),
        "body hash",
        "the hash of the body that came",
    ),
    "scheme": (
        lambda url, body: TOOL.header(url.replace("http://", "https://"), body),
        "scheme",
        "signed for 'https://",
    ),
    "line end after the secret": (
        lambda url, body: Signer(TOOL.key, f"{TOOL.secret}\n").header(url, body),
        "secret",
        "connection 'plain' signed with that secret and a line end after it",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_grade_message_that_is_refused_is_explained(senders: Scene, name: str) -> None:
    make, check, says = MESSAGES[name]
    url = f"{senders.world.bridge.url}/platform/outcomes"
    body = document("replaceResult", "x", "0.5")
    headers = {"Content-Type": "application/xml", "Authorization": make(url, body)}
    answer = HTTP.request("POST", url, body=body, headers=headers)
    assert answer.status == 401
    ref = re.findall(rb"<imsx_messageIdentifier>(\w+)<", answer.data)[0].decode()
    eventually(lambda: bool(senders.rows("SELECT 1 FROM hops WHERE ref = :ref", ref=ref)), True)
    (hop,) = json.loads(command(senders, "launches", "show", ref, "--json"))["hops"]
    first = hop["findings"][0]
    assert (first["check"], says in f"{first['configured']} {first['came']}") == (check, True)
    assert first["remedy"].encode() not in answer.data
