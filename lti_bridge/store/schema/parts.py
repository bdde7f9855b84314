"""What tables are declared with. Columns are filled in every row unless they are `nullable`."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

METADATA = sa.MetaData()


def table(name: str, meaning: str, *parts: Any) -> sa.Table:
    """A table; `meaning` says what a row is."""
    return sa.Table(name, METADATA, *parts, info={"meaning": meaning})


def text(name: str, meaning: str = "", default: str | None = None, **more: Any) -> Any:
    """A text; `to` names the column whose values it has."""
    return _column(name, sa.Text, meaning, default, more)


def key(name: str, meaning: str = "", **more: Any) -> Any:
    """A text that tells rows apart, alone or with the other keys of its table in their order."""
    return text(name, meaning, primary_key=True, **more)


def json(name: str, meaning: str, default: str | None = None) -> Any:
    """A text that is JSON."""
    return text(name, meaning, default)


def number(name: str, meaning: str = "", default: str | None = None, **more: Any) -> Any:
    """A small whole number."""
    return _column(name, sa.Integer, meaning, default, more)


def counted(name: str, meaning: str) -> Any:
    """A whole number that tells rows apart, and that the database counts up itself."""
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # there it is the row's own number
    return sa.Column(name, kind, primary_key=True, autoincrement=True, doc=meaning)


def flag(name: str, meaning: str, default: str | None = None) -> Any:
    """1 for yes, 0 for no."""
    return number(name, meaning, default)


def time(name: str, meaning: str = "", default: str | None = None, **more: Any) -> Any:
    """A time in milliseconds since 1970, in UTC."""
    return _column(name, sa.BigInteger, meaning, default, more)


def score(prefix: str = "") -> tuple[Any, Any]:
    """The two columns of a score, both empty where there is none."""
    return (
        text(f"{prefix}given", "an exact decimal", nullable=True),
        text(f"{prefix}maximum", "an exact decimal above zero", nullable=True),
    )


def index(name: str, *columns: str, where: str = "", unique: bool = False) -> sa.Index:
    """An index of all rows, or of those `where` that is so."""
    only: dict[str, Any] = {}
    if where:
        only = {"sqlite_where": sa.text(where), "postgresql_where": sa.text(where)}
    return sa.Index(name, *columns, unique=unique, **only)


def _column(name: str, kind: Any, meaning: str, default: str | None, more: dict[str, Any]) -> Any:
    to, on_delete = more.pop("to", None), more.pop("on_delete", None)
    keys = (sa.ForeignKey(to, ondelete=on_delete),) if to else ()
    more.setdefault("nullable", False)
    return sa.Column(name, kind, *keys, doc=meaning, server_default=default, **more)
