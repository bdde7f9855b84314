"""The documents name every setting and every error of the kind, and the example can be used."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path

from lti_bridge.providers.mettl import KIND
from lti_bridge.providers.mettl import errors as named
from lti_bridge.providers.mettl.settings import ActivitySettings, ConnectionSettings

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/providers/mettl.md").read_text(encoding="utf-8")
ERRORS = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "config.example.toml").read_text(encoding="utf-8")


def test_every_error_is_explained() -> None:
    found = [one for one in vars(named).values() if inspect.isclass(one)]
    own = [one for one in found if one.__module__ == named.__name__]
    assert len(own) == 12
    for error in own:
        assert f"| `{error.code}` | {error.sentence} {error.remedy} |" in ERRORS
        assert f"| `{error.code}`" in GUIDE
        assert error.__doc__


def test_every_setting_is_in_the_guide_and_in_the_example() -> None:
    blocks = [block for block in EXAMPLE.split("\n\n") if "mettl" in block]
    connection, activity = (tomllib.loads(re.sub("(?m)^# ?", "", block)) for block in blocks)
    written = dict(connection["connection"][0])
    assert written.pop("kind") == written.pop("name") == "mettl"
    assert written.pop("hook_token")
    assert written.keys() == ConnectionSettings.model_fields.keys()
    made = KIND.connection(written)
    settings = activity["activity"][0]["settings"]
    assert settings.keys() | {"assessment_id"} == ActivitySettings.model_fields.keys()
    KIND.activity(settings, made)
    for name in [*written, *settings, "assessment_id"]:
        assert f"`{name}`" in GUIDE


def test_the_guides_own_examples_are_valid() -> None:
    connection, activity = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    written = tomllib.loads(connection)["connection"][0]
    KIND.connection({k: v for k, v in written.items() if k not in ("name", "kind", "hook_token")})
    KIND.activity(tomllib.loads(activity)["activity"][0]["settings"], None)
