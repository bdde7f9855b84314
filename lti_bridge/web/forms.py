"""The inputs of an instructor's form as plain data for the template, and what was sent of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lti_bridge.core.attempt.provider import Choice
from lti_bridge.core.course.placements import SETTING, TERMS, Draft
from lti_bridge.core.form_fields import Field

PICKED = "pick."  # before the name of a setting that was chosen from the provider's list


@dataclass(frozen=True, slots=True)
class Input:
    """One labelled input. `options` are values with labels; `listed` those of the provider.

    `value` is what was typed; `typed` the same, but empty when the list holds it.
    """

    name: str
    field: Field
    value: str
    error: str
    options: tuple[tuple[str, str], ...] = ()
    listed: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        """Its id on the page."""
        return "in-" + self.name.replace(".", "-")

    @property
    def typed(self) -> str:
        """What stands in the text input beside a list."""
        return "" if self.value in dict(self.listed) else self.value


def inputs(draft: Draft, choices: Iterable[Choice]) -> tuple[list[Input], list[Input], list[Input]]:
    """The inputs of a form: terms of every activity, then its settings, needed and others."""
    listed: dict[str, list[tuple[str, str]]] = {}
    for one in choices:
        listed.setdefault(one.setting, []).append((one.value, one.label))
    terms = [_input(draft, one, "", ()) for one in TERMS]
    settings = [
        _input(draft, one, SETTING, tuple(listed.get(one.name, ())))
        for one in draft.fields
        if one.control != "fixed"
    ]
    needed = [one for one in settings if one.field.required or one.listed]
    return terms, needed, [one for one in settings if one not in needed]


def sent(form: Mapping[str, str]) -> dict[str, str]:
    """The fields of a form; what was typed beside a list comes before what was picked from it."""
    found = dict(form)
    for name, value in form.items():
        if name.startswith(PICKED):
            typed = SETTING + name.removeprefix(PICKED)
            found[typed] = found.get(typed, "").strip() or value
    return found


def _input(draft: Draft, field: Field, prefix: str, listed: tuple[tuple[str, str], ...]) -> Input:
    name = prefix + field.name
    return Input(
        name=name,
        field=field,
        value=draft.values.get(name, ""),
        error=draft.problems.get(name, ""),
        options=tuple((one, one) for one in field.options),
        listed=listed,
    )
