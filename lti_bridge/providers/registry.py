"""The kinds of providers: the folders beside this file, and what other packages bring.

A package brings a kind by an entry point of the group `lti_bridge.providers`: its name is the
kind's, and what it names is a `Kind`. What is wrong with one is said when that kind is asked for,
so that a broken package stops nobody who does not use it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from lti_bridge import __version__
from lti_bridge.errors import ConfigurationError
from lti_bridge.providers.contract import Kind

GROUP = "lti_bridge.providers"


class Kinds:
    """All kinds by name: the bridge's own, and those of installed packages."""

    def __init__(self, brought: Iterable[EntryPoint]) -> None:
        modules = pkgutil.iter_modules([str(Path(__file__).parent)])
        self._own = frozenset(module.name for module in modules if module.ispkg)
        self._brought: dict[str, list[EntryPoint]] = {}
        for point in brought:
            self._brought.setdefault(point.name, []).append(point)
        self._known: dict[str, Kind] = {}

    def __iter__(self) -> Iterator[str]:
        """The names, also of those that cannot be used."""
        return iter(sorted({*self._own, *self._brought}))

    def __getitem__(self, name: str) -> Kind:
        """The kind of that name. Raises ConfigurationError: there is none, or it cannot be used."""
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def problems(self) -> list[str]:
        """What is wrong with the kinds that packages bring, a sentence each."""
        found = []
        for name in self._brought:
            try:
                self[name]
            except ConfigurationError as error:
                found.append(error.detail)
        return found

    def _find(self, name: str) -> Kind:
        points = self._brought.get(name, [])
        who = " and ".join(map(_package, points))
        if name in self._own:
            if points:
                raise ConfigurationError(
                    f"{who} brings a kind {name!r}, which is a kind of the bridge itself: "
                    f"uninstall {who}, or take a version of it that calls its kind otherwise"
                )
            module = f"lti_bridge.providers.{name}"
            return _checked(name, getattr(import_module(module), "KIND", None), module)
        if not points:
            raise ConfigurationError(f"{name!r} is none of {', '.join(self)}")
        if len(points) > 1:
            raise ConfigurationError(f"{who} bring a kind {name!r} each: uninstall all but one")
        return _load(points[0])


@cache
def kinds() -> Kinds:
    """Those of this process."""
    return Kinds(entry_points(group=GROUP))


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"


def _load(point: EntryPoint) -> Kind:
    """What an entry point names. Raises ConfigurationError: it is no kind of that name."""
    which = f"{_package(point)}, entry point {point.name} = {point.value!r}"
    try:
        found = point.load()
    except (Exception, SystemExit) as error:  # whatever a package does when it is imported
        raise ConfigurationError(
            f"{which}: cannot be imported ({type(error).__name__}: {error}); install what it "
            f"needs, or a version of it that is made for lti-bridge {__version__}"
        ) from error
    return _checked(point.name, found, which)


def _checked(name: str, found: object, which: str) -> Kind:
    if not isinstance(found, Kind):
        raise ConfigurationError(
            f"{which}: KIND has to be an lti_bridge.providers.contract.Kind, and is {found!r:.80}"
        )
    if found.name != name:
        raise ConfigurationError(
            f"{which}: its kind is called {found.name!r}; both have to be called the same"
        )
    return found
