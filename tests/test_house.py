"""The house keeps its shape: who may import whom, where SQL, Flask and HTTP may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lti_bridge"

# room -> rooms it may import; every room may import lti_bridge.errors, except the sandbox. The
# table is complete: a room that is not in it does not exist.
MAY_IMPORT: dict[str, set[str]] = {
    "core": set(),
    "lti": set(),
    "errors": set(),
    "transactions": set(),
    "private": set(),
    "postgres": set(),
    "log": set(),
    "net": {"transactions"},
    "keyring": {"lti"},
    "queue": {"postgres", "private"},
    "metrics": set(),
    "settings": {"core"},
    "store": {"core", "postgres", "private", "transactions"},
    "lms": {"core", "lti", "net"},
    "platform": {"core", "lti"},
    "providers": {"core", "lti", "net"},
    "web": {"core", "store"},
    "sandbox": set(),
    # What puts the others together, and nothing below imports it.
    "assembly": {
        *("core", "keyring", "lms", "log", "lti", "metrics", "net", "platform", "providers"),
        *("queue", "settings", "store", "web"),
    },
    # What an operator has to hear of, from all rooms that know something of it.
    "alerts": {"assembly", "core", "net", "settings", "store"},
    "worker": {"alerts", "assembly"},
    "front": set(),
    "serving": {"alerts", "assembly", "front", "settings", "worker"},
    "doctor": {
        *("assembly", "core", "keyring", "lms", "lti", "net", "platform", "private", "providers"),
        *("queue", "settings", "store"),
    },
    "bench": {"assembly", "core", "lms", "lti", "platform", "settings", "store", "web"},
    "demo": {"net", "sandbox", "serving"},
    "cli": {
        *("alerts", "assembly", "bench", "core", "demo", "doctor", "keyring", "lms", "lti"),
        *("platform", "providers", "sandbox", "serving", "settings", "store", "worker"),
    },
    "__main__": {"cli"},
}
MAX_LINES, MAX_FUNCTION, MAX_POSITIONAL = 400, 50, 4
TABLES = {"errors.py"}  # of data, as long as there are errors
# Imports stand at the top of a module. Inside functions they are where one run needs them and
# another does not, which is the whole of the command line, and elsewhere in these modules.
LATE_ROOMS = {"cli", "bench", "sandbox"}
LATE = {"assembly/metrics.py", "postgres.py", "queue.py", "store/engine.py"}
FLASK_ROOMS = {"web", "assembly", "cli", "serving", "sandbox", "bench"}
HTTP = {"urllib3", "requests", "httpx", "http.client", "urllib.request"}
SQL = {"sqlalchemy", "alembic", "sqlite3", "psycopg"}


def modules() -> Iterator[tuple[str, Path, ast.Module]]:
    """Every module of the package with its room."""
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.relative_to(PACKAGE)
        room = inside.parts[0].removesuffix(".py")
        if "migrations" not in inside.parts and room != "__init__":
            yield room, path, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> Iterator[str]:
    """Every imported module name, and `package.name` for names imported from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(name: str) -> str:
    """The room of an imported name of ours."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def test_rooms_import_only_what_the_table_allows() -> None:
    wrong = []
    for room, path, tree in modules():
        for name in imports(tree):
            if not name.startswith("lti_bridge"):
                continue
            other = room_of(name)
            allowed = {*MAY_IMPORT[room], room, ""} | ({"errors"} if room != "sandbox" else set())
            if other not in allowed and other != "__version__":
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_the_table_of_imports_holds_no_more_than_there_is() -> None:
    used: dict[str, set[str]] = {room: set() for room in MAY_IMPORT}
    for room, _path, tree in modules():
        used[room] |= {room_of(name) for name in imports(tree) if name.startswith("lti_bridge.")}
    unused = {room: sorted(may - used[room]) for room, may in MAY_IMPORT.items()}
    assert {room: rooms for room, rooms in unused.items() if rooms} == {}


def test_the_wiring_names_its_arguments() -> None:
    unnamed = []
    for room, path, tree in modules():
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        if room == "assembly":
            unnamed += [f"{path}:{c.lineno}" for c in calls if len(c.args) > MAX_POSITIONAL]
    assert not unnamed


def test_one_kind_of_provider_never_imports_another() -> None:
    wrong = []
    for room, path, tree in modules():
        inside = path.relative_to(PACKAGE).parts
        if room != "providers" or len(inside) < 3:
            continue
        kind = inside[1]
        for name in imports(tree):
            match = re.match(r"lti_bridge\.providers\.(\w+)", name)
            if match and (PACKAGE / "providers" / match[1]).is_dir() and match[1] != kind:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_flask_sql_and_http_stay_in_their_rooms() -> None:
    wrong = []
    for room, path, tree in modules():
        used = set(imports(tree))
        roots = {name.split(".")[0] for name in used}
        if "flask" in roots and room not in FLASK_ROOMS and not path.name.startswith("routes"):
            wrong.append(f"{path.relative_to(ROOT)} uses Flask")
        if (
            roots & SQL
            and room not in {"store", "bench"}
            and path.name not in {"queue.py", "postgres.py"}
        ):
            wrong.append(f"{path.relative_to(ROOT)} uses SQL")
        if used & HTTP and room not in {"net", "sandbox", "bench"}:
            allowed = (
                path.name == "receive13.py"
            )  # only to hand PyLTI1p3 something that cannot call
            if not allowed:
                wrong.append(f"{path.relative_to(ROOT)} makes HTTP calls")
    assert not wrong


def test_imports_stand_at_the_top_where_not_said_otherwise() -> None:
    inside = set()
    for room, path, tree in modules():
        functions = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)]
        late = any(name for function in functions for name in imports(function))
        if late and room not in LATE_ROOMS:
            inside.add(path.relative_to(PACKAGE).as_posix())
    assert inside == LATE


def test_the_sandbox_shares_no_code_with_the_bridge() -> None:
    for room, path, tree in modules():
        if room == "sandbox":
            ours = {name for name in imports(tree) if name.startswith("lti_bridge")}
            assert {room_of(name) for name in ours} <= {"sandbox"}, path


def test_modules_say_what_they_are_for_and_check_without_assert() -> None:
    for _room, path, tree in modules():
        assert ast.get_docstring(tree), f"{path} has no docstring"
        asserts = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
        assert not asserts, f"{path}:{asserts}: a check that python -O removes"


def test_functions_and_modules_stay_short() -> None:
    long = []
    for room, path, tree in modules():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_LINES and path.name not in TABLES:
            long.append(f"{path.relative_to(ROOT)}: {lines} lines")
        if room == "sandbox":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name != "blueprint":
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > MAX_FUNCTION:
                    long.append(f"{path.relative_to(ROOT)}:{node.name}: {length} lines")
    assert not long


def test_only_the_command_line_may_read_the_environment() -> None:
    allowed = {"settings.py"}
    for room, path, tree in modules():
        if room in {"sandbox", "bench"} or path.name in allowed:
            continue
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert "environ" not in names, path


@pytest.mark.spec("SECP-20")
def test_secrets_are_compared_in_constant_time() -> None:
    suspicious = re.compile(
        r"(?:==|!=)\s*[\w.]*(?:secret|signature|token|mac|digest|password)\b"
        r"|\b[\w.]*(?:secret|signature|_token|mac|digest|password)\s*(?:==|!=)(?!\s*(?:\"\"|''|None))"
    )
    found = []
    for room, path, _tree in modules():
        if room in {"sandbox", "bench"}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            code = line.split("#")[0]
            if suspicious.search(code):
                found.append(f"{path.relative_to(ROOT)}:{number}: {code.strip()}")
    assert not found


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in sorted((ROOT / "docs/decisions").glob("*.md"))]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
