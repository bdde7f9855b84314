"""The configured connections and activities, built once from the settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError

from lti_bridge.core.explaining import explain
from lti_bridge.core.ports import Connection
from lti_bridge.core.records import Activity, Attempt
from lti_bridge.errors import ConfigurationError, NotConfigured
from lti_bridge.lti.claims import custom_collisions
from lti_bridge.providers.contract import Credentials, Kind, Tools
from lti_bridge.providers.registry import kinds
from lti_bridge.settings import ActivityTable, ConnectionTable, Settings, validated


class Catalogue:
    """The `core.ports.Catalogue` of one configuration file.

    `tools` makes what a connection's provider gets from the bridge, `make_token` the hook token
    of a connection without one. Raises ConfigurationError, listing all problems, when a
    connection's or an activity's settings do not fit its kind of provider.
    """

    def __init__(
        self,
        settings: Settings,
        tools: Callable[[ConnectionTable], Tools],
        make_token: Callable[[str], str],
    ) -> None:
        self._make_token = make_token
        self._kinds: dict[str, tuple[Kind, Any]] = {}
        self._connections: dict[str, Connection] = {}
        self._activities: dict[str, Activity] = {}
        self.consumers: dict[str, list[tuple[str, Credentials]]] = {}
        self._inline = frozenset(lms.name for lms in settings.lms if lms.inline)
        steps = [
            *(partial(self._connect, table, tools) for table in settings.connection),
            *(partial(self._add, table) for table in settings.activity),
        ]
        problems = []
        for step in steps:
            try:
                step()
            except ConfigurationError as error:
                problems.append(error.detail)
        if problems:
            raise ConfigurationError("\n".join(problems))

    def connection(self, name: str) -> Connection:
        """The connection of that name; NotConfigured when there is none."""
        try:
            return self._connections[name]
        except KeyError:
            raise NotConfigured(f"there is no connection named {name[:80]!r}") from None

    def connections(self) -> list[Connection]:
        """All connections, in the order of the file."""
        return list(self._connections.values())

    def activities(self) -> list[Activity]:
        """All fixed activities, in the order of the file."""
        return list(self._activities.values())

    def activity(self, activity_id: str) -> Activity | None:
        """The activity of that id in the configuration file, or None."""
        return self._activities.get(activity_id)

    def settings_of(self, attempt: Attempt) -> Any:
        """The settings that an attempt's activity has now; None when the activity is gone."""
        activity = self._activities.get(attempt.activity_id)
        return activity.settings if activity else None

    def allows_inline(self, registration: str) -> bool:
        """Whether links of this LMS may write their activity out themselves."""
        return registration in self._inline

    def inline(self, custom: Mapping[str, str]) -> Activity | None:
        """The activity that a link writes out in its own custom parameters, or None.

        The same connection and parameters give the same activity id. Raises NotConfigured when
        a connection is named but the parameters are not right for it.
        """
        name = custom.get("connection")
        if not name:
            return None
        connection = self.connection(name)
        try:
            kind, connected = self._kinds[name]
            settings = kind.inline(custom, connected)
        except ValidationError as error:
            raise NotConfigured(f"{name}: {'; '.join(explain(error))}") from error
        except ConfigurationError as error:
            raise NotConfigured(f"{name}: {error.detail}") from error
        written = json.dumps([name, dict(connection.provider.custom(settings))], sort_keys=True)
        digest = hashlib.sha256(written.encode()).hexdigest()[:20]
        return Activity(f"inline-{digest}", name, name, settings)

    def _connect(self, table: ConnectionTable, tools: Callable[[ConnectionTable], Tools]) -> None:
        where = f"connection {table.name!r}"
        kind = kinds().get(table.kind)
        if kind is None:
            known = ", ".join(sorted(kinds()))
            raise ConfigurationError(f"{where}: kind: {table.kind!r} is none of {known}")
        settings = validated(where, kind.connection, table.own())
        default = kind.needs | kind.wants
        privacy = default if table.privacy is None else frozenset(table.privacy)
        made_up = {"email"} if table.pseudonym_domain else set()
        if kind.needs - privacy - made_up:
            missing = ", ".join(sorted(kind.needs - privacy - made_up))
            raise ConfigurationError(f"{where}: privacy: {kind.title} cannot do without {missing}")
        self._kinds[table.name] = (kind, settings)
        self._connections[table.name] = Connection(
            name=table.name,
            kind=kind.name,
            provider=kind.build(settings, tools(table)),
            privacy=privacy,
            needs=kind.needs,
            hidden=kind.hidden,
            registrations=frozenset(table.lms),
            capabilities=kind.capabilities(settings),
            repeatable=kind.repeatable,
            hook_token=table.hook_token or self._make_token(table.name),
            pseudonym_domain=table.pseudonym_domain,
            notice=table.notice,
        )
        consumer = kind.credentials(settings)
        if consumer is not None:
            self.consumers.setdefault(consumer.consumer_key, []).append((table.name, consumer))

    def _add(self, table: ActivityTable) -> None:
        known = self._kinds.get(table.connection)
        if known is None:  # its connection is wrong too, and was named already
            return
        where = f"activity {table.id!r}: settings"
        settings = validated(where, known[0].activity, table.settings, known[1])
        written = self._connections[table.connection].provider.custom(settings)
        if doubled := custom_collisions(written):
            names = " and ".join(doubled[0])
            raise ConfigurationError(f"{where}: {names} are one name in LTI 1.1; rename one")
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
