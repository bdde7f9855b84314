"""Writes the tables of docs/architecture.md that follow from the code."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.test_house import MAY_IMPORT, PACKAGE, ROOT

PAGE = ROOT / "docs/architecture.md"


def import_table() -> str:
    """Which room may import which."""
    lines = ["| room | may import |", "|---|---|"]
    for room, may in MAY_IMPORT.items():
        lines.append(f"| `{room}` | {', '.join(f'`{other}`' for other in sorted(may)) or '–'} |")
    return "\n".join(lines)


def module_table() -> str:
    """Every module with the first line of its docstring; the sandbox has a page of its own."""
    lines = ["| module | what it is |", "|---|---|"]
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.relative_to(PACKAGE)
        if inside.parts[0] == "sandbox" or "migrations" in inside.parts:
            continue
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        if path.name != "__init__.py" or inside.parts[:-1] or said:
            lines.append(f"| `{inside}` | {(said or '').splitlines()[0] if said else ''} |")
    return "\n".join(lines)


def written(page: str) -> str:
    """The page with both tables as they are now."""
    for name, table in (("imports", import_table()), ("modules", module_table())):
        before, _, rest = page.partition(f"<!-- {name} -->")
        after = rest.partition("<!-- end -->")[2]
        page = f"{before}<!-- {name} -->\n{table}\n<!-- end -->{after}"
    return page


if __name__ == "__main__":
    Path(PAGE).write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
