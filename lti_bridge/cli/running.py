"""The commands that start something, and those that look at the whole."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from lti_bridge.cli.later import loading
from lti_bridge.cli.options import FAILED, config_option, json_option, settings_of, write_json
from lti_bridge.errors import ConfigurationError


@click.command()
@config_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
@click.option("--no-worker", is_flag=True, help="Deliver no grades here; run lti-bridge worker.")
def serve(config: Path, host: str, port: int, workers: int, no_worker: bool) -> None:
    """Serve the bridge; one worker that delivers grades runs inside."""
    with loading():
        from lti_bridge.assembly.bridge import start_log
        from lti_bridge.assembly.starting import started
        from lti_bridge.serving import open_port
        from lti_bridge.serving import serve as run

    with open_port(host, port) as listener:  # before anything else, which would change something
        settings = settings_of(config)
        start_log(settings)
        # a process that is forked from this one must find nothing open
        started(settings).close()
        run(settings, listener, workers=workers, with_worker=not no_worker)


@click.command()
@config_option
def worker(config: Path) -> None:
    """Deliver grades; any number of these may run at the same time."""
    with loading():
        from lti_bridge.assembly.bridge import start_log
        from lti_bridge.assembly.metrics import recorder_of
        from lti_bridge.assembly.starting import started
        from lti_bridge.worker import run

    settings = settings_of(config)
    start_log(settings)
    run(started(settings, recorder_of(settings)))


@click.command()
@config_option
def migrate(config: Path) -> None:
    """Bring the database to the newest schema."""
    with loading():
        from lti_bridge.assembly.bridge import build
        from lti_bridge.assembly.starting import prepare

    prepare(build(settings_of(config)))
    click.echo("The database is up to date.")


@click.group("config")
def configuration() -> None:
    """Look at the configuration."""


@configuration.command()
@config_option
def check(config: Path) -> None:
    """Check the configuration file without starting anything."""
    from lti_bridge.settings import Lms13Table, load, strangers

    settings = load(config)
    from lti_bridge.assembly.basics import http_client, now
    from lti_bridge.assembly.catalogue import Catalogue, unlimited
    from lti_bridge.assembly.lms import registration13
    from lti_bridge.lms.belonging import doubled
    from lti_bridge.providers.contract import Tools
    from lti_bridge.providers.registry import kinds

    catalogue = Catalogue(settings, lambda table: Tools(now, table.name), lambda name: "")
    known = [registration13(lms) for lms in settings.lms if isinstance(lms, Lms13Table)]
    try:
        http_client(settings.bridge)
    except ConfigurationError as error:
        raise ConfigurationError(f"{config}: {error.detail}") from error
    if problems := doubled(known):
        raise ConfigurationError("\n".join(f"{config}: {problem}" for problem in problems))
    click.echo(
        f"{config}: good. {len(settings.lms)} LMSs, {len(settings.connection)} connections, "
        f"{len(settings.activity)} activities."
    )
    for one in kinds().problems():
        click.echo(f"No connection can use this kind of provider: {one}.")
    for one in strangers(settings, {lms.name for lms in settings.lms}):
        click.echo(f"{one} is not in this file; it has to register itself by that name.")
    for one in unlimited(settings, catalogue):
        click.echo(f"{one}; they are asked before each. Write attempts = 1, or 0 to allow it.")


@click.command()
@config_option
@json_option
def doctor(config: Path, as_json: bool) -> None:
    """Look at everything the bridge depends on, and say what is wrong and what to do."""
    with loading():
        from lti_bridge.assembly.bridge import build
        from lti_bridge.doctor.examine import examine

    findings = list(examine(build(settings_of(config))))
    if as_json:
        write_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            sign = click.style("wrong", "red") if finding.remedy else click.style("good ", "green")
            click.echo(f"{sign}  {finding.what}: {finding.said}")
            if finding.remedy:
                click.echo(f"       {finding.remedy}")
    if any(finding.remedy for finding in findings):
        sys.exit(FAILED)


@click.command()
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
def demo(port: int) -> None:
    """Start a pretend LMS, a pretend provider and the bridge, and print the address to open."""
    from lti_bridge.demo import run

    run(port)


@click.command()
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(0.5, 600))
@click.option("--connections", default=8, show_default=True, type=click.IntRange(1, 256))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100))
@click.option("--size", default=0, help="Measure again with this many rows in each table.")
@click.option("--database", default="", help="An empty PostgreSQL database; without it, SQLite.")
@click.option(
    "--against",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Another checkout, whose build is measured in turns with this one.",
)
@click.option(
    "--growth",
    is_flag=True,
    help="Measure with 7,500 rows and with --size (1,000,000) in turns: what growing costs.",
)
@json_option
def bench(
    seconds: float,
    connections: int,
    rounds: int,
    size: int,
    database: str,
    against: Path | None,
    growth: bool,
    as_json: bool,
) -> None:
    """Measure launches and grades per second, beside a floor of the same run."""
    from lti_bridge.bench import growth as growing
    from lti_bridge.bench.against import compare
    from lti_bridge.bench.report import table
    from lti_bridge.bench.run import Options, measure

    options = Options(seconds, connections, rounds, size, database)

    def tell(line: str) -> None:
        click.echo(line, err=True)

    if growth and against:
        raise click.UsageError("--growth and --against are two different measurements")
    if growth:
        found = growing.measure(options, tell)
        text = "\n".join(growing.lines(found))
    else:
        found = compare(options, against, tell) if against else measure(options, tell)
        text = table(found)
    click.echo(json.dumps(found, indent=2) if as_json else text)
