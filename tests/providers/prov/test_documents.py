"""The documents name every setting and every error of the kind, and the example can be used."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

from lti_bridge.providers.prov import KIND
from lti_bridge.providers.prov import errors as named
from lti_bridge.providers.prov.settings import ActivitySettings, ConnectionSettings

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/providers/prov.md").read_text(encoding="utf-8")
ERRORS = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "config.example.toml").read_text(encoding="utf-8")


def own(table: dict[str, Any]) -> dict[str, Any]:
    """The keys that belong to the kind."""
    return {key: v for key, v in table.items() if key not in ("name", "kind", "hook_token")}


def test_every_error_is_explained() -> None:
    found = [one for one in vars(named).values() if inspect.isclass(one)]
    codes = [one for one in found if one.__module__ == named.__name__ and "code" in vars(one)]
    assert len(codes) == 9
    for error in codes:
        assert f"| `{error.code}` | {error.sentence} {error.remedy} |" in ERRORS
        assert f"| `{error.code}`" in GUIDE


def test_every_setting_is_in_the_guide_and_in_the_example() -> None:
    blocks = [block for block in EXAMPLE.split("\n\n") if '"prov"' in block]
    connection, activity = (tomllib.loads(re.sub("(?m)^# ?", "", block)) for block in blocks)
    written = own(connection["connection"][0])
    assert written.keys() == ConnectionSettings.model_fields.keys()
    made = KIND.connection(written)
    settings = activity["activity"][0]["settings"]
    assert settings.keys() == ActivitySettings.model_fields.keys()
    KIND.activity(settings, made)
    for name in [*written, *settings]:
        assert f"`{name}`" in GUIDE


def test_the_guides_own_examples_are_valid() -> None:
    connection, activity = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    made = KIND.connection(own(tomllib.loads(connection)["connection"][0]))
    KIND.activity(tomllib.loads(activity)["activity"][0]["settings"], made)
