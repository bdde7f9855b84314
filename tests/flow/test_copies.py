"""A teacher says once that a course is a copy, and duplicates of a link are told apart."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from tests.flow.browser import Browser, Page
from tests.flow.scene import Scene
from tests.flow.test_launch_core import refused
from tests.flow.test_placing import (
    TEACHER,
    activity_id,
    chapter,
    fill,
    picker,
    place,
    set_up,
    student,
    token_of,
)

TOM = {**TEACHER, "user_id": "tom"}  # teaches elsewhere


def course(scene: Scene, name: str, *links: str) -> dict[str, dict[str, str]]:
    """Tests that a teacher sets up in a course: by link, what its copies carry."""
    carried = {}
    for number, link in enumerate(links, 1):
        set_up(scene, f"{name}-{link}", f"chapter = {number}", context_id=name)
        made = activity_id(scene, f"Set up: {name}-{link}")
        carried[link] = {"custom_lti_bridge_activity": made}
    return carried


def opens(scene: Scene, name: str, link: str, carried: dict[str, str], **who: str | None) -> Page:
    """A click on a link in the course of this name."""
    return student(scene, f"{name}-{link}", context_id=name, **{**carried, **who})


def form_with(page: Page, do: str) -> dict[str, str]:
    """The fields of the form that has a button for this."""
    forms = re.findall(r"<form.*?</form>", page.text, re.S)
    (found,) = [number for number, text in enumerate(forms) if f'value="{do}"' in text]
    return dict(page.form(found).fields)


def press(scene: Scene, page: Page, do: str) -> Page:
    """Press a button of a page."""
    assert f'value="{do}"' in page.text, page.text
    return place(scene, **{**form_with(page, do), "do": do})


def test_a_teacher_says_once_that_the_whole_course_is_a_copy(scene: Scene) -> None:
    links = course(scene, "old", "a", "b", "c")
    assert refused(opens(scene, "new", "b", links["b"]), 404, "not-configured")
    asked = opens(scene, "new", "a", links["a"], **TEACHER)
    for link in "abc":
        assert f"<li>Set up: old-{link}</li>" in asked.text, asked.text
    overview = press(scene, asked, "adopt-all")
    assert "This course is a copy" in overview.text
    before = scene.count("attempts")
    assert chapter(scene, opens(scene, "new", "b", links["b"])) == "2"
    assert scene.count("attempts") == before + 1
    assert chapter(scene, opens(scene, "new", "c", links["c"], user_id="cy")) == "3"
    # nothing else came along, and other courses are still asked about
    assert refused(opens(scene, "newer", "b", links["b"]), 404, "not-configured")


def test_what_was_said_is_taken_back_and_said_again(scene: Scene) -> None:
    links = course(scene, "back", "a", "b", "c")
    overview = press(scene, opens(scene, "back-2", "a", links["a"], **TEACHER), "adopt-all")
    assert chapter(scene, opens(scene, "back-2", "b", links["b"])) == "2"
    asked = press(scene, overview, "take-back")
    assert "Is this course no copy?" in asked.text
    assert chapter(scene, opens(scene, "back-2", "c", links["c"])) == "3"  # asking changes nothing
    done = press(scene, asked, "take-back-now")
    assert "<h1>Taken back</h1>" in done.text
    assert chapter(scene, opens(scene, "back-2", "b", links["b"])) == "2"  # somebody has begun
    assert refused(opens(scene, "back-2", "a", links["a"]), 404, "not-configured")
    again = opens(scene, "back-2", "a", links["a"], **TEACHER)
    press(scene, again, "adopt-all")
    assert chapter(scene, opens(scene, "back-2", "a", links["a"])) == "1"


def test_only_one_link_is_taken_over_where_the_teacher_says_so(scene: Scene) -> None:
    links = course(scene, "one", "a", "b")
    overview = press(scene, opens(scene, "one-2", "a", links["a"], **TEACHER), "adopt")
    assert "This course is a copy" not in overview.text
    assert chapter(scene, opens(scene, "one-2", "a", links["a"])) == "1"
    assert refused(opens(scene, "one-2", "b", links["b"]), 404, "not-configured")


@pytest.mark.spec("SECP-38")
def test_whoever_has_one_link_of_a_course_learns_and_takes_no_other_test(scene: Scene) -> None:
    links = course(scene, "theirs", "a", "b")
    asked = opens(scene, "toms", "a", links["a"], **TOM)
    assert "Set up: theirs-a" in asked.text
    assert "theirs-b" not in asked.text
    assert "1 more test of that course" in asked.text
    other = links["b"]["custom_lti_bridge_activity"]
    fields = form_with(asked, "adopt")
    for do in ("adopt", "adopt-all"):
        stolen = place(scene, **{**fields, "do": do, "use": other})
        assert refused(stolen, 403, "page-expired")
    press(scene, asked, "adopt-all")
    # the course is said to be a copy, and still a link has to carry its own test
    bare = opens(scene, "toms", "bare", {}, **TOM, resource_link_title="Set up: theirs-b")
    assert "theirs-b" not in bare.text.replace("Set up: theirs-b", "", 1)
    assert "Is this link a copy?" not in bare.text
    assert refused(place(scene, token=token_of(bare), do="adopt", use=other), 403, "page-expired")
    written = {"custom_context_id_history": "theirs"}  # anybody can write this
    claimed = opens(scene, "toms", "bare", written, **TOM)
    assert "Is this link a copy?" not in claimed.text
    assert chapter(scene, opens(scene, "toms", "b", links["b"])) == "2"


@pytest.mark.parametrize("do", ["adopt", "adopt-all", "take-back-now", "separate"])
def test_whoever_may_not_configure_says_nothing(scene: Scene, do: str) -> None:
    links = course(scene, f"may-{do}", "a", "b")
    press(scene, opens(scene, f"may-{do}-2", "a", links["a"], **TEACHER), "adopt-all")
    before = scene.rows("SELECT * FROM course_copies ORDER BY context_id, origin_context_id")
    role = "urn:lti:role:ims/lis/TeachingAssistant"
    page = opens(scene, f"may-{do}-2", "a", links["a"], roles=role)
    assert "This course is a copy" not in page.text
    assert refused(place(scene, token=token_of(page), do=do), 403, "staff-only")
    after = scene.rows("SELECT * FROM course_copies ORDER BY context_id, origin_context_id")
    assert after == before


def test_what_was_never_offered_is_refused(scene: Scene) -> None:
    course(scene, "never", "a")
    page = opens(scene, "never", "a", {}, **TEACHER)
    token = token_of(page)
    for do in ("adopt", "adopt-all", "separate"):
        assert refused(place(scene, token=token, do=do), 403, "page-expired"), do


def test_another_lms_is_offered_nothing(scene: Scene) -> None:
    links = course(scene, "apart", "a", "b")
    page = scene.twin.launch(**TEACHER, resource_link_id="x", context_id="apart-2", **links["a"])
    assert "Is this link a copy?" not in page.text
    assert "apart-a" not in page.text


def test_term_after_term_the_newest_course_is_the_one_that_is_copied(scene: Scene) -> None:
    """The link carries the id of the first course all the way."""
    links = course(scene, "term-1", "a", "b")
    overview = press(scene, opens(scene, "term-2", "a", links["a"], **TEACHER), "adopt-all")
    form = press(scene, overview, "edit")
    Browser().submit(form, do="save", **{"set.custom": "chapter = 22"})
    press(scene, opens(scene, "term-3", "a", links["a"], **TEACHER), "adopt-all")
    assert chapter(scene, opens(scene, "term-3", "a", links["a"])) == "22"
    (row,) = scene.rows("SELECT origin_context_id FROM course_copies WHERE context_id = 'term-3'")
    assert row.origin_context_id == "term-2"
    # b was never opened in the second term
    assert chapter(scene, opens(scene, "term-3", "b", links["b"])) == "2"
    # somebody who has had to do with none of them gets what the link says
    press(scene, opens(scene, "term-t", "a", links["a"], **TOM), "adopt")
    assert chapter(scene, opens(scene, "term-t", "a", links["a"])) == "1"


def test_a_bare_link_is_offered_the_former_test_first(scene: Scene) -> None:
    course(scene, "bare", "x", "y")
    title = {"resource_link_title": "set up: bare-y (copy)"}
    asked = opens(scene, "bare-2", "y", {}, **TEACHER, **title)
    assert "Is this link a copy?" in asked.text
    overview = press(scene, asked, "adopt")
    assert "What students get from this link" in overview.text
    assert chapter(scene, opens(scene, "bare-2", "y", {})) == "2"
    assert chapter(scene, opens(scene, "bare", "y", {})) == "2"
    copied = scene.rows("SELECT origin FROM activities WHERE context_id = 'bare-2'")
    assert [row.origin for row in copied] == [activity_id(scene, "Set up: bare-y")]
    # by a history that the LMS tells in a parameter, this teacher's own tests of that course
    told = {"custom_context_id_history": "bare"}
    asked = opens(scene, "bare-3", "z", told, **TEACHER, resource_link_title="Set up: bare-x")
    radios = re.findall(r'name="use" value="[\w-]+"( checked)?> ([^<]+) <', asked.text)
    assert radios[0] == (" checked", "Set up: bare-x")
    assert ("", "Set up: bare-y") in radios


def test_a_selection_that_was_given_up_leaves_no_twin(scene: Scene) -> None:
    for _ in range(3):
        browser, page = picker(scene, "1.3")
        chosen = fill(browser, page, title="Given up", **{"set.custom": "chapter = 1"})
        browser.submit(chosen, do="cancel")
    rows = scene.rows("SELECT id FROM activities WHERE title = 'Given up'")
    assert len(rows) == 1
    browser, page = picker(scene, "1.3")
    fill(browser, page, title="Given up", **{"set.custom": "chapter = 2"})
    assert len(scene.rows("SELECT id FROM activities WHERE title = 'Given up'")) == 2


def test_two_alike_of_one_selection_stay_two(scene: Scene) -> None:
    browser, page = picker(scene, "1.1")
    chosen = fill(browser, page, title="Alike")
    chosen = fill(browser, browser.submit(chosen, do="start"), title="Alike")
    done = browser.submit(browser.submit(chosen, do="finish"))
    assert re.findall(r"<li>(.*?)</li>", done.text) == ["Alike", "Alike"]
    assert len(scene.rows("SELECT id FROM activities WHERE title = 'Alike'")) == 2


def test_what_a_link_has_opened_is_nobodys_twin(scene: Scene) -> None:
    set_up(scene, "placed", "chapter = 1")
    set_up(scene, "placed", "chapter = 1", resource_link_id="placed-2")
    assert len(scene.rows("SELECT id FROM activities WHERE title = 'Set up: placed'")) == 2


def test_a_duplicate_says_that_it_shares_and_gets_a_test_of_its_own(scene: Scene) -> None:
    links = course(scene, "dup", "a")
    first = opens(scene, "dup", "a", links["a"], **TEACHER)
    assert "A shared test" not in first.text
    double = opens(scene, "dup", "a2", links["a"], **TEACHER)
    assert "1 other link of this course opens the same activity" in double.text
    own = press(scene, double, "separate")
    assert "A shared test" not in own.text
    form = press(scene, own, "edit")
    assert "Set up: dup-a" in form.text
    Browser().submit(form, do="save", **{"set.custom": "chapter = 9"})
    assert chapter(scene, opens(scene, "dup", "a2", links["a"])) == "9"
    assert chapter(scene, opens(scene, "dup", "a", links["a"])) == "1"
    assert "A shared test" not in opens(scene, "dup", "a", links["a"], **TEACHER).text


def test_a_duplicate_by_which_somebody_has_begun_stays_as_it_is(scene: Scene) -> None:
    links = course(scene, "late", "a")
    opens(scene, "late", "a", links["a"], **TEACHER)
    assert chapter(scene, opens(scene, "late", "a2", links["a"])) == "1"
    double = opens(scene, "late", "a2", links["a"], **TEACHER)
    assert "Students have begun by this link" in double.text
    refusal = place(scene, token=token_of(double), do="separate")
    assert refused(refusal, 403, "page-expired")
    assert chapter(scene, opens(scene, "late", "a2", links["a"])) == "1"


def command(scene: Scene, *words: str) -> Any:
    """What `lti-bridge courses …` says; JSON where that is asked for."""
    config = str(scene.world.bridge.config)
    ran = CliRunner().invoke(main, ["courses", *words, "--config", config])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout) if "--json" in words else ran.output


def test_an_admin_says_the_same_by_command(scene: Scene) -> None:
    links = course(scene, "cmd", "a", "b")
    done = command(scene, "copied", "campus11", "cmd-2", "cmd", "--yes", "--json")
    assert (done["tests"], done["undone"]) == (["Set up: cmd-a", "Set up: cmd-b"], False)
    assert chapter(scene, opens(scene, "cmd-2", "b", links["b"])) == "2"
    overview = opens(scene, "cmd-2", "a", links["a"], **TEACHER)
    assert "This course is a copy" in overview.text
    (listed,) = [one for one in command(scene, "copies", "--json") if one["course"] == "cmd-2"]
    assert (listed["origin"], listed["told_by"], listed["copies"]) == ("cmd", "command", 2)
    assert "cmd-2 from cmd, 2 copies" in command(scene, "copies", "campus11")
    undone = command(scene, "copied", "campus11", "cmd-2", "cmd", "--undo", "--yes", "--json")
    assert undone["copies_gone"] == 1
    assert refused(opens(scene, "cmd-2", "a", links["a"]), 404, "not-configured")
    assert chapter(scene, opens(scene, "cmd-2", "b", links["b"])) == "2"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("campus11", "x", "no-such"), 1, "No test was set up in the course 'no-such'"),
        (("nobody", "x", "y"), 1, "No test was set up"),
        (("campus11", "x", "x"), 2, "two ids"),
        (("campus11", "x" * 256, "y"), 2, "two ids"),
    ],
)
def test_the_command_refuses_what_cannot_be(
    scene: Scene, words: tuple[str, ...], status: int, said: str
) -> None:
    config = str(scene.world.bridge.config)
    ran = CliRunner().invoke(main, ["courses", "copied", *words, "--yes", "--config", config])
    assert (ran.exit_code, said in ran.output) == (status, True), ran.output
