"""The bridge's own keys on disk: made once, kept parsed, rotated without a gap.

    keys_dir/keys.json          the manifest: which key signs and is published from when to when
    keys_dir/<role>-<kid>.pem   one RSA private key (PKCS#8)
    keys_dir/secret             32 random bytes from which named secrets are derived

A role is "tool" (towards LMSs), "platform" (towards providers), or `own` of one registration: a
key that signs for this one LMS, so that what it signs is worth nothing at any other.

A `kid` is the thumbprint of its key, so it never names two. No key file is ever overwritten.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lti_bridge.errors import ConfigurationError
from lti_bridge.keyring import files
from lti_bridge.keyring.files import ROLES, KeyRow, Role
from lti_bridge.lti.keys import SigningKey, public_jwk

_OWN = "lms."


_LOOK_AGAIN = timedelta(seconds=10)


PUBLISH_AHEAD = timedelta(hours=1)  # others keep a key set for less


KEEP = timedelta(days=30)


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


log = logging.getLogger(__name__)


def own(registration: str) -> Role:
    """The role of the keys that sign for this one registration."""
    return _OWN + registration


def owner(role: Role) -> str:
    """The registration whose own role this is; empty for a role that is shared."""
    return role.removeprefix(_OWN) if role.startswith(_OWN) else ""


@dataclass(frozen=True)
class _State:
    """One reading of the manifest, with everything that is prepared from it.

    `keys` are parsed: the shared ones all, those of registrations as soon as they are needed.
    """

    stamp: tuple[int, int, int]
    rows: tuple[KeyRow, ...]
    keys: dict[str, SigningKey]
    key_sets: dict[str, bytes]


class Keyring:
    """The keys in `path`; `clock` gives the time, aware and in UTC. Safe for threads.

    A running process sees a rotation by another one within ten seconds. Raises
    ConfigurationError for files that are missing, unreadable, or readable by other users.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._path, self._clock = path, clock
        self._lock = threading.Lock()
        self._master = files.read(path / "secret")
        if len(self._master) != files.SECRET_BYTES:
            raise ConfigurationError(
                f"{path / 'secret'}: not {files.SECRET_BYTES} bytes; restore it"
            )
        self._state = self._load({})
        self._looked_at = clock()

    @classmethod
    def open(cls, path: Path, clock: Callable[[], datetime], create: bool = True) -> Keyring:
        """Open the keys in `path`, made first (once for all processes) if `create` and none."""
        if create and not (path / "keys.json").exists():
            files.create(path, clock())
        return cls(path, clock)

    def signing(self, role: Role) -> SigningKey:
        """The key that signs for this role now: the newest whose time has come.

        While a registration's first own key waits for its time, the shared one signs. Raises
        ConfigurationError when there is none: the shared one never stands in for a lost one.
        """
        now = self._clock()
        rows = self._of(role, now)
        if owner(role) and rows and not any(row.signs_from <= now for row in rows):
            rows = self._of("tool", now)
        for row in reversed(rows):
            if row.signs_from <= now:
                return self._key(row)
        raise ConfigurationError(f"{self._path / 'keys.json'}: no {role} key may sign now")

    def public_keys(self, role: Role) -> bytes:
        """The JSON Web Key Set of this role: next, current and recently replaced keys.

        That of a registration has the shared keys too while those sign for it. Raises
        ConfigurationError for a registration without a key of its own.
        """
        now = self._clock()
        prepared = self._current(now).key_sets.get(role)
        if prepared is not None:
            return prepared
        rows = self._of(role, now)
        if not rows:
            raise ConfigurationError(f"{self._path / 'keys.json'}: no {role} key is published")
        if not any(row.signs_from <= now for row in rows):
            rows = (*self._of("tool", now), *rows)
        return _key_set(self._key(row) for row in rows)

    def has(self, role: Role) -> bool:
        """Whether there are keys of this role, also when another process has just made them."""
        return bool(self._of(role, self._clock()))

    def roles(self) -> tuple[Role, ...]:
        """Every role that has keys now."""
        now = self._clock()
        return tuple(dict.fromkeys(row.role for row in self.list() if row.published(now)))

    def etag(self, role: Role) -> str:
        """The HTTP entity tag of `public_keys`, quotes included."""
        return f'"{hashlib.sha256(self.public_keys(role)).hexdigest()[:32]}"'

    def secret(self, name: str) -> bytes:
        """The 32 bytes derived for this purpose; different names give unrelated secrets."""
        return hmac.digest(self._master, b"lti-bridge secret: " + name.encode(), "sha256")

    def list(self) -> tuple[KeyRow, ...]:
        """Every key the manifest knows, retired ones included, oldest first."""
        return self._current(self._clock()).rows

    def rotate(
        self,
        role: Role,
        now: datetime,
        publish_ahead: timedelta = PUBLISH_AHEAD,
        keep: timedelta = KEEP,
        *,
        immediately: bool = False,
    ) -> str:
        """Add a key that is published at once and signs from `now + publish_ahead`; its `kid`.

        Until then peers fetch the new key set; the replaced key stays published for `keep` after
        it. `immediately` lets the new key sign at once; with `keep` zero that ends a stolen key.
        """
        signs_from = now if immediately else now + publish_ahead
        end = signs_from + keep
        return self._rotate(role, now, signs_from, end, older_than=None)[0]

    def rotate_old(self, role: Role, now: datetime, age: timedelta) -> bool:
        """Rotate the newest key of this role if it was made longer than `age` ago.

        However many workers think of it at the same time, there is one new key.
        """
        oldest = now - age
        if any(row.role == role and row.created_at > oldest for row in self.list()):
            return False
        signs_from = now + PUBLISH_AHEAD
        return self._rotate(role, now, signs_from, signs_from + KEEP, older_than=oldest)[1]

    def make_own(self, registration: str, now: datetime, *, anew: bool = False) -> bool:
        """Give a registration a key of its own; whether this call made one.

        It signs in an hour, so that the LMS can read it first. `anew`: an LMS that has just come
        signs with a new one at once, and what an earlier one of this name had ends.
        """
        role = own(registration)
        if anew:
            return self._rotate(role, now, now, now, older_than=None)[1]
        return self._rotate(role, now, now + PUBLISH_AHEAD, now, older_than=_LONG_AGO)[1]

    def end_own(self, registration: str, now: datetime) -> None:
        """Publish the own keys of this registration no longer, and sign with them no more."""
        with files.locked(self._path):
            rows = files.read_manifest(self._path)
            files.write_manifest(self._path, tuple(_ended(rows, own(registration), now)))
        self._reload()

    def _rotate(
        self,
        role: Role,
        now: datetime,
        signs_from: datetime,
        end: datetime,
        older_than: datetime | None,
    ) -> tuple[str, bool]:
        """The `kid` of the newest key, and whether it was made by this very call."""
        with files.locked(self._path):
            known = files.read_manifest(self._path)
            if older_than is not None:
                young = [
                    row.kid
                    for row in known
                    if row.role == role and row.created_at > older_than and row.published(now)
                ]
                if young:
                    return young[-1], False
            new = files.add_key(self._path, role, now, signs_from)
            files.write_manifest(self._path, (*_ended(known, role, end), new))
        self._reload()
        log.info("keys.rotated", extra={"kid": new.kid, "kind": role})
        return new.kid, True

    def _of(self, role: Role, now: datetime) -> tuple[KeyRow, ...]:
        """The published keys of a role, oldest first."""
        for look in (False, bool(owner(role))):  # one of another process counts at once
            rows = self._current(now, look=look).rows
            if found := tuple(row for row in rows if row.role == role and row.published(now)):
                return found
        return ()

    def _key(self, row: KeyRow) -> SigningKey:
        keys = self._state.keys
        if row.kid not in keys:
            keys[row.kid] = files.read_key(self._path, row)
        return keys[row.kid]

    def _reload(self) -> None:
        with self._lock:
            self._state = self._load(self._state.keys)

    def _current(self, now: datetime, *, look: bool = False) -> _State:
        state = self._state
        if not look and timedelta(0) <= now - self._looked_at < _LOOK_AGAIN:
            return state
        with self._lock:
            self._looked_at, state = now, self._state
            listed = [row for row in state.rows if row.kid in state.keys]
            try:
                if files.stamp(self._path) != state.stamp or not all(
                    r.published(now) for r in listed
                ):
                    self._state = self._load(self._state.keys)
            except ConfigurationError as err:
                # Keys in memory are still good: launches go on, and the log tells every time.
                log.error("keys.unreadable", extra={"reason": str(err)})
            return self._state

    def _load(self, known: dict[str, SigningKey]) -> _State:
        stamp, rows, now = files.stamp(self._path), files.read_manifest(self._path), self._clock()
        published = [row for row in rows if row.published(now)]
        # Parsing a key costs 40 ms, so the known ones are kept.
        keys = {row.kid: known[row.kid] for row in published if row.kid in known}
        for row in published:
            if row.role in ROLES and row.kid not in keys:
                keys[row.kid] = files.read_key(self._path, row)
        key_sets = {
            role: _key_set(keys[row.kid] for row in published if row.role == role) for role in ROLES
        }
        return _State(stamp, rows, keys, key_sets)


def _key_set(keys: Iterable[SigningKey]) -> bytes:
    return json.dumps({"keys": [public_jwk(key) for key in keys]}).encode()


def _ended(rows: Iterable[KeyRow], role: Role, end: datetime) -> Iterator[KeyRow]:
    """The rows, those of this role published until `end` at the latest."""
    for row in rows:
        ends = min(row.retires_at or end, end) if row.role == role else row.retires_at
        yield replace(row, retires_at=ends)
