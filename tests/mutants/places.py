"""Finds a place in the bridge's code by its qualified name, and breaks the code there."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("faults.toml")
PACKAGE = "lti_bridge"


class Moved(Exception):
    """The place is not there any more, or not as the table says."""


@dataclass(frozen=True)
class Fault:
    """One deliberate fault: where, what is changed, and the tests that notice it.

    `place` is a qualified name, "Class.method", "function" or "CONSTANT", wherever it lives;
    "module:name" where several modules have one of that name. In the source text of the place
    `old`, which stands there once, becomes `new`; or, with `body`, the whole body of the
    function becomes that statement.
    """

    promise: str
    place: str
    tests: tuple[str, ...]
    old: str = ""
    new: str = ""
    body: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.promise}"


@dataclass(frozen=True)
class Change:
    """What a file holds with the fault in it; `path` is relative to the project."""

    path: Path
    text: str
    line: int


@dataclass(frozen=True)
class _Place:
    path: Path
    node: ast.stmt = field(repr=False)


def read_table(table: Path = TABLE) -> list[Fault]:
    """All faults, in their order; the promises are the names of the tables."""
    found = []
    for promise, entry in tomllib.loads(table.read_text(encoding="utf-8")).items():
        tests = entry.pop("tests")
        found.append(
            Fault(promise, tests=(tests,) if isinstance(tests, str) else (*tests,), **entry)
        )
    return found


def broken(fault: Fault, root: Path = ROOT) -> Change:
    """The file with this fault in it; raises Moved when it cannot be made exactly once."""
    place = _only_place(fault.place, root)
    source = (root / place.path).read_text(encoding="utf-8")
    start, end = _span(source, place.node)
    text = source[start:end]
    if fault.body:
        assert isinstance(place.node, ast.FunctionDef | ast.AsyncFunctionDef), (
            f"{fault.place} is no function"
        )
        changed, at = _with_body(source, place.node, fault.body), place.node.body[0].lineno
    else:
        if text.count(fault.old) != 1:
            raise Moved(f"{fault.place}: {fault.old!r} stands there {text.count(fault.old)} times")
        changed = source[:start] + text.replace(fault.old, fault.new) + source[end:]
        at = place.node.lineno + text[: text.index(fault.old)].count("\n")
    if changed == source:
        raise Moved(f"{fault.place}: nothing would change")
    try:
        ast.parse(changed)
    except SyntaxError as error:
        raise Moved(f"{fault.place}: what it would become is not Python: {error}") from error
    return Change(place.path, changed, at)


def _only_place(name: str, root: Path) -> _Place:
    module, _, qualified = name.rpartition(":")
    found = [
        place
        for place in _places(root).get(qualified, ())
        if not module or ".".join(place.path.with_suffix("").parts).endswith(f".{module}")
    ]
    if len(found) != 1:
        where = ", ".join(str(place.path) for place in found) or "nowhere"
        raise Moved(f"{name} is not in one place but in {len(found)}: {where}")
    return found[0]


@cache
def _places(root: Path) -> dict[str, list[_Place]]:
    places: dict[str, list[_Place]] = {}
    for file in sorted((root / PACKAGE).rglob("*.py")):
        path = file.relative_to(root)
        for name, node in _named(ast.parse(file.read_text(encoding="utf-8")).body, ""):
            places.setdefault(name, []).append(_Place(path, node))
    return places


def _named(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.stmt]]:
    """Every function, class, and constant or field, with its qualified name."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + node.name, node
            yield from _named(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((prefix + one.id, node) for one in targets if isinstance(one, ast.Name))


def _span(source: str, node: ast.stmt) -> tuple[int, int]:
    """Where the text of a statement begins and ends, decorators included."""
    lines = source.splitlines(keepends=True)
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
    assert node.end_lineno is not None
    return len("".join(lines[: first - 1])), len("".join(lines[: node.end_lineno]))


def _with_body(source: str, node: ast.FunctionDef | ast.AsyncFunctionDef, statement: str) -> str:
    lines = source.splitlines(keepends=True)
    first, last = node.body[0], node.body[-1]
    assert last.end_lineno is not None
    indent = " " * first.col_offset
    return "".join(
        [*lines[: first.lineno - 1], f"{indent}{statement}\n", *lines[last.end_lineno :]]
    )
