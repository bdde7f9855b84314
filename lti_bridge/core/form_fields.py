"""A settings model as the fields of a form: labels, help, kinds of input, choices, defaults."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from lti_bridge.core.explanations import reasons

Control = Literal["text", "number", "checkbox", "select", "pairs", "moment", "fixed"]
MAX_TEXT = 4000  # characters of one field


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a form. `options` are values that can be chosen, `default` is text."""

    name: str
    label: str
    help: str
    control: Control
    required: bool
    default: str = ""
    options: tuple[str, ...] = ()


def fields_of(model: type[BaseModel]) -> tuple[Field, ...]:
    """The fields of a settings model, in its order. Secrets are not for forms and left out."""
    found = []
    for name, info in model.model_fields.items():
        inner = _inner(info.annotation)
        if inner is SecretStr:
            continue
        control, options = _control(inner)
        found.append(
            Field(
                name=name,
                label=info.title or name,
                help=info.description or "",
                control=control,
                required=info.is_required() and control not in ("checkbox", "pairs", "fixed"),
                default=options[0] if control == "fixed" else _default(info),
                options=options,
            )
        )
    return tuple(found)


def title_of(model: type[BaseModel]) -> str:
    """What a model sets up: the first line of its docstring."""
    return (model.__doc__ or model.__name__).strip().splitlines()[0].removesuffix(".")


def typed(fields: tuple[Field, ...], form: Mapping[str, str], prefix: str = "") -> dict[str, Any]:
    """What was typed into these fields: text, yes or no, and pairs by name.

    Pairs that cannot be read stay text, which no model takes for pairs.
    """
    found: dict[str, Any] = {}
    for field in fields:
        text = form.get(prefix + field.name, "")[:MAX_TEXT].strip()
        if field.control == "checkbox":
            found[field.name] = text == "true"
        elif field.control == "fixed":
            found[field.name] = field.default
        elif field.control == "pairs" and text:
            found[field.name] = _pairs(text)
        elif text:
            found[field.name] = text
    return found


def shown(fields: tuple[Field, ...], values: Mapping[str, Any]) -> dict[str, str]:
    """Values as the text that stands in the inputs; the opposite of `typed`."""
    return {field.name: _text(values.get(field.name, "")) for field in fields}


def problems(error: ValidationError, prefix: str = "") -> dict[str, str]:
    """What is wrong, by field; what is about no single field stands under an empty name."""
    found: dict[str, str] = {}
    for location, reason in reasons(error):
        name = prefix + str(location[0]) if location else ""
        more = f"{location[1]}: " if len(location) > 1 else ""
        found.setdefault(name, more + reason)
    return found


def _inner(annotation: Any) -> Any:
    """The type without Annotated and without None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _inner(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        rest = [part for part in get_args(annotation) if part is not type(None)]
        return _inner(rest[0]) if len(rest) == 1 else annotation
    return annotation


def _control(inner: Any) -> tuple[Control, tuple[str, ...]]:
    if get_origin(inner) is Literal:
        options = tuple(str(option) for option in get_args(inner))
        return ("fixed" if len(options) == 1 else "select"), options
    if get_origin(inner) is dict or inner is dict:
        return "pairs", ()
    plain: Mapping[Any, Control] = {
        bool: "checkbox",
        int: "number",
        float: "number",
        Decimal: "number",
        datetime: "moment",
    }
    return plain.get(inner, "text"), ()


def _default(info: FieldInfo) -> str:
    """What stands there at first: what the model says for forms, else its own default."""
    extra = info.json_schema_extra
    if isinstance(extra, dict) and "preset" in extra:
        return str(extra["preset"])
    if info.is_required() or info.default_factory is not None:
        return ""
    return _text(info.get_default())


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else ""
    if isinstance(value, Mapping):
        return "\n".join(f"{name} = {text}" for name, text in value.items())
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M")
    return str(value)


def _pairs(text: str) -> dict[str, str] | str:
    lines = [line.partition("=") for line in text.splitlines() if line.strip()]
    if not all(name.strip() and equals for name, equals, _ in lines):
        return text
    return {name.strip(): value.strip() for name, _, value in lines}
