"""The parts that every other part is given."""

from __future__ import annotations

from lti_bridge.assembly.basics import new_id


def test_an_id_can_be_given_to_a_command_as_it_is() -> None:
    ids = {new_id() for _ in range(2000)}
    assert len(ids) == 2000
    assert not [one for one in ids if one.startswith("-")]


def test_ids_that_are_made_together_stand_together() -> None:
    beginnings = {new_id()[:5] for _ in range(100)}
    assert len(beginnings) <= 2  # of the same second, or of two
