"""Builds the wheel (PEP 517, PEP 427) with the standard library alone."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def build_wheel(folder: str, config: Any = None, metadata: Any = None) -> str:
    """Write the wheel into the folder; its name."""
    told = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = f"{told['name'].replace('-', '_')}-{told['version']}"
    groups = told["entry-points"].items()
    wanted = {
        "METADATA": f"Metadata-Version: 2.1\nName: {told['name']}\nVersion: {told['version']}\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "entry_points.txt": "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
            for group, points in groups
        ),
    }
    files = {f"{base}.dist-info/{name}": content for name, content in wanted.items()}
    for path in (HERE / "acme_bridge").glob("*.py"):
        files[f"acme_bridge/{path.name}"] = path.read_text(encoding="utf-8")
    record = f"{base}.dist-info/RECORD"
    files[record] = "".join(f"{name},,\n" for name in (*files, record))
    with zipfile.ZipFile(Path(folder, f"{base}-py3-none-any.whl"), "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)
    return f"{base}-py3-none-any.whl"
