"""What a start with a current schema costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
START = """
import sys
from lti_bridge.store.engine import Database, reachable

database = Database(sys.argv[1])
database.migrate()
print(reachable(database), "alembic" in sys.modules)
database.close()
"""


def start(url: str) -> str:
    """Whether there is a schema after a start, and whether it took the tool for migrations."""
    command = [sys.executable, "-c", START, url]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_only_a_schema_that_is_not_current_is_migrated(empty_database_url: str) -> None:
    assert start(empty_database_url).split() == ["True", "True"]
    assert start(empty_database_url).split() == ["True", "False"]
