"""The command line: one command is one call."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import click

from lti_bridge import __version__, log
from lti_bridge.app import build, now
from lti_bridge.errors import BridgeError
from lti_bridge.keyring import Keyring, KeyRow, Role
from lti_bridge.settings import Settings, load
from lti_bridge.store import grades

FAILED = 1
config_option = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("config.toml"),
    show_default=True,
    help="The configuration file. Without a config.toml, serve uses defaults.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for scripts.")


class _Commands(click.Group):
    """Shows a named failure as one readable message, and exits with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BridgeError as error:
            click.echo(error.detail or error.sentence, err=True)
            click.echo(error.remedy, err=True)
            sys.exit(FAILED)


@click.group(cls=_Commands)
@click.version_option(__version__, prog_name="lti-bridge")
def main() -> None:
    """A course link in any LMS opens a test at a provider, and the grade comes back."""


@main.command()
@config_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
@click.option("--no-worker", is_flag=True, help="Deliver no grades here; run lti-bridge worker.")
def serve(config: Path, host: str, port: int, workers: int, no_worker: bool) -> None:
    """Serve the bridge; one worker that delivers grades runs inside."""
    from lti_bridge.serving import serve as run

    settings = _settings(config)
    _start_log(settings)
    _prepare(settings)
    run(config, host=host, port=port, workers=workers, with_worker=not no_worker)


@main.command()
@config_option
@click.option("--with-parent", is_flag=True, hidden=True)
def worker(config: Path, with_parent: bool) -> None:
    """Deliver grades; any number of these may run at the same time."""
    from lti_bridge.worker import run

    settings = _settings(config)
    _start_log(settings)
    run(_prepare(settings), with_parent=with_parent)


@main.command()
@config_option
def migrate(config: Path) -> None:
    """Bring the database to the newest schema."""
    bridge = build(_settings(config))
    bridge.store.database.migrate()
    click.echo("The database is up to date.")


@main.group()
def config() -> None:
    """Look at the configuration."""


@config.command()
@config_option
def check(config: Path) -> None:
    """Check the configuration file without starting anything."""
    settings = load(config)
    from lti_bridge.catalogue import Catalogue
    from lti_bridge.providers.contract import Tools

    tools = Tools(now, lambda: "", settings.bridge.public_url, settings.bridge.name)
    Catalogue(settings, lambda table: tools, lambda name: "")
    click.echo(
        f"{config}: good. {len(settings.lms)} LMSs, {len(settings.connection)} connections, "
        f"{len(settings.activity)} activities."
    )


@main.group()
def keys() -> None:
    """The keys by which the bridge signs."""


@keys.command("list")
@config_option
@json_option
def keys_list(config: Path, as_json: bool) -> None:
    """List the keys of both roles."""
    keyring = _keyring(config)
    rows = [{**asdict(row), "use": _use(keyring, row)} for row in keyring.list()]
    if as_json:
        click.echo(json.dumps(rows, default=str, indent=2))
        return
    for row in rows:
        click.echo("{role:9} {use:9} {kid}  made {created_at:%Y-%m-%d %H:%M} UTC".format(**row))


@keys.command("rotate")
@config_option
@click.option("--role", type=click.Choice(["tool", "platform"]), default="tool", show_default=True)
def keys_rotate(config: Path, role: Role) -> None:
    """Make a new key: published at once, used in an hour, the old one kept for 30 days."""
    _keyring(config).rotate(role, now())
    click.echo(f"A new {role} key is published; it signs in one hour.")


@main.group()
def results() -> None:
    """Grades, and how far they got on their way to the LMS."""


@results.command("list")
@config_option
@click.option("--stuck", is_flag=True, help="Only grades that wait for a person.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@json_option
def results_list(config: Path, stuck: bool, limit: int, as_json: bool) -> None:
    """List grades, the newest first. Learners are named by the LMS's own ids."""
    rows = grades.list_grades(build(_settings(config)).store.database, stuck=stuck, limit=limit)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(
            "{changed_at}  {delivery:9}  {grade:>12}  {registration}  user {user}".format(**row)
        )
        if row["reason"]:
            click.echo(f"    {row['id']}  {row['reason']}")
    if not rows:
        click.echo("None.")


@results.command("resend")
@config_option
@click.option("--stuck", is_flag=True, help="All grades that wait for a person.")
@click.argument("ids", nargs=-1)
def results_resend(config: Path, stuck: bool, ids: tuple[str, ...]) -> None:
    """Send grades again: those named by IDS (see results list --json), or all --stuck ones."""
    if not ids and not stuck:
        raise click.UsageError("name grades by their ids, or give --stuck")
    bridge = build(_settings(config))
    count = grades.resend(bridge.store.database, ids, stuck=stuck, now=now())
    bridge.waker.sweep_now()
    click.echo(f"{count} grades are on their way again.")
    if not count:
        sys.exit(FAILED)


@main.command()
@config_option
@json_option
def doctor(config: Path, as_json: bool) -> None:
    """Look at everything the bridge depends on, and say what is wrong and what to do."""
    from lti_bridge.doctor import examine

    findings = list(examine(build(_settings(config))))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            sign = click.style("wrong", "red") if finding.remedy else click.style("good ", "green")
            click.echo(f"{sign}  {finding.what}: {finding.said}")
            if finding.remedy:
                click.echo(f"       {finding.remedy}")
    if any(finding.remedy for finding in findings):
        sys.exit(FAILED)


@main.command()
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
def demo(port: int) -> None:
    """Start a pretend LMS, a pretend provider and the bridge, and print the address to open."""
    from lti_bridge.demo import run

    run(port)


@main.command()
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(0.5, 600))
@click.option("--connections", default=8, show_default=True, type=click.IntRange(1, 256))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100))
@click.option("--size", default=0, help="Measure again with this many rows in each table.")
@click.option("--database", default="", help="An empty PostgreSQL database; without it, SQLite.")
@json_option
def bench(
    seconds: float, connections: int, rounds: int, size: int, database: str, as_json: bool
) -> None:
    """Measure launches and grades per second, beside a floor of the same run."""
    from lti_bridge.bench.report import table
    from lti_bridge.bench.run import Options, measure

    options = Options(seconds, connections, rounds, size, database)
    found = measure(options, lambda line: click.echo(line, err=True))
    click.echo(json.dumps(found, indent=2) if as_json else table(found))


def _settings(path: Path) -> Settings:
    if path == Path("config.toml") and not path.exists():
        return Settings()
    return load(path)


def _keyring(path: Path) -> Keyring:
    return Keyring.open(Path(_settings(path).bridge.keys_dir), now)


def _use(keyring: Keyring, row: KeyRow) -> str:
    if row.kid == keyring.signing(cast(Role, row.role)).kid:
        return "current"
    if row.signs_from > now():
        return "next"
    return "previous" if row.published(now()) else "retired"


def _start_log(settings: Settings) -> None:
    log.configure(settings.bridge.log_level, json=settings.bridge.log_format == "json")


def _prepare(settings: Settings) -> Any:
    bridge = build(settings)
    bridge.store.database.migrate()
    return bridge
