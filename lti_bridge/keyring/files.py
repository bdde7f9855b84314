"""The files of a keyring: private keys, a secret, a manifest that is replaced as one, a lock."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from lti_bridge.errors import ConfigurationError
from lti_bridge.lti.keys import MIN_BITS, SigningKey, thumbprint

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

log = logging.getLogger("lti_bridge.keyring")

Role = str
ROLES: tuple[Role, ...] = ("tool", "platform")  # those that every bridge has
_OWN_ROLE = re.compile(r"lms\.[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KID = re.compile(r"[\w-]{43}", re.ASCII)
SECRET_BYTES = 32
KEPT = 64  # read keys in a process, by the content of their files


@dataclass(frozen=True)
class KeyRow:
    """One key pair of the manifest. `retires_at` is None until a successor exists."""

    kid: str
    role: str
    created_at: datetime
    signs_from: datetime
    retires_at: datetime | None

    @property
    def file(self) -> str:
        """The name of the file that holds the private key."""
        return f"{self.role}-{self.kid}.pem"

    def published(self, now: datetime) -> bool:
        """Whether the key belongs in the key set: next, current, or replaced not long ago."""
        return self.retires_at is None or now < self.retires_at


def create(path: Path, now: datetime) -> None:
    """Make the folder with a secret and one key a role, unless another process was faster."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as err:
        raise ConfigurationError(f"{path}: cannot be made private ({err.strerror})") from err
    with locked(path):
        if (path / "keys.json").exists():
            return
        if any(path.glob("*.pem")):
            raise ConfigurationError(
                f"{path / 'keys.json'}: missing, but there are key files beside it; restore it "
                "from a backup, or move the .pem files away to start with new keys"
            )
        if not (path / "secret").exists():
            _write_new(path / "secret", secrets.token_bytes(SECRET_BYTES))
        write_manifest(path, tuple(add_key(path, role, now, now) for role in ROLES))
    log.info("keys.created", extra={"path": str(path)})


def add_key(path: Path, role: Role, now: datetime, signs_from: datetime) -> KeyRow:
    """Make a key pair and write its file; the manifest still has to name it."""
    private = generate_private_key(public_exponent=65537, key_size=MIN_BITS)
    row = KeyRow(thumbprint(private.public_key()), role, now, signs_from, None)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write_new(path / row.file, pem)
    return row


def read_key(path: Path, row: KeyRow) -> SigningKey:
    """The private key of a row. Raises ConfigurationError naming the file."""
    file = path / row.file
    try:
        private = _parsed(read(file))
    except (ValueError, TypeError) as err:
        raise ConfigurationError(f"{file}: not a private key; restore it from a backup") from err
    if not isinstance(private, RSAPrivateKey) or thumbprint(private.public_key()) != row.kid:
        raise ConfigurationError(f"{file}: not the key of this name; restore it from a backup")
    return SigningKey(row.kid, private)


@lru_cache(maxsize=KEPT)
def _parsed(pem: bytes) -> PrivateKeyTypes:
    """The key of a file. Reading it takes 40 ms, which processes of one start need not do each."""
    return serialization.load_pem_private_key(pem, password=None)


def read_manifest(path: Path) -> tuple[KeyRow, ...]:
    """All rows. Raises ConfigurationError naming the file."""
    file = path / "keys.json"
    try:
        return tuple(_row(entry) for entry in json.loads(read(file))["keys"])
    except (ValueError, KeyError, TypeError) as err:
        raise ConfigurationError(f"{file}: not a key manifest; restore it from a backup") from err


def _row(entry: dict[str, str]) -> KeyRow:
    known = entry["role"] in ROLES or _OWN_ROLE.fullmatch(entry["role"])
    if not known or not _KID.fullmatch(entry["kid"]):
        raise ValueError
    read, ends = datetime.fromisoformat, entry["retires_at"]
    times = read(entry["created_at"]), read(entry["signs_from"]), read(ends) if ends else None
    return KeyRow(entry["kid"], entry["role"], *times)


def write_manifest(path: Path, rows: tuple[KeyRow, ...]) -> None:
    """Put a whole new manifest in the place of the old one."""
    text = json.dumps({"keys": [asdict(row) for row in rows]}, default=datetime.isoformat, indent=1)
    unfinished = path / f"keys.json.{secrets.token_hex(4)}"
    _write_new(unfinished, text.encode())
    unfinished.replace(path / "keys.json")


def _write_new(file: Path, content: bytes) -> None:
    """Write a file that must not exist yet, for the owner only, and see it on the disk."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
    except OSError as err:
        raise ConfigurationError(f"{file}: cannot be written ({err.strerror})") from err


def read(file: Path) -> bytes:
    """What a file of the keyring holds; one that others may read is refused."""
    try:
        shared = os.name == "posix" and file.stat().st_mode & 0o077
        content = file.read_bytes()
    except OSError as err:
        raise ConfigurationError(
            f"{file}: cannot be read ({err.strerror}); restore it, or correct who owns it"
        ) from err
    if shared:
        raise ConfigurationError(
            f"{file}: other users may read it; run: chmod 600 {file} (and rotate if they did)"
        )
    return content


def stamp(path: Path) -> tuple[int, int, int]:
    """What changes whenever the manifest is replaced."""
    try:
        status = (path / "keys.json").stat()
    except OSError as err:
        raise ConfigurationError(f"{path / 'keys.json'}: {err.strerror}") from err
    return status.st_mtime_ns, status.st_ino, status.st_size


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path/lock` against other processes; the system frees it when a process dies."""
    try:
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as err:
        raise ConfigurationError(f"{path / 'lock'}: cannot be locked ({err.strerror})") from err
    try:
        yield
    finally:
        os.close(descriptor)
