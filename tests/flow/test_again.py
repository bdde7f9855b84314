"""Coming back to a link after its grade: the learner is asked before another attempt begins."""

from __future__ import annotations

import secrets

import pytest

from tests.flow.browser import Browser, Page
from tests.flow.rig import ONE, TWO, Rig, Sitting
from tests.flow.scene import refusal

BACK = "https://lms.example.edu/back?course=1"
BACK13 = {
    "https://purl.imsglobal.org/spec/lti/claim/launch_presentation": {"return_url": BACK},
    "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint": {
        "scope": ["https://purl.imsglobal.org/spec/lti-ags/scope/score"],
        "lineitem": "https://lms.example.edu/items/1",
    },
}
BY_LMS: dict[str, dict[str, object]] = {
    "old": {"launch_presentation_return_url": BACK},
    "new": BACK13,
}
LATER = (
    "UPDATE attempts SET created_at = created_at - :days * 86400000"
    " WHERE learner_id IN (SELECT id FROM learners WHERE user_id = :user)"
)
both = pytest.mark.parametrize("lms", ["old", "new"])


def back(rig: Rig, sitting: Sitting, browser: Browser | None = None) -> Page:
    """The same learner clicks the same link again."""
    who = (sitting.lms, sitting.activity, sitting.learner)
    return rig.click(browser or Browser(), *who, **BY_LMS[sitting.lms])


def graded(rig: Rig, lms: str, activity: str, score: str = "0.33") -> Sitting:
    """A learner with a grade."""
    sitting = rig.sit(lms, activity)
    assert rig.report(sitting, score).said == (200, "success")
    return sitting


def numbers(rig: Rig, sitting: Sitting) -> list[int]:
    """The attempts of a learner."""
    sql = (
        "SELECT a.number FROM attempts a JOIN learners l ON l.id = a.learner_id"
        " WHERE l.user_id = :user ORDER BY a.number"
    )
    return [row["number"] for row in rig.rows(sql, user=sitting.learner)]


def sourced_id(page: Page) -> str:
    """Which attempt the tool is sent to."""
    return dict(page.form().fields)["lis_result_sourcedid"]


@both
@pytest.mark.parametrize(
    ("activity", "score", "question"),
    [
        ("thrice", "0.33", "You have 33 of 100. Start attempt 2 of 3?"),
        ("best", "0.333333", "You have 33.33 of 100. Start attempt 2?"),
        ("best", "0", "You have 0 of 100. Start attempt 2?"),
        ("two", "1", "You have 100 of 100. Start attempt 2?"),
    ],
)
def test_nobody_begins_another_attempt_unasked(
    rig: Rig, lms: str, activity: str, score: str, question: str
) -> None:
    sitting = rig.sit(lms, activity)
    signer = TWO if activity == "two" else ONE
    assert rig.report(sitting, score, signer).said == (200, "success")
    browser = Browser()
    for _ in range(2):
        page = back(rig, sitting, browser)
        assert page.status == 200
        assert f"<h1>{question}</h1>" in page.text
        assert BACK in page.text.replace("&amp;", "&")
        assert "lis_result_sourcedid" not in page.text
    assert numbers(rig, sitting) == [1]  # declined: nothing has begun
    opened = [browser.submit(page) for _ in range(2)]  # pressed twice
    assert numbers(rig, sitting) == [1, 2]
    assert sourced_id(opened[0]) == sourced_id(opened[1]) != sitting.sourced_id
    assert sourced_id(back(rig, sitting)) == sourced_id(opened[0])  # unasked: it goes on


@both
def test_the_answer_is_good_for_one_attempt_only(rig: Rig, lms: str) -> None:
    sitting = graded(rig, lms, "thrice")
    browser = Browser()
    asked = back(rig, sitting, browser)
    second = sourced_id(browser.submit(asked))
    sitting2 = Sitting(sitting.learner, second, sitting.outcome_url, lms, "thrice")
    assert rig.report(sitting2, "0.5").said == (200, "success")
    replayed = browser.submit(asked)
    assert "You have 50 of 100. Start attempt 3 of 3?" in replayed.text
    for number in ("0", "4", "-3", "x" * 9000, "\u0663"):
        form = replayed.form()
        page = browser.post(form.action, dict(form.fields) | {"number": number})
        assert page.status in (200, 400, 403)
        assert "lis_result_sourcedid" not in page.text
    guessed = browser.submit(replayed, token=secrets.token_urlsafe(16))
    assert (guessed.status, refusal(guessed)[0]) == (403, "page-expired")
    assert numbers(rig, sitting) == [1, 2]
    assert browser.submit(replayed).status == 200
    assert numbers(rig, sitting) == [1, 2, 3]


@both
def test_without_an_attempt_left_the_page_shows_the_grade(rig: Rig, lms: str) -> None:
    sitting = graded(rig, lms, "once")
    page = back(rig, sitting)
    assert (page.status, refusal(page)[0]) == (403, "no-attempts-left")
    assert "You have 33 of 100." in page.text
    assert BACK in page.text.replace("&amp;", "&")
    assert numbers(rig, sitting) == [1]


@both
@pytest.mark.parametrize(("activity", "code"), [("early", "not-open"), ("late", "not-open")])
def test_dates_of_an_activity_are_kept(rig: Rig, lms: str, activity: str, code: str) -> None:
    learner = f"{activity}-{lms}"
    page = rig.click(Browser(), lms, activity, learner, **BY_LMS[lms])
    assert (page.status, refusal(page)[0]) == (403, code)
    assert BACK in page.text.replace("&amp;", "&")
    assert not rig.rows("SELECT 1 FROM learners WHERE user_id = :user", user=learner)


@both
def test_the_pause_between_attempts_is_kept(rig: Rig, lms: str) -> None:
    sitting = graded(rig, lms, "weekly")
    browser = Browser()
    page = back(rig, sitting, browser)
    assert (page.status, refusal(page)[0]) == (403, "too-soon")
    assert "You have 33 of 100." in page.text
    rig.write(LATER, user=sitting.learner, days=7)
    assert back(rig, sitting, browser).asks
    assert numbers(rig, sitting) == [1]


def test_the_dates_count_when_the_button_is_pressed(rig: Rig) -> None:
    sitting = graded(rig, "old", "weekly")
    rig.write(LATER, user=sitting.learner, days=7)
    browser = Browser()
    asked = back(rig, sitting, browser)
    assert asked.asks
    rig.write(LATER, user=sitting.learner, days=-7)
    page = browser.submit(asked)
    assert (page.status, refusal(page)[0]) == (403, "too-soon")
    assert BACK in page.text.replace("&amp;", "&")
    assert numbers(rig, sitting) == [1]
