"""Where a copied link comes from, by what LMSs write there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lti_bridge.core.course.history import history_of
from tests.core.test_links import LAUNCH

THOUSAND = [f"course-{n}" for n in range(1000)]


@pytest.mark.parametrize(
    ("told", "contexts"),
    [
        ("", []),
        ("$Context.id.history", []),
        ("b,a", ["b", "a"]),
        ("unknown%2C1, a", ["unknown,1", "a"]),
        (",".join(THOUSAND), THOUSAND),  # Canvas: substitutions_helper.rb
        (",".join([*THOUSAND, "truncated"]), THOUSAND),
        ("b,truncated", ["b"]),
        ("timed out", []),
    ],
)
def test_the_courses_that_a_link_was_copied_from(told: str, contexts: list[str]) -> None:
    launch = replace(LAUNCH, custom={"context_id_history": told})
    assert history_of(launch).contexts == tuple(contexts)


def test_links_are_looked_for_one_by_one_and_no_more_than_a_few() -> None:
    launch = replace(LAUNCH, custom={"resource_link_id_history": ",".join(THOUSAND)})
    assert len(history_of(launch).links) == 20
