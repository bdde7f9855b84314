"""Groups of commands that are imported when they are called, and how they load what they need."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click


@contextmanager
def loading() -> Iterator[None]:
    """While much is imported: none of it is garbage, and looking for some takes a tenth."""
    looked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looked:
            gc.enable()


class LaterGroup(click.Group):
    """A group that knows of its commands only what its own help says of them.

    `later` has them by name: where each is, as module:attribute, and how its help begins.
    """

    def __init__(self, *arguments: Any, later: Mapping[str, tuple[str, str]], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._places = {name: place for name, (place, _said) in later.items()}
        for name, (_place, said) in later.items():
            self.add_command(click.Command(name, help=said))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself, imported now."""
        place = self._places.pop(cmd_name, "")
        if place:
            module, _, attribute = place.partition(":")
            self.add_command(getattr(import_module(module), attribute), cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands as click does, without importing them."""
        click.Group(commands=self.commands).format_commands(ctx, formatter)
