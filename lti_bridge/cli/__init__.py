"""The command line: one command is one call, one module one group of commands."""

from __future__ import annotations

import sys
from typing import Any

import click

from lti_bridge import __version__
from lti_bridge.cli import (
    alerts,
    attempts,
    connections,
    corrections,
    courses,
    keys,
    launches,
    learners,
    owners,
    purging,
    registrations,
    results,
    running,
    sandbox,
    tools,
)
from lti_bridge.cli.options import FAILED
from lti_bridge.errors import BridgeError, ConfigurationError


class _Commands(click.Group):
    """Shows a named failure as one readable message, and exits with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BridgeError as error:
            _say(error)
            sys.exit(FAILED)


def _say(error: BridgeError) -> None:
    """What an administrator has to know; `sentence` and `remedy` are mostly for students."""
    click.echo(error.detail or error.sentence, err=True)
    if isinstance(error, ConfigurationError):
        click.echo(error.remedy, err=True)
    else:
        click.echo(f"({error.code}: docs/errors.md says what to do about it)", err=True)


@click.group(cls=_Commands)
@click.version_option(__version__, prog_name="lti-bridge")
def main() -> None:
    """A course link in any LMS opens a test at a provider, and the grade comes back."""


registrations.registrations.add_command(corrections.set_facts)
tools.tools.add_command(corrections.set_keys)
for command in (
    running.serve,
    running.worker,
    running.migrate,
    running.configuration,
    keys.keys,
    connections.connections,
    launches.launches,
    attempts.attempts,
    owners.owners,
    alerts.alerts,
    results.results,
    registrations.registrations,
    courses.courses,
    tools.tools,
    learners.learners,
    purging.purge,
    running.doctor,
    running.demo,
    sandbox.sandbox,
    running.bench,
):
    main.add_command(command)
