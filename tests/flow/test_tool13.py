"""LTI 1.3 tools behind the bridge, through running servers, whatever the LMS speaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.browser import Browser
from tests.flow.tools13 import Tools13, running_tools13
from tests.flow.world import eventually

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
BOTH = pytest.mark.parametrize("lti", ["1.1", "1.3"])


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools13]:
    folder = tmp_path_factory.mktemp("tools13")
    with running_tools13(folder, f"sqlite:///{folder}/bridge.sqlite3") as made:
        yield made


@BOTH
def test_a_quiz_opens_and_its_score_reaches_the_gradebook(tools: Tools13, lti: str) -> None:
    browser = Browser()
    page = tools.open(f"quiz-{lti}", browser=browser)
    assert page.status == 200, page.text
    assert "Tea quiz" in page.text
    page = browser.submit(page, score="2.4")
    assert "was sent" in page.text
    eventually(lambda: tools.grade(f"quiz-{lti}"), 0.8)


def test_all_four_quadrants_return_their_grade(tmp_path: Path, database_url: str) -> None:
    """LMS by 1.1 and 1.3, Isograd by 1.1 and 1.3: the same parameters, and the grade comes back."""
    links = [f"{activity}-{lti}" for activity in ("best", "tosa13") for lti in ("1.1", "1.3")]
    with running_tools13(tmp_path, database_url) as tools:
        for link in links:
            browser = Browser()
            page = tools.open(link, browser=browser)
            assert page.status == 200, page.text
            browser.submit(page, score="0.85")
        for link in links:
            eventually(lambda link=link: tools.grade(link), 0.85)
        rows = tools.at_isograd()
    assert ["claims" in row for row in rows] == [False, False, True, True]
    custom = [
        {name: value for name, value in row["parameters"].items() if name.startswith("custom_")}
        for row in rows
    ]
    assert custom[0] == {
        "custom_act_id": "8",
        "custom_tst_frm_id": "363",
        "custom_gen_id": "3",
        "custom_redirect": "1",
    }
    assert custom[1:] == custom[:1] * 3


@BOTH
def test_variables_of_an_activity_are_resolved_within_the_privacy_rule(
    tools: Tools13, lti: str
) -> None:
    tools.open(f"quiz-{lti}")
    assert tools.launches()[-1][f"{LTI}custom"] == {
        "chapter": "1.2.56",
        "course": "Digital Skills",
        "given": "Ann",
        "family": "",
        "unknown": "$Foo.bar",
    }


@pytest.mark.spec("P13LI-05", "P13LI-04", "P13LI-08")
def test_an_activity_may_have_its_own_address_at_the_tool(tools: Tools13) -> None:
    page = tools.click("chapter-1.3")
    form = dict(page.form().fields)
    assert page.form().action == f"{tools.tool.url}/login?tenant=a%20b"
    assert form["target_link_uri"] == f"{tools.tool.url}/launch?chapter=7"
    tools.open("chapter-1.3")
    assert tools.launches()[-1][f"{LTI}target_link_uri"] == form["target_link_uri"]
    tools.open("quiz-1.3")
    assert tools.launches()[-1][f"{LTI}target_link_uri"] == f"{tools.tool.url}/launch"


def test_a_preview_of_staff_opens_the_quiz_without_a_grade(tools: Tools13) -> None:
    browser = Browser()
    page = tools.click("quiz-1.3", "teacher", browser)
    page = browser.submit(page)
    page = browser.through(page, tools.tool.url)
    assert "Tea quiz" in page.text
    claims = tools.launches()[-1]
    assert any(role.endswith("#Instructor") for role in claims[f"{LTI}roles"])
    assert not any(role.endswith("#Learner") for role in claims[f"{LTI}roles"])
    assert len(claims["sub"]) == 32
    assert not any("basicoutcome" in name for name in claims)
