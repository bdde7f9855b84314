"""Every code of errors.py stands in docs/errors.md with its status and its sentences."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from lti_bridge import errors
from lti_bridge.errors import BridgeError

PAGE = Path(__file__).parents[1] / "docs" / "errors.md"
HEADING = re.compile(r"^### `([a-z-]+)` \((\d{3})\)\n\n> (.+)$", re.MULTILINE)
CLASSES = [
    thing
    for thing in vars(errors).values()
    if isinstance(thing, type) and issubclass(thing, BridgeError)
]


def test_each_error_has_a_code_of_its_own() -> None:
    assert [found.__name__ for found in CLASSES if "code" not in vars(found)] == []
    uses = Counter(found.code for found in CLASSES)
    assert [code for code, times in uses.items() if times > 1] == []


def test_the_page_explains_every_code_and_no_other() -> None:
    documented = HEADING.findall(PAGE.read_text(encoding="utf-8"))
    expected = [
        (found.code, str(found.status), f"{found.sentence} {found.remedy}") for found in CLASSES
    ]
    assert sorted(documented) == sorted(expected)


def test_the_page_says_what_each_kind_of_person_does() -> None:
    sections = PAGE.read_text(encoding="utf-8").split("\n### ")[1:]
    assert len(sections) == len(CLASSES)
    for section in sections:
        for person in ("Student", "Instructor", "Administrator"):
            assert re.search(rf"^- {person}: \S", section, re.MULTILINE), section[:40]
