"""The configuration file: typed, complete, and refused as a whole when anything is wrong."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Container, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)

from lti_bridge.core.explanations import explain
from lti_bridge.core.launch.message import PERSON_FIELDS
from lti_bridge.errors import ConfigurationError

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
HOST = r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?$"
DOMAIN = r"^(|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)$"
MAIL = r"^[^\s@<>,;\"]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$"
OPAQUE = r"^(|[A-Za-z0-9._~-]{16,200})$"
Host = Annotated[str, StringConstraints(pattern=HOST, max_length=260)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=255)]


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def web_address(value: str) -> str:
    """An https address (http only for loopback) without user, query or fragment."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address like https://bridge.example.edu")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must start with https:// (http:// is for loopback hosts only)")
    if parts.username or parts.fragment:
        raise ValueError("must not contain a user name or a fragment")
    return value


def base_address(value: str) -> str:
    """A web address without query, its trailing slash removed."""
    if urlsplit(value).query:
        raise ValueError("must not contain a query")
    return web_address(value).rstrip("/")


def bearer_token(value: SecretStr) -> SecretStr:
    """A secret that can stand in an Authorization header and cannot be guessed, or none."""
    if not re.fullmatch(OPAQUE, value.get_secret_value()):
        raise ValueError("must have 16 to 200 characters of A-Z a-z 0-9 . _ ~ - only")
    return value


WebAddress = Annotated[str, AfterValidator(web_address)]
BaseAddress = Annotated[str, AfterValidator(base_address)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class BridgeTable(_Table):
    """[bridge]: where it is reached, where it keeps things."""

    public_url: BaseAddress = "http://127.0.0.1:8000"
    former_urls: list[BaseAddress] = []
    database_url: str = "sqlite:///bridge.sqlite3"
    database_connections: int = Field(8, ge=2, le=200)
    queue_url: str = "sqlite:///queue.sqlite3"
    keys_dir: str = "keys"
    rotate_keys_days: int = Field(0, ge=0, le=3650)
    name: Short = "LTI Bridge"
    allow_private: list[str] = []
    clock_skew_s: int = Field(60, ge=0, le=300)
    call_timeout_s: float = Field(10.0, gt=0, le=60)
    lms_calls_per_minute: int = Field(0, ge=0)
    keep_launches_days: int = Field(180, ge=1)
    keep_history_days: int = Field(1095, ge=0)
    keep_answers_days: int = Field(1095, ge=0)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    metrics_token: Annotated[SecretStr, AfterValidator(bearer_token)] = SecretStr("")
    metrics_dir: Short = "metrics"

    @property
    def issuer(self) -> str:
        """The bridge's name towards LTI 1.3 tools: what it was first called, for they keep it."""
        return self.former_urls[0] if self.former_urls else self.public_url

    def formerly(self, path: str = "") -> tuple[str, ...]:
        """Where a path was at each of the former addresses."""
        return tuple(url + path for url in self.former_urls)


class AlertsTable(_Table):
    """[alerts]: how whoever runs the bridge hears of what is wrong, and from when on."""

    mail_to: list[Annotated[str, StringConstraints(pattern=MAIL)]] = []
    mail_from: Annotated[str, StringConstraints(pattern=f"{MAIL}|^$")] = ""
    smtp_host: Annotated[str, StringConstraints(pattern=rf"{HOST}|^$", max_length=260)] = ""
    smtp_port: int = Field(587, ge=1, le=65_535)
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    webhook_url: WebAddress | Literal[""] = ""
    webhook_token: Annotated[SecretStr, AfterValidator(bearer_token)] = SecretStr("")
    every_s: int = Field(60, ge=1, le=3600)
    away_s: int = Field(300, ge=0)
    grades_older_s: int = Field(3600, ge=1)
    certificate_days: int = Field(14, ge=0, le=365)
    disk_free_mb: int = Field(512, ge=0)

    @model_validator(mode="after")
    def _mail_can_be_sent(self) -> AlertsTable:
        if self.mail_to and not (self.smtp_host and self.mail_from):
            raise ValueError("mail_to needs smtp_host and mail_from")
        if self.smtp_tls == "none" and self.smtp_host and not is_loopback(self.smtp_host):
            raise ValueError('smtp_tls = "none" is for a mail server on this machine only')
        return self


class JournalTable(_Table):
    """[journal]: what became of every click, message and grade, and how much of that is kept."""

    keep_days: int = Field(30, ge=0, le=3650)
    max_rows: int = Field(1_000_000, ge=1000)


class Lms13Table(_Table):
    """[[lms]] with lti = "1.3"."""

    name: Name
    lti: Literal["1.3"]
    issuer: Short
    client_id: Short
    deployment_ids: list[Short] | Literal["any"]
    authorization_url: WebAddress
    token_url: WebAddress
    jwks_url: WebAddress | Literal[""] = ""
    public_keys: str = ""
    auth_audience: str = ""
    own_key: bool = False
    calls_per_minute: int = Field(0, ge=0)
    service_hosts: list[Host] = []
    inline: bool = False
    overrides: Literal["keep", "replace"] = "keep"

    @model_validator(mode="after")
    def _one_way_to_its_keys(self) -> Lms13Table:
        if bool(self.jwks_url) == bool(self.public_keys):
            raise ValueError("write either jwks_url or public_keys")
        return self


class Lms11Table(_Table):
    """[[lms]] with lti = "1.1"."""

    name: Name
    lti: Literal["1.1"]
    consumer_key: Short
    shared_secret: SecretStr = Field(min_length=1)
    signature: Literal["HMAC-SHA1", "HMAC-SHA256"] = "HMAC-SHA1"
    timestamp_window_s: int = Field(5400, ge=60, le=5400)
    calls_per_minute: int = Field(0, ge=0)
    origins: list[BaseAddress] = []
    relaunch: bool = False
    inline: bool = False
    overrides: Literal["keep", "replace"] = "keep"


class ConnectionTable(BaseModel):
    """[[connection]]: what every kind has; the other keys belong to the kind."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Name
    kind: Name
    privacy: list[PERSON_FIELDS] | None = None
    pseudonym_domain: Annotated[str, StringConstraints(pattern=DOMAIN)] = ""
    addresses: Literal["real", "plus", "pseudonym"] = "real"
    names: Literal["given-first", "family-first", "whole"] = "given-first"
    notice: Annotated[str, StringConstraints(max_length=4000)] = ""
    hook_token: Annotated[str, StringConstraints(pattern=OPAQUE)] = ""
    timeout_s: float = Field(15.0, gt=0, le=40)
    max_in_flight: int = Field(20, ge=1, le=1000)
    calls_per_minute: int = Field(0, ge=0)
    daily_limit: int = Field(0, ge=0)
    lms: list[Name] = []

    def own(self) -> dict[str, Any]:
        """The keys that the kind itself defines."""
        return dict(self.model_extra or {})


class ActivityTable(_Table):
    """[[activity]]: a fixed activity."""

    id: Name
    title: Short
    connection: Name
    settings: dict[str, Any] = {}
    grade: Literal["best", "last", "first", "mean"] = "best"
    attempts: int = Field(0, ge=0)
    days_between: int = Field(0, ge=0)
    opens_at: AwareDatetime | None = None
    closes_at: AwareDatetime | None = None
    lms: list[Name] = []
    overrides: Literal["", "keep", "replace"] = ""


class Settings(_Table):
    """The whole file."""

    bridge: BridgeTable = BridgeTable()
    alerts: AlertsTable = AlertsTable()
    journal: JournalTable = JournalTable()
    lms: list[Annotated[Lms13Table | Lms11Table, Field(discriminator="lti")]] = []
    connection: list[ConnectionTable] = []
    activity: list[ActivityTable] = []


def load(path: Path) -> Settings:
    """The settings of a TOML file. Raises ConfigurationError naming file, key and reason."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: there is no such file; copy config.example.toml and edit it"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return parse(tables, str(path))


def parse(tables: Mapping[str, Any], origin: str) -> Settings:
    """The settings of already read tables; `origin` names them in error messages."""
    resolved, problems = _resolve(tables, "")
    if not problems:
        try:
            settings = Settings.model_validate(resolved)
        except ValidationError as error:
            problems = explain(error)
        else:
            problems = _contradictions(settings)
    if problems:
        raise ConfigurationError("\n".join(f"{origin}: {problem}" for problem in problems))
    return settings


def validated(where: str, validate: Callable[..., Any], *values: Any) -> Any:
    """A kind's own settings. Raises ConfigurationError with `where` before each key."""
    try:
        return validate(*values)
    except ValidationError as error:
        raise ConfigurationError(
            "\n".join(f"{where}: {problem}" for problem in explain(error))
        ) from error


def _resolve(value: Any, key: str) -> tuple[Any, list[str]]:
    """Replace "env:NAME" and "file:/path" everywhere by what they stand for."""
    if isinstance(value, Mapping):
        found = {name: _resolve(part, f"{key}.{name}".lstrip(".")) for name, part in value.items()}
        return {name: part[0] for name, part in found.items()}, _all(found.values())
    if isinstance(value, list):
        parts = [_resolve(part, f"{key}[{number}]") for number, part in enumerate(value)]
        return [part[0] for part in parts], _all(parts)
    if isinstance(value, str):
        for prefix, read in (("env:", _from_environment), ("file:", _from_file)):
            if value.startswith(prefix):
                return read(value.removeprefix(prefix), key)
    return value, []


def _all(parts: Any) -> list[str]:
    return [problem for part in parts for problem in part[1]]


def _from_environment(name: str, key: str) -> tuple[str, list[str]]:
    value = os.environ.get(name, "")
    return value, [] if value else [f"{key}: the environment variable {name} is not set"]


def _from_file(path: str, key: str) -> tuple[str, list[str]]:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n"), []
    except (OSError, UnicodeDecodeError) as error:
        return "", [f"{key}: cannot read {path}: {type(error).__name__}"]


def tell_library(name: str, value: str) -> None:
    """Set a variable of the environment, for a library that can be told in no other way."""
    os.environ[name] = value


ONE_NAME_EACH = (
    "only deployments tell them apart: list them in deployment_ids, none of them in both, or give"
    " one of them another issuer (lti_iss in the config/security.yml of a Canvas of your own) or"
    " client_id"
)


def _contradictions(settings: Settings) -> list[str]:
    """What each table alone cannot see: doubled names and names that lead nowhere."""
    problems = [
        *_doubled("lms", [lms.name for lms in settings.lms], "name"),
        *_doubled("connection", [one.name for one in settings.connection], "name"),
        *_doubled("activity", [one.id for one in settings.activity], "id"),
    ]
    keys = [lms.consumer_key for lms in settings.lms if isinstance(lms, Lms11Table)]
    problems += _doubled("lms", keys, "consumer_key")
    return problems + _one_client(settings) + _dangling(settings)


def _one_client(settings: Settings) -> list[str]:
    """LMSs of one issuer and client_id that no lists of deployments tell apart."""
    known = [lms for lms in settings.lms if isinstance(lms, Lms13Table)]
    return [
        f"lms: {first.name!r} and {second.name!r} have the same issuer and client_id; "
        + ONE_NAME_EACH
        for number, first in enumerate(known)
        for second in known[number + 1 :]
        if (first.issuer, first.client_id) == (second.issuer, second.client_id)
        and _share_a_deployment(first, second)
    ]


def _share_a_deployment(first: Lms13Table, second: Lms13Table) -> bool:
    both = first.deployment_ids, second.deployment_ids
    return "any" in both or not set(both[0]).isdisjoint(both[1])


def _dangling(settings: Settings) -> list[str]:
    connections = {one.name for one in settings.connection}
    return [
        f"activity {one.id!r}: connection: there is no connection named {one.connection!r}"
        for one in settings.activity
        if one.connection not in connections
    ]


def strangers(settings: Settings, known: Container[str]) -> list[str]:
    """Names in `lms` keys that are not `known`, in words.

    No error: an LMS that registers itself is in the database, and until then nobody gets in.
    """
    users: list[tuple[str, list[str]]] = [
        *((f"activity {one.id!r}", one.lms) for one in settings.activity),
        *((f"connection {one.name!r}", one.lms) for one in settings.connection),
    ]
    return [
        f"{where}: lms: {name!r}" for where, names in users for name in names if name not in known
    ]


def _doubled(table: str, values: list[str], what: str) -> list[str]:
    seen: set[str] = set()
    doubled = [value for value in values if value in seen or seen.add(value)]  # type: ignore[func-returns-value]
    return [f"{table}: two entries have the same {what} {value!r}" for value in doubled]
