"""The configured connections and activities, built once from the settings."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.explanations import explain
from lti_bridge.core.launch.variables import unknown
from lti_bridge.core.records import Activity
from lti_bridge.core.snapshots import LOOK_AGAIN_S, LOOK_EVERY_S, Watched
from lti_bridge.core.tool.registration import Credentials, ToolRegistration
from lti_bridge.errors import ConfigurationError, LinkSettingsRefused, NotConfigured
from lti_bridge.lti.custom_names import by_custom_names, custom_collisions
from lti_bridge.providers.contract import TOOL_PREFIX, Kind, Tools
from lti_bridge.providers.registry import kinds
from lti_bridge.settings import ActivityTable, ConnectionTable, Settings, validated

log = logging.getLogger("lti_bridge.assembly.catalogue")


class StoredTools(Protocol):
    """The connections of the database: LTI tools that registered themselves."""

    def version(self) -> int | None:
        """Rises with every change, 0 before the first; None when the database does not answer."""

    def active(self) -> list[Mapping[str, Any]]:
        """What `[[connection]]` would say of each."""


class _Nothing:
    """No database."""

    def version(self) -> int | None:
        return 0

    def active(self) -> list[Mapping[str, Any]]:
        return []


@dataclass(frozen=True, slots=True)
class _Made:
    """One connection with its kind and settings, and its tool where it is one of LTI 1.3."""

    kind: Kind
    settings: Any
    connection: Connection
    tool: ToolRegistration | None


@dataclass(frozen=True, slots=True)
class _Known:
    """All connections by name, and LTI 1.3 tools by client id; replaced as a whole."""

    made: dict[str, _Made] = field(default_factory=dict)
    tools: dict[str, ToolRegistration] = field(default_factory=dict)

    def add(self, made: _Made) -> None:
        """Take a connection in. Raises ConfigurationError when another has its client id."""
        name, tool = made.connection.name, made.tool
        if tool is not None and self.tools.setdefault(tool.client_id, tool) is not tool:
            raise ConfigurationError(
                f"connection {name!r}: client_id: another connection has the same one"
            )
        self.made[name] = made


class Catalogue:
    """The core's Catalogue of one configuration file, and of the tools of the database.

    `tools` makes what a connection's provider gets from the bridge, `make_token` the hook token
    of a connection without one. Raises ConfigurationError, listing all problems, when a
    connection's or an activity's settings do not fit its kind of provider; a connection of the
    database that does not fit is left out, and the file wins.
    """

    def __init__(
        self,
        settings: Settings,
        tools: Callable[[ConnectionTable], Tools],
        make_token: Callable[[str], str],
        stored: StoredTools | None = None,
    ) -> None:
        self._tools = tools
        self._make_token = make_token
        self._stored = stored or _Nothing()
        self._file = _Known()
        self._watched = Watched(self._stored.version, self._look, self._file, time.monotonic)
        self._activities: dict[str, Activity] = {}
        self.consumers: dict[str, list[tuple[str, Credentials]]] = {}
        self._inline = frozenset(lms.name for lms in settings.lms if lms.inline)
        steps = [
            *(partial(self._connect, table) for table in settings.connection),
            *(partial(self._add, table) for table in settings.activity),
        ]
        problems = []
        for step in steps:
            try:
                step()
            except ConfigurationError as error:
                problems.append(error.detail)
        problems = problems or list(self._built_on_nothing())
        if problems:
            raise ConfigurationError("\n".join(problems))

    def connection(self, name: str) -> Connection:
        """The connection of that name; NotConfigured when there is none."""
        return self._of(name).connection

    def connections(self) -> list[Connection]:
        """All connections, in the order of the file; then those of the database."""
        return [made.connection for made in self._watched.now().made.values()]

    def tool13(self, client_id: str) -> ToolRegistration | None:
        """The LTI 1.3 tool that the bridge gave this client id, or None."""
        pause = LOOK_EVERY_S if client_id in self._watched.now().tools else LOOK_AGAIN_S
        return self._watched.now(pause).tools.get(client_id)

    def tool13_of(self, connection: str) -> ToolRegistration | None:
        """The LTI 1.3 tool behind a connection, or None."""
        made = self._watched.now().made.get(connection)
        return made.tool if made else None

    def in_file(self, connection: str) -> bool:
        """Whether the configuration file has a connection of this name."""
        return connection in self._file.made

    def check(self, facts: Mapping[str, Any]) -> None:
        """Whether a connection of the database could be used. Raises ConfigurationError."""
        self._make(_table(facts))
        if self.in_file(facts["name"]):
            raise ConfigurationError(f"{facts['name']!r} is a connection of the file")

    def activities(self) -> list[Activity]:
        """All fixed activities, in the order of the file."""
        return list(self._activities.values())

    def activity(self, activity_id: str) -> Activity | None:
        """The activity of that id in the configuration file, or None."""
        return self._activities.get(activity_id)

    def settings(self, connection: str, typed: Mapping[str, Any]) -> Any:
        """The typed settings of what somebody typed; an empty field counts as left out.

        Raises pydantic's ValidationError, and NotConfigured for an unknown connection or
        names that LTI 1.1 cannot tell apart.
        """
        made = self._of(connection)
        given = {name: value for name, value in typed.items() if value not in ("", None)}
        settings = made.kind.activity(given, made.settings)
        written = made.connection.provider.custom(settings)
        if doubled := custom_collisions(written):
            names = " and ".join(doubled[0])
            raise NotConfigured(f"{names} are one name in LTI 1.1; rename one")
        return settings

    def forms(self, connection: str) -> tuple[type[BaseModel], ...]:
        """The models that the instructor's form is drawn from: one per way to set a test up."""
        made = self._of(connection)
        return made.kind.forms(made.settings)

    def allows_inline(self, registration: str) -> bool:
        """Whether links of this LMS may write their activity out themselves."""
        return registration in self._inline

    def inline(self, custom: Mapping[str, str]) -> Activity | None:
        """The activity that a link writes out in its own custom parameters, or None.

        The same connection and parameters give the same activity id. Raises NotConfigured when
        a connection is named but the parameters are not right for it.
        """
        custom = by_custom_names(custom, but=TOOL_PREFIX)
        name = custom.get("connection")
        if not name:
            return None
        made = self._of(name)
        try:
            settings = made.kind.inline(custom, made.settings)
        except ValidationError as error:
            raise LinkSettingsRefused(f"{name}: {'; '.join(explain(error))}") from error
        except ConfigurationError as error:
            raise LinkSettingsRefused(f"{name}: {error.detail}") from error
        sent = dict(made.connection.provider.custom(settings))
        written = json.dumps([name, sent], sort_keys=True)
        digest = hashlib.sha256(written.encode()).hexdigest()[:20]
        return Activity(f"inline-{digest}", name, name, settings)

    def impersonal(self, custom: Mapping[str, str]) -> dict[str, str]:
        """A link's custom parameters without the values that are one learner's own."""
        named = by_custom_names(custom, but=TOOL_PREFIX).get("connection", "")
        made = self._watched.now().made.get(named)
        personal = made.kind.personal if made else frozenset()
        return {name: "" if name.lower() in personal else v for name, v in custom.items()}

    def _of(self, name: str) -> _Made:
        pause = LOOK_EVERY_S if name in self._watched.now().made else LOOK_AGAIN_S
        made = self._watched.now(pause).made.get(name)
        if made is None:
            raise NotConfigured(f"there is no connection named {name[:80]!r}")
        return made

    def _built_on_nothing(self) -> Iterator[str]:
        """Activities about tests of another one that is not there."""
        for activity in self._activities.values():
            connection = self._file.made[activity.connection].connection
            wanted = capabilities.builds_on(connection, activity.settings)
            other = self._activities.get(wanted)
            if wanted and (other is None or other.connection != activity.connection):
                yield (
                    f"activity {activity.id!r}: settings: of_activity: {activity.connection!r} has "
                    f"no activity {wanted!r} in this file"
                )

    def _look(self) -> _Known:
        """The connections of the file, and those of the database that fit beside them."""
        known = _Known(dict(self._file.made), dict(self._file.tools))
        for facts in self._stored.active():
            try:
                self.check(facts)
                known.add(self._make(_table(facts)))
            except ConfigurationError as error:
                extra = {"connection": facts["name"], "reason": error.detail}
                log.error("tool.left-out", extra=extra)
        return known

    def _connect(self, table: ConnectionTable) -> None:
        made = self._make(table)
        self._file.add(made)
        consumer = made.kind.credentials(made.settings)
        if consumer is not None:
            self.consumers.setdefault(consumer.consumer_key, []).append((table.name, consumer))

    def _make(self, table: ConnectionTable) -> _Made:
        where = f"connection {table.name!r}"
        try:
            kind = kinds()[table.kind]
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: kind: {error.detail}") from error
        settings = validated(where, kind.connection, table.own())
        default = kind.needs | kind.wants
        privacy = default if table.privacy is None else frozenset(table.privacy)
        made_up = {"email"} if table.pseudonym_domain else set()
        if kind.needs - privacy - made_up:
            missing = ", ".join(sorted(kind.needs - privacy - made_up))
            raise ConfigurationError(f"{where}: privacy: {kind.title} cannot do without {missing}")
        if table.addresses == "pseudonym" and not table.pseudonym_domain:
            raise ConfigurationError(f"{where}: addresses: pseudonym needs pseudonym_domain")
        tool = kind.tool13(table.name, settings)
        connection = Connection(
            name=table.name,
            kind=kind.name,
            provider=kind.build(settings, self._tools(table)),
            privacy=privacy,
            needs=kind.needs,
            hidden=kind.hidden,
            registrations=frozenset(table.lms),
            capabilities=kind.capabilities(settings),
            repeatable=kind.repeatable,
            extra_time=lambda own: kind.extra_time(own, settings),
            hook_token=table.hook_token or self._make_token(table.name),
            pseudonym_domain=table.pseudonym_domain,
            addresses=table.addresses,
            names=table.names,
            notice=table.notice,
            keeps_launches=tool is not None,
            by_lti=tool is not None or kind.credentials(settings) is not None,
            daily_limit=table.daily_limit,
            max_in_flight=table.max_in_flight,
            calls_per_minute=table.calls_per_minute,
        )
        return _Made(kind, settings, connection, tool)

    def _add(self, table: ActivityTable) -> None:
        known = self._file.made.get(table.connection)
        if known is None:  # its connection is wrong too, and was named already
            return
        where = f"activity {table.id!r}: settings"
        settings = validated(where, known.kind.activity, table.settings, known.settings)
        written = known.connection.provider.custom(settings)
        if doubled := custom_collisions(written):
            names = " and ".join(doubled[0])
            raise ConfigurationError(f"{where}: {names} are one name in LTI 1.1; rename one")
        if capabilities.can(known.connection, capabilities.REMOTE) and (no := unknown(written)):
            # a tool may know more variables than we; who is called by us knows none
            raise ConfigurationError(f"{where}: ${no[0]} is no variable that a launch fills in")
        self._activities[table.id] = Activity(
            id=table.id,
            title=table.title,
            connection=table.connection,
            settings=settings,
            grade=table.grade,
            attempts=table.attempts,
            days_between=table.days_between,
            opens_at=table.opens_at,
            closes_at=table.closes_at,
            registrations=frozenset(table.lms),
        )


def unlimited(settings: Settings, catalogue: Catalogue) -> list[str]:
    """Activities of the file that anybody may begin, and buy, as often as they like, in words."""
    return [
        f"activity {one.id!r}: attempts is not set, so each learner may buy any number of tests"
        for one in settings.activity
        if "attempts" not in one.model_fields_set
        and capabilities.can(catalogue.connection(one.connection), capabilities.COSTS)
    ]


def _table(facts: Mapping[str, Any]) -> ConnectionTable:
    try:
        return ConnectionTable.model_validate(facts)
    except ValidationError as error:
        raise ConfigurationError("; ".join(explain(error))) from error
