"""The kinds of providers: every folder beside this file that defines `KIND`."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from lti_bridge.providers.contract import Kind


@cache
def kinds() -> dict[str, Kind]:
    """All kinds by their name, which is the name of their folder."""
    found = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if module.ispkg:
            found[module.name] = import_module(f"lti_bridge.providers.{module.name}").KIND
    return found
