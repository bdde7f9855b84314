"""Starts the Node.js tools of tests/counterparts/node, where Node.js and its packages are."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.flow.world import free_port

FOLDER = Path(__file__).parent / "node"


@contextmanager
def node_tool(script: str, *arguments: str, port: int = 0) -> Iterator[str]:
    """The address of a running tool. Skips, and says why, where Node.js is missing."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    if not (FOLDER / "node_modules").is_dir():
        pytest.skip("its packages are not installed: make node")
    port = port or free_port()
    process = subprocess.Popen(
        ["node", script, str(port), *arguments],
        cwd=FOLDER,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said = list(_until_ready(process))
        assert process.poll() is None, said
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=60)


def _until_ready(process: subprocess.Popen[str]) -> Iterator[str]:
    for line in process.stdout or ():
        if line.strip() == "ready":
            return
        yield line
