"""LTI 1.3 tools behind the bridge, through running servers, whatever the LMS speaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from tests.flow.browser import Browser
from tests.flow.tools13 import USERS, Tools13, running_tools13
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


def adjust(tools: Tools13, user: str, activity: str, percent: int, lms: str = "campus13") -> str:
    """`learners adjust`, beside the running bridge."""
    config = str(tools.world.bridge.config)
    arguments = ["learners", "adjust", lms, USERS[user], activity, "--extra-time", str(percent)]
    ran = CliRunner().invoke(main, [*arguments, "--config", config], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return ran.output


EXTRA_TIME = {
    "an LTI 1.3 tool": ("quiz", "1.3", "extended_time"),
    "an LTI 1.3 tool, from LTI 1.1": ("quiz", "1.1", "extended_time"),
    "Isograd by LTI 1.3": ("tosa13", "1.3", "xtr_tim_fac"),
    "Isograd by LTI 1.1": ("best", "1.3", "xtr_tim_fac"),
    "Isograd by LTI 1.1, from LTI 1.1": ("best", "1.1", "xtr_tim_fac"),
}


@pytest.mark.parametrize("route", EXTRA_TIME)
def test_extra_time_is_told_by_lti(tools: Tools13, route: str) -> None:
    activity, lti, name = EXTRA_TIME[route]
    link, lms = f"{activity}-{lti}", f"campus{lti.replace('.', '')}"

    def custom(user: str) -> dict[str, str]:
        tools.open(link, user)
        if activity == "quiz":
            return dict(tools.launches()[-1][f"{LTI}custom"])
        sent = tools.at_isograd()[-1]["parameters"]
        return {key.removeprefix("custom_"): value for key, value in sent.items()}

    assert name not in custom("student1")
    said = adjust(tools, "student2", activity, 50, lms)
    assert "50 % more time" in said
    assert "has begun already" not in said
    assert custom("student2")[name] == "50"
    assert name not in custom("student3")
    again = adjust(tools, "student2", activity, 75, lms)
    assert "has begun already" in again
    assert "is told this when the link is opened again" in again
    assert custom("student2")[name] == "75"
    adjust(tools, "student2", activity, 0, lms)
    assert name not in custom("student2")


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
        "slow": "",
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
