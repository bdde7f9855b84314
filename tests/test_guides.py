"""The guides for administrators name only what is there: codes, commands and what is said."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from lti_bridge.cli import main
from lti_bridge.cli.registrations import registrations
from lti_bridge.doctor import parties
from lti_bridge.web import advice

ROOT = Path(__file__).parents[1]
GUIDES = sorted((ROOT / "docs" / "lms").glob("*.md"))
CODES = set(re.findall(r"^### `([\w-]+)` \(", (ROOT / "docs/errors.md").read_text("utf-8"), re.M))
TABLES = re.compile(r"^\|(?!-)(.*)\|$", re.M)


def text_of(guide: Path) -> str:
    return re.sub(r"\s+", " ", guide.read_text(encoding="utf-8"))


def sources(*modules: object) -> str:
    """What these modules can say, as one text."""
    found = "".join(Path(str(one.__file__)).read_text("utf-8") for one in modules)  # type: ignore[attr-defined]
    return re.sub(r'"\s+f?"', "", re.sub(r"\s+", " ", found))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda one: one.stem)
def test_every_code_is_one_of_the_bridge(guide: Path) -> None:
    cells = [row.split("|")[-1] for row in TABLES.findall(guide.read_text(encoding="utf-8"))]
    named = {word for cell in cells for word in re.findall(r"`([a-z]+(?:-[a-z]+)+)`", cell)}
    assert named, "no code is named at all"
    assert named <= CODES, named - CODES


@pytest.mark.parametrize("guide", GUIDES, ids=lambda one: one.stem)
def test_every_command_is_one_of_the_bridge(guide: Path) -> None:
    commands = re.findall(r"lti-bridge ((?:[a-z]+ ?){1,2})((?:--[a-z-]+)?)", text_of(guide))
    commands += re.findall(
        r"`(registrations set|registrations approve|results list) ?\w*()", text_of(guide)
    )
    assert commands
    for words, _ in commands:
        command: click.Command = main
        for word in words.split():
            if not isinstance(command, click.Group):
                break
            known = command.get_command(click.Context(command), word)
            assert known, f"{guide.name}: lti-bridge {words}"
            command = known
    for word, option in re.findall(r"registrations (set|approve) \w+ (--[a-z-]+)", text_of(guide)):
        found = registrations.get_command(click.Context(registrations), word)
        assert found
        assert option in {name for one in found.params for name in one.opts}, guide.name


@pytest.mark.parametrize("guide", GUIDES, ids=lambda one: one.stem)
def test_what_the_bridge_is_said_to_say_it_says(guide: Path) -> None:
    said = sources(advice, parties)
    quoted = re.findall(r"(?:page: |; )“(Your LMS [^”]+)”", text_of(guide))
    assert quoted
    for sentence in quoted:
        opening = sentence.replace("sends no names and no e-mail addresses", "sends no ")
        assert opening in said, f"{guide.name}: {sentence}"
    for finding in re.findall(r"doctor: `([^`…]+?)[ …]*`", text_of(guide)):
        start = finding.split(":")[0].replace("campus", "").strip()
        assert start.removesuffix(" score").removesuffix(" contextmembership.readonly") in said, (
            finding
        )
