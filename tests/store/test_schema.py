"""The schema that is declared and the one that the migrations make are one schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Engine,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    text,
)

from lti_bridge.store.engine import Database
from lti_bridge.store.learners import FORGET
from lti_bridge.store.schema import METADATA
from tests.conftest import fresh_database

VERSIONS = "alembic_version"  # Alembic's own
Schema = Mapping[str, Mapping[str, Any]]


@pytest.fixture
def migrated(database_url: str) -> Iterator[Engine]:
    """A database as the migrations make it."""
    database = Database(database_url)
    yield database.engine
    database.close()


@pytest.fixture
def empty(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without tables."""
    if engine == "sqlite":
        database = Database(f"sqlite:///{tmp_path}/declared.sqlite3")
        yield database.engine
        database.close()
        return
    with fresh_database(request.getfixturevalue("postgres"), migrated=False) as url:
        database = Database(url)
        yield database.engine
        database.close()


def schema_of(connection: Connection) -> Schema:
    """All that a database knows of its tables, in one order, whatever made them."""
    found = inspect(connection)
    return {
        name: {
            "columns": {
                one["name"]: (str(one["type"]), one["nullable"], one["default"])
                for one in found.get_columns(name)
            },
            "key": found.get_pk_constraint(name)["constrained_columns"],
            "foreign keys": _sorted(found.get_foreign_keys(name)),
            "unique": _sorted(found.get_unique_constraints(name)),
            "indexes": _sorted(
                one for one in found.get_indexes(name) if "duplicates_constraint" not in one
            ),
            "checks": _sorted(found.get_check_constraints(name)),
        }
        for name in found.get_table_names()
        if name != VERSIONS
    }


def differences(one: Schema, other: Schema) -> set[tuple[str, str]]:
    """In which tables the two differ, and in what: "table" for one that only one has."""
    alone = {(name, "table") for name in one.keys() ^ other.keys()}
    both = one.keys() & other.keys()
    return alone | {
        (name, part) for name in both for part in one[name] if one[name][part] != other[name][part]
    }


def _sorted(parts: Any) -> list[str]:
    return sorted(str({key: _plain(one[key]) for key in sorted(one)}) for one in parts)


def _plain(value: Any) -> Any:
    # the condition of a partial index is a clause, and only texts compare
    return {key: str(one) for key, one in value.items()} if isinstance(value, dict) else value


def declared(empty: Engine, metadata: MetaData) -> Schema:
    """The schema of a database that the declaration makes."""
    with empty.begin() as connection:
        metadata.create_all(connection)
        return schema_of(connection)


def made(migrated: Engine) -> Schema:
    """The schema that the migrations make."""
    with migrated.begin() as connection:
        return schema_of(connection)


def test_the_migrations_and_the_declaration_agree(migrated: Engine, empty: Engine) -> None:
    assert differences(made(migrated), declared(empty, METADATA)) == set()
    with migrated.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


MORE = {
    ("learners", "columns"): "ALTER TABLE learners ADD COLUMN born TEXT",
    ("spare", "table"): "CREATE TABLE spare (id TEXT PRIMARY KEY)",
    ("grades", "indexes"): "CREATE INDEX more ON grades (user_id, id)",
    ("launches", "indexes"): "CREATE INDEX others ON launches (id) WHERE received_at > 1",
    ("links", "indexes"): "CREATE UNIQUE INDEX yet_others ON links (activity_id)",
    ("results", "columns"): "ALTER TABLE results ADD COLUMN more TEXT CHECK (more <> '')",
    ("results", "checks"): "",
    ("owners", "columns"): "ALTER TABLE owners ADD COLUMN more TEXT REFERENCES links (id)",
    ("owners", "foreign keys"): "",
}


def test_more_in_the_database_is_seen(migrated: Engine, empty: Engine) -> None:
    with migrated.begin() as connection:
        for statement in filter(None, MORE.values()):
            connection.execute(text(statement))
    assert differences(made(migrated), declared(empty, METADATA)) == MORE.keys()


def other_declaration() -> tuple[MetaData, set[tuple[str, str]]]:
    """The declaration, differing in every way, each in another table, and the differences."""
    other = MetaData()
    for table in METADATA.sorted_tables:
        table.to_metadata(other)
    tables = other.tables
    tables["learners"].append_column(Column("born", Text))
    Index("more", tables["results"].c.source, tables["results"].c.id)
    to_poll = next(one for one in tables["attempts"].indexes if one.name == "attempts_to_poll")
    for engine in ("sqlite", "postgresql"):
        to_poll.dialect_options[engine]["where"] = text("poll_at > 0")
    tables["owners"].append_constraint(UniqueConstraint("what", "created_at"))
    tables["counters"].append_constraint(CheckConstraint("value >= 0"))
    tables["purchases"].append_constraint(ForeignKeyConstraint(["attempt_id"], ["attempts.id"]))
    tables["grades"].c.family.server_default = None
    tables["launches"].c.return_url.nullable = True
    tables["tools"].c.state.type = tables["grades"].c.tries.type
    other.remove(tables["rosters"])
    keys = ("context_id", "registration", "deployment_id")
    columns = [Column(name, Text, primary_key=True, nullable=False) for name in keys]
    Table("rosters", other, *columns, Column("url", Text, nullable=False))
    other.remove(tables["tool_choices"])
    return other, {
        ("learners", "columns"),
        ("results", "indexes"),
        ("attempts", "indexes"),
        ("owners", "unique"),
        ("counters", "checks"),
        ("purchases", "foreign keys"),
        ("grades", "columns"),
        ("launches", "columns"),
        ("tools", "columns"),
        ("rosters", "key"),
        ("tool_choices", "table"),
    }


def test_more_and_other_in_the_declaration_is_seen(migrated: Engine, empty: Engine) -> None:
    other, seen = other_declaration()
    assert differences(made(migrated), declared(empty, other)) == seen


def test_every_table_says_what_a_row_is() -> None:
    assert [one.name for one in METADATA.tables.values() if not one.info["meaning"]] == []


def test_forgetting_a_learner_thinks_of_every_table_that_names_one() -> None:
    naming = {
        table.name
        for table in METADATA.tables.values()
        if any(key.target_fullname == "learners.id" for key in table.foreign_keys)
    }
    freed_by_the_core = {"owners"}  # with what their providers have forgotten
    said = " ".join(FORGET.values())
    assert {name for name in naming if f" {name} WHERE" not in said.replace(" SET", " WHERE")} == (
        freed_by_the_core
    )
