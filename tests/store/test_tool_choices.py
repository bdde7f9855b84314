"""A choice under way at a tool is taken once, by its own browser and tool, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from lti_bridge.core.launch.message import Once
from lti_bridge.core.tool.choices import ToolChoice
from lti_bridge.store.engine import Database
from lti_bridge.store.tool_choices import StoredChoices

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
CHOICE = ToolChoice("data", "browser", "tool", "token", "a b", True, LATER)


@pytest.mark.spec("P13DL-07", "P13DL-16", "SECP-17")
def test_a_choice_is_taken_once(database_url: str) -> None:
    database = Database(database_url)
    database.migrate()
    choices = StoredChoices(database)
    choices.keep(CHOICE)
    once = Once("s", "first", LATER)
    assert choices.take("data", "other", ("tool",), once, NOW) is None
    assert choices.take("other", "browser", ("tool",), once, NOW) is None
    assert choices.take("data", "browser", ("another",), once, NOW) is None
    assert choices.take("data", "browser", ("tool",), once, LATER) is None

    def take(number: int) -> ToolChoice | None:
        return choices.take("data", "browser", ("x", "tool"), Once("s", f"n{number}", LATER), NOW)

    with ThreadPoolExecutor(8) as threads:
        found = [one for one in threads.map(take, range(16)) if one is not None]
    database.close()
    assert found == [CHOICE]
