"""Names of custom parameters, which LTI 1.1 and 1.3 write differently."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]")


def custom_name(name: str) -> str:
    """A custom parameter's name in LTI 1.1: lower case, `_` for all but ASCII letters, digits."""
    return _NOT_IN_NAMES.sub("_", name.lower())


def by_custom_names(custom: Mapping[str, str], *, but: str = "") -> dict[str, str]:
    """Custom parameters that are found by their LTI 1.1 names too, whatever case they came in.

    Those whose name begins with `but` go to a tool as they are written, and get no second name.
    """
    found = dict(custom)
    for name, value in custom.items():
        if not but or not name.startswith(but):
            found.setdefault(custom_name(name), value)
    return found


def custom_collisions(names: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs of custom names, the earlier one first, that LTI 1.1 cannot tell apart."""
    first: dict[str, str] = {}
    return [
        (first[custom_name(name)], name)
        for name in names
        if first.setdefault(custom_name(name), name) != name
    ]
