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
    part: ast.AST = inner.test if isinstance(inner, ast.Assert) else inner
    written = ast.get_source_segment(text, part) or ""
    if isinstance(inner, ast.With):
        written = written.partition(":\n")[0].removeprefix("with ")
    return f"`{' '.join(written.split())}`"


def _found(error: BaseException) -> str:
    said = " ".join(str(error).split())
    if isinstance(error, AssertionError):
        return said.removeprefix("assert ") or "that it does not hold"
    if said.startswith("DID NOT RAISE"):
        return "no error"
    return f"{type(error).__name__}: {said}"


def _short(text: str) -> str:
    return text if len(text) <= LONG else f"{text[:LONG]}…"
