"""How the kit says that a kind breaks a promise: which one, what was sent, what was expected."""

from __future__ import annotations

import ast
import traceback
from pathlib import Path

HERE = Path(__file__).parent
LAST = 5  # events that are told
LONG = 300  # characters of one of them, and of what was found


class PromiseBroken(AssertionError):
    """One sentence about a kind that does not keep the contract."""


def sentence(test: str, kinds: str, story: list[str], error: BaseException) -> str:
    """What a failed test says of a kind; `story` is what has happened until then."""
    promise = test.removeprefix("test_").replace("_", " ")
    happened = "; ".join(map(_short, story[-LAST:])) or "nothing"
    where, expected = _expected(error)
    return (
        f"{kinds} breaks the promise “{promise}”: after {happened}, expected {expected} "
        f"({where}), and found {_short(_found(error))}"
    )


def _expected(error: BaseException) -> tuple[str, str]:
    """Where the kit was, and what it wanted there, in its own words."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).parent == HERE and frame.lineno
    ]
    if not frames:
        return "in the kit", "no error"
    tests = [frame for frame in frames if Path(frame.filename).name.startswith("test_")]
    frame = (tests or frames)[-1]
    path = Path(frame.filename)
    return f"tests/contract/{path.name}:{frame.lineno}", _statement(path, frame.lineno or 0)


def _statement(path: Path, line: int) -> str:
    """The innermost statement at a line; what it asserts, where it does."""
    text = path.read_text(encoding="utf-8")
    around = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    inner = max(around, key=lambda node: node.lineno)
    written = _source(text, inner.test if isinstance(inner, ast.Assert) else inner)
    if not isinstance(inner, ast.Assert):
        heads = [_source(text, node).partition(": ")[0] for node in around if _raises(text, node)]
        written = heads[-1].removeprefix("with ") if heads else written
    return f"`{written}`"


def _raises(text: str, node: ast.stmt) -> bool:
    return isinstance(node, ast.With) and "raises" in _source(text, node.items[0])


def _source(text: str, node: ast.AST) -> str:
    if isinstance(node, ast.withitem):
        node = node.context_expr
    return " ".join((ast.get_source_segment(text, node) or "").split())


def _found(error: BaseException) -> str:
    """What pytest says of it, without the rest of a comparison."""
    said = str(error)
    if isinstance(error, AssertionError):
        return said.removeprefix("assert ").partition("\nassert ")[0].partition("\n  ")[0]
    if said.startswith("DID NOT RAISE"):
        return "no error"
    return f"{type(error).__name__}: {said}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONG else f"{line[:LONG]}…"
