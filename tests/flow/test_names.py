"""A name that comes in one text, for a provider that needs two parts of it."""

from __future__ import annotations

import pytest

from tests.flow.scene import Scene, refusal

WHOLE = {"lis_person_name_given": None, "lis_person_name_family": None}
NAMES = {
    "Ann Exampleton": ("Ann", "Exampleton"),
    "  Ann   Maria Exampleton ": ("Ann Maria", "Exampleton"),
    "Ann van der Example": ("Ann", "van der Example"),
    "Exampleton, Ann Maria": ("Ann Maria", "Exampleton"),
    "Exampleton": ("Exampleton", "Exampleton"),
    "de la Example": ("de", "la Example"),
    "Exampleton,": ("Exampleton", "Exampleton"),
}


def told(scene: Scene, name: str, activity: str) -> tuple[str, str]:
    """The parts of a name that a tool is told of it."""
    changes = {**WHOLE, "lis_person_name_full": name}
    form = scene.open(scene.campus, custom_activity=activity, **changes).form
    return form["lis_person_name_given"], form["lis_person_name_family"]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_split_by_the_rule(scene: Scene, name: str) -> None:
    assert told(scene, name, "parts") == NAMES[name]


def test_the_rule_can_be_set(scene: Scene) -> None:
    assert told(scene, "Exampleton Ann Maria", "family-first") == ("Ann Maria", "Exampleton")
    assert told(scene, "Exampleton, Ann", "family-first") == ("Ann", "Exampleton")


def test_what_comes_in_parts_stays(scene: Scene) -> None:
    form = scene.open(scene.campus, custom_activity="parts", lis_person_name_full="X Y").form
    assert (form["lis_person_name_given"], form["lis_person_name_family"]) == ("Ann", "Exampleton")


def test_nothing_is_made_up_that_may_not_leave(scene: Scene) -> None:
    form = scene.open(
        scene.campus, custom_activity="plain", lis_person_name_full="Ann Exampleton", **WHOLE
    ).form
    assert not [value for value in form.values() if "Exampleton" in value]


def test_a_provider_that_needs_both_opens(scene: Scene) -> None:
    page = scene.campus.launch(
        custom_activity="best", user_id="whole", lis_person_name_full="Zoë Exämple", **WHOLE
    )
    assert page.status == 200
    sent = dict(page.form().fields)
    assert (sent["lis_person_name_given"], sent["lis_person_name_family"]) == ("Zoë", "Exämple")


def test_the_error_says_what_is_missing(scene: Scene) -> None:
    """A name in one text that is not to be split, and no name at all, are two things."""
    page = scene.campus.launch(custom_activity="unsplit", user_id="unsplit", **WHOLE)
    assert refusal(page)[0] == "no-personal-data"
    assert "sent your name in one text only" in page.text
    assert "family name and given name" in page.text
    nobody = {**WHOLE, "lis_person_name_full": None}
    page = scene.campus.launch(custom_activity="best", user_id="nameless", **nobody)
    assert "needs your family name and given name, and your LMS did not send them" in page.text
    assert "in one text" not in page.text
    page = scene.campus.launch(
        custom_activity="best", user_id="no-mail", lis_person_contact_email_primary=None
    )
    assert "needs your e-mail address, and your LMS did not send it" in page.text
