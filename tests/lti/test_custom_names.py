"""Custom parameters under the names that LTI 1.1 makes of them."""

from __future__ import annotations

from lti_bridge.lti.custom_names import by_custom_names, custom_collisions


def test_names_that_lti_11_cannot_tell_apart() -> None:
    assert custom_collisions(["Level", "color", "level", "co-lor", "LEVEL", "co.lor"]) == [
        ("Level", "level"),
        ("Level", "LEVEL"),
        ("co-lor", "co.lor"),
    ]
    assert custom_collisions(["level", "Level"]) == [("level", "Level")]
    assert custom_collisions(["level", "color", "level"]) == []


def test_a_second_name_for_all_but_those_that_stay() -> None:
    custom = {"Act-Id": "8", "Set.Color": "blue"}
    assert by_custom_names(custom) == {**custom, "act_id": "8", "set_color": "blue"}
    assert by_custom_names(custom, but="Set.") == {**custom, "act_id": "8"}
    assert by_custom_names({"A": "1", "a": "2"}) == {"A": "1", "a": "2"}
