"""Starts tools of others as processes of their own, where what they need is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.flow.world import ROOT, free_port

FOLDER = Path(__file__).parent / "node"
PYLTI = Path(__file__).parent / "pylti"


@contextmanager
def node_tool(script: str, *arguments: str, port: int = 0) -> Iterator[str]:
    """The address of a running tool. Skips, and says why, where Node.js is missing."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    if not (FOLDER / "node_modules").is_dir():
        pytest.skip("its packages are not installed: make node")
    port = port or free_port()
    with _running(["node", script, str(port), *arguments], FOLDER):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def pylti_tool(*arguments: str) -> Iterator[str]:
    """The address of a running tool made of PyLTI, whose packages are in a folder of their own."""
    packages = ROOT / "build" / "pylti"
    if not packages.is_dir():
        pytest.skip("its packages are not installed: make pylti")
    port = free_port()
    command = [sys.executable, "pylti_tool.py", str(port), *arguments]
    with _running(command, PYLTI, PYTHONPATH=str(packages)):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _running(command: list[str], folder: Path, **environment: str) -> Iterator[None]:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said, is_ready = [], False
        for line in process.stdout or ():
            said.append(line)
            if is_ready := line.strip() == "ready":
                break
        assert is_ready, f"the tool ended with {process.wait(timeout=60)}: {said}"
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)
