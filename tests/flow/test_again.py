"""Coming back to a link after its grade: the learner is asked before another attempt begins."""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode

import pytest

from tests.flow.browser import Browser, Page
from tests.flow.rig import ONE, TWO, Rig, Sitting
from tests.flow.scene import refusal
from tests.flow.school import LTI

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
ROLES: dict[str, str] = {"old": "roles", "new": f"{LTI}roles"}
MENTOR = "http://purl.imsglobal.org/vocab/lis/v2/membership#Mentor"
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
        sent = dict(form.fields) | {"number": number}
        page = browser.post(rig.bridge.url + form.action, sent)
        asked = int(number) if number in ("0", "4") else None
        assert page.status == (400 if asked is None else 200)
        assert page.asks == (asked is not None)
        assert "oauth_signature" not in page.text
    guessed = browser.submit(replayed, token=secrets.token_urlsafe(16))
    assert (guessed.status, refusal(guessed)[0]) == (403, "page-expired")
    assert numbers(rig, sitting) == [1, 2]
    assert browser.submit(replayed).status == 200
    assert numbers(rig, sitting) == [1, 2, 3]


def page_token(browser: Browser, page: Page) -> str:
    """The token of the page at an address, which its own reader can always make."""
    cookies = next(jar for jar in browser.cookies.values() if "__Host-lti-browser" in jar)
    handle = page.url.rpartition("/course/page/")[2]
    key = cookies["__Host-lti-browser"].encode()
    made = hmac.digest(key, b"page." + handle.encode(), "sha256")
    return f"{handle}.{urlsafe_b64encode(made).rstrip(b'=').decode()}"


@both
@pytest.mark.parametrize("number", [None, "0"])
@pytest.mark.parametrize(
    ("who", "answer"),
    [
        ("finished", (200, "You have 33 of 100. Start attempt 2 of 3?")),
        ("used up", (403, "You have 33 of 100.")),
        ("mentor", (200, "This link opens a test for students")),
    ],
)
def test_a_second_click_opens_nothing_to_whom_the_first_one_does_not(
    rig: Rig, lms: str, who: str, answer: tuple[int, str], number: str | None
) -> None:
    browser = Browser()
    if who == "mentor":
        roles = {ROLES[lms]: "Mentor" if lms == "old" else [MENTOR]}
        sitting = Sitting(f"mentor-{lms}", "", "", lms, "thrice")
        for _ in range(2):
            page = rig.click(browser, lms, "thrice", sitting.learner, **BY_LMS[lms] | roles)
    else:
        sitting = graded(rig, lms, {"finished": "thrice", "used up": "once"}[who])
        for _ in range(2):
            page = back(rig, sitting, browser)
    before = numbers(rig, sitting)
    sent = {} if number is None else {"number": number}
    form = {"token": page_token(browser, page), **sent}
    for _ in range(2):
        page = browser.post(f"{rig.bridge.url}/course/go-on", form)
        assert page.status == answer[0]
        assert answer[1] in page.text
        assert "http://127.0.0.1:9/tool" not in page.text
        assert "oauth_signature" not in page.text
    assert numbers(rig, sitting) == before


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
