"""Commands are imported when they are called; what their groups say of them is what they say."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from lti_bridge import cli
from lti_bridge.cli import purging, registrations, tools
from tests.costs import cost_s

LONG = 1000  # characters, for a sentence that is not cut
GROUPS = {
    "lti-bridge": cli.COMMANDS,
    "registrations": registrations.LATER,
    "tools": tools.LATER,
}
LATER = [(group, name) for group, commands in GROUPS.items() for name in commands]
ALMOST_BARE = "import click"
TIMES = 3  # a bare interpreter with click
TRIES = 8  # for a machine that is busy


@pytest.mark.parametrize(("group", "name"), LATER)
def test_a_group_says_of_a_command_what_the_command_says(group: str, name: str) -> None:
    place, said = GROUPS[group][name]
    module, _, attribute = place.partition(":")
    command = getattr(import_module(module), attribute)
    assert command.name == name
    assert command.get_short_help_str(LONG) == said


def test_all_are_listed_in_order_and_a_mistyped_one_is_guessed() -> None:
    runner = CliRunner()
    listed = runner.invoke(cli.main, ["--help"]).output.partition("Commands:")[2]
    names = [line.split()[0] for line in listed.splitlines() if line[2:3].strip()]
    assert names == sorted(cli.COMMANDS)
    wrong = runner.invoke(cli.main, ["registration"])
    assert (wrong.exit_code, "registrations" in wrong.output) == (2, True)


def test_a_command_is_the_same_each_time_it_is_asked_for() -> None:
    context = click.Context(cli.main)
    found = [cli.main.get_command(context, "purge") for _ in range(2)]
    assert found == [purging.purge] * 2
    assert cli.main.get_command(context, "nothing") is None


def test_the_list_of_commands_imports_none_of_them() -> None:
    said = "import sys; from lti_bridge.cli import main; main(['--help'], standalone_mode=False)"
    shown = "; print(*(one for one in sys.modules if one.startswith('lti_bridge.cli.')))"
    done = subprocess.run([sys.executable, "-c", said + shown], capture_output=True, check=True)
    loaded = {one.rpartition(".")[2] for one in done.stdout.decode().splitlines()[-1].split()}
    assert loaded == {"later", "options"}


@pytest.mark.skipif(sys.platform == "win32", reason="nobody tells what a process has used")
@pytest.mark.parametrize("name", ["", *cli.COMMANDS])
def test_help_costs_little_more_than_an_interpreter(name: str) -> None:
    seen = []
    for _ in range(TRIES):
        words = [name] if name else []
        seen.append(cost_s("-m", "lti_bridge", *words, "--help") / cost_s("-c", ALMOST_BARE))
        if seen[-1] <= TIMES:
            return
    raise AssertionError(f"{name}: {seen}")
