"""The command line: one command is one call, one module one group of commands.

A module here imports at its top what its help needs; what only one of its commands needs, that
command imports, so that no other waits for it.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from lti_bridge import __version__
from lti_bridge.cli.later import LaterGroup
from lti_bridge.cli.options import FAILED
from lti_bridge.errors import BridgeError, ConfigurationError

COMMANDS = {  # by name: where it is, and the first sentence of its help
    "admin": ("lti_bridge.cli.admin:admin", "Who may see the pages for administrators."),
    "alerts": (
        "lti_bridge.cli.alerts:alerts",
        "What operators are told of by mail and web hook: what is open, and whether it gets there.",
    ),
    "attempts": (
        "lti_bridge.cli.attempts:attempts",
        "Attempts at tests: how they stand, and those that need a person.",
    ),
    "bench": (
        "lti_bridge.cli.running:bench",
        "Measure launches and grades per second, beside a floor of the same run.",
    ),
    "config": ("lti_bridge.cli.running:configuration", "Look at the configuration."),
    "connections": ("lti_bridge.cli.connections:connections", "Accounts at providers."),
    "courses": (
        "lti_bridge.cli.courses:courses",
        "What LMSs call their courses, and which were copied from which.",
    ),
    "demo": (
        "lti_bridge.cli.running:demo",
        "Start a pretend LMS, a pretend provider and the bridge, and print the address to open.",
    ),
    "doctor": (
        "lti_bridge.cli.running:doctor",
        "Look at everything the bridge depends on, and say what is wrong and what to do.",
    ),
    "grades": (
        "lti_bridge.cli.grades:grades",
        "Single grades, from a provider's word to what the gradebook shows.",
    ),
    "keys": ("lti_bridge.cli.keys:keys", "The keys by which the bridge signs."),
    "launches": (
        "lti_bridge.cli.launches:launches",
        "Clicks, messages and grades, and what became of each; kept as [journal] says.",
    ),
    "learners": (
        "lti_bridge.cli.learners:learners",
        "Learners, named by their LMS (the name of its [[lms]]) and its own user id.",
    ),
    "migrate": ("lti_bridge.cli.running:migrate", "Bring the database to the newest schema."),
    "owners": (
        "lti_bridge.cli.owners:owners",
        "Candidates and tests at providers: each belongs to one learner.",
    ),
    "purge": (
        "lti_bridge.cli.purging:purge",
        "Delete what is older than the configuration lets it be; workers do it every minute.",
    ),
    "registrations": (
        "lti_bridge.cli.registrations:registrations",
        "The LMSs that may launch.",
    ),
    "results": (
        "lti_bridge.cli.results:results",
        "Grades, and how far they got on their way to the LMS.",
    ),
    "sandbox": (
        "lti_bridge.cli.sandbox:sandbox",
        "Start a pretend LMS, pretend tools and providers without a bridge, until Ctrl-C.",
    ),
    "serve": (
        "lti_bridge.cli.running:serve",
        "Serve the bridge; one worker that delivers grades runs inside.",
    ),
    "tools": (
        "lti_bridge.cli.tools:tools",
        "LTI 1.3 tools that register themselves, as connections.",
    ),
    "worker": (
        "lti_bridge.cli.running:worker",
        "Deliver grades; any number of these may run at the same time.",
    ),
}


class _Commands(LaterGroup):
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


@click.group(cls=_Commands, later=COMMANDS)
@click.version_option(__version__, prog_name="lti-bridge")
def main() -> None:
    """A course link in any LMS opens a test at a provider, and the grade comes back."""
