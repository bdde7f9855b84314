"""The page that waits for a call to a provider, and goes on by itself."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from urllib.parse import urljoin

from tests.flow.browser import Page
from tests.flow.campus11 import send
from tests.flow.world import PATIENCE_S

PREPARED = "Your test is being prepared"
ALONE = {"Connection": "close"}  # so that any web process may get it


def waits(page: Page) -> bool:
    """Whether it is that page."""
    return page.status == 200 and PREPARED in page.text


def pause_s(page: Page) -> float:
    """After how many seconds a page goes on by itself."""
    found = re.search(r"submit\(\), (\d+)\)", page.text)
    assert found, page.text
    return int(found[1]) / 1000


def press(page: Page) -> Page:
    """What its button leads to, by a connection of its own."""
    form = page.form()
    return send(urljoin(page.url, form.action), form.fields, ALONE)


def gone_on(
    page: Page,
    at_most_s: float,
    patience_s: float = PATIENCE_S,
    go: Callable[[Page], Page] = press,
) -> tuple[Page, int]:
    """The page that comes after it, and how often it came; each time after so long at most."""
    times, until = 0, time.monotonic() + patience_s
    while waits(page) and time.monotonic() < until:
        times += 1
        time.sleep(min(pause_s(page), at_most_s))
        page = go(page)
    return page, times
