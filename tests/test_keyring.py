"""The keys on disk: made once, private, rotated without a gap."""

from __future__ import annotations

import json
import logging
import shutil
import stat
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lti_bridge.errors import ConfigurationError
from lti_bridge.keyring import Keyring, own
from lti_bridge.keyring.files import Role
from lti_bridge.lti.keys import parse_key_set, thumbprint

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "keys"
    Keyring.open(folder, Clock())
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keyring(folder: Path, clock: Clock) -> Keyring:
    return Keyring.open(folder, clock)


def kids(keyring: Keyring, role: Role = "tool") -> list[str]:
    return [key["kid"] for key in json.loads(keyring.public_keys(role))["keys"]]


# -- made once ------------------------------------------------------------------------------------


@pytest.mark.spec("P13K-04", "T13MX-10")
def test_the_first_start_makes_one_private_key_per_role_and_a_secret(made: Path) -> None:
    rows = json.loads((made / "keys.json").read_text())["keys"]
    assert [row["role"] for row in rows] == ["tool", "platform"]
    for row in rows:
        pem = (made / f"{row['role']}-{row['kid']}.pem").read_bytes()
        assert pem.startswith(b"-----BEGIN PRIVATE KEY-----")
        private = load_pem_private_key(pem, None)
        assert private.key_size == 2048
        assert thumbprint(private.public_key()) == row["kid"]
        assert row["created_at"] == row["signs_from"] == START.isoformat()
        assert row["retires_at"] is None
    assert len((made / "secret").read_bytes()) == 32
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in made.iterdir()} == {0o600}


def test_a_folder_that_was_there_before_is_made_private(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("here go the keys")
    tmp_path.chmod(0o755)
    Keyring.open(tmp_path, Clock())
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_the_second_start_uses_the_same_keys(folder: Path, clock: Clock) -> None:
    before = {file: file.read_bytes() for file in folder.iterdir()}
    first, second = Keyring.open(folder, clock), Keyring.open(folder, clock)
    assert first.signing("tool").kid == second.signing("tool").kid
    assert first.secret("state") == second.secret("state")
    assert {file: file.read_bytes() for file in folder.iterdir()} == before


def test_keys_that_were_read_are_not_read_again_where_their_files_are_the_same(
    folder: Path, clock: Clock
) -> None:
    first, second = (Keyring.open(folder, clock).signing("tool") for _ in range(2))
    assert first.private is second.private
    file = folder / f"tool-{first.kid}.pem"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ConfigurationError, match="not a private key"):
        Keyring.open(folder, clock)


def test_existing_keys_are_used_from_a_folder_that_cannot_be_written(
    folder: Path, clock: Clock
) -> None:
    (folder / "lock").unlink()
    folder.chmod(0o500)
    try:
        Keyring.open(folder, clock).signing("tool")
        assert not (folder / "lock").exists()
    finally:
        folder.chmod(0o700)


def test_a_first_start_that_was_interrupted_is_finished_with_the_secret_it_wrote(
    folder: Path, clock: Clock
) -> None:
    for file in (*folder.glob("*.pem"), folder / "keys.json"):
        file.unlink()
    before = (folder / "secret").read_bytes()
    Keyring.open(folder, clock).signing("tool")
    assert (folder / "secret").read_bytes() == before


STARTER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from lti_bridge.keyring import Keyring
print("ready", flush=True)
sys.stdin.readline()
ring = Keyring.open(Path(sys.argv[1]), lambda: datetime.now(UTC))
print(ring.signing("tool").kid, ring.signing("platform").kid, ring.secret("x").hex(), flush=True)
"""


def test_processes_that_start_at_once_end_with_one_set_of_keys(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        for _ in range(3)
    ]
    for starter in starters:
        assert starter.stdout
        assert starter.stdout.readline() == "ready\n"
    answers = set()
    for starter in starters:
        assert starter.stdin
        starter.stdin.write("\n")
        starter.stdin.flush()
    for starter in starters:
        answers.add(starter.communicate(timeout=60)[0])
        assert starter.returncode == 0
    assert len(answers) == 1
    assert len(list(folder.glob("*.pem"))) == 2


def test_two_rotations_at_once_both_count(folder: Path, clock: Clock) -> None:
    rings = [Keyring.open(folder, clock) for _ in range(3)]
    threads = [threading.Thread(target=r.rotate, args=("tool", START)) for r in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kids(Keyring.open(folder, clock))) == 4


# -- what is published and what signs -------------------------------------------------------------


@pytest.mark.spec("GEN-11", "P13K-02")
def test_roles_have_their_own_keys_and_no_private_part_is_ever_shown(
    keyring: Keyring, folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    keyring.rotate("tool", START)
    clock.now += 2 * HOUR
    assert not set(kids(keyring, "tool")) & set(kids(keyring, "platform"))
    signing = keyring.signing("tool")
    assert signing.kid != keyring.signing("platform").kid
    shown = [caplog.text, repr(keyring.list()), repr(signing), repr(keyring)]
    for role in ("tool", "platform"):
        body = keyring.public_keys(role).decode()
        shown.append(body)
        for key in json.loads(body)["keys"]:
            assert set(key) == {"kty", "n", "e", "kid", "alg", "use"}
    for pem in folder.glob("*.pem"):
        for line in pem.read_text().splitlines()[1:-1]:
            assert not any(line in text for text in shown)
    assert "keys.rotated" in caplog.text


def test_the_signing_key_fits_the_published_key(keyring: Keyring) -> None:
    for role in ("tool", "platform"):
        key = keyring.signing(role)
        signature = key.private.sign(b"text", padding.PKCS1v15(), SHA256())
        published = parse_key_set(json.loads(keyring.public_keys(role)))
        published[key.kid].verify(signature, b"text", padding.PKCS1v15(), SHA256())


@pytest.mark.spec("P13K-03", "T13MX-08", "T13MX-09")
def test_rotation_publishes_first_signs_later_and_retires_last(
    keyring: Keyring, clock: Clock
) -> None:
    old = keyring.signing("tool").kid
    new = keyring.rotate("tool", START, publish_ahead=HOUR, keep=30 * DAY)
    assert new != old
    seen = []
    for after in (timedelta(0), HOUR - timedelta(seconds=1), HOUR, 30 * DAY, 30 * DAY + HOUR):
        clock.now = START + after
        seen.append((keyring.signing("tool").kid, kids(keyring)))
    both = [old, new]
    assert seen == [(old, both), (old, both), (new, both), (new, both), (new, [new])]
    assert [row.kid for row in keyring.list() if row.role == "tool"] == both
    assert len(kids(keyring, "platform")) == 1


@pytest.mark.spec("P13K-03")
def test_an_old_key_is_replaced_on_schedule_with_an_overlap(keyring: Keyring, clock: Clock) -> None:
    [first] = kids(keyring, "platform")
    clock.now += 90 * DAY - HOUR
    assert not keyring.rotate_old("platform", clock.now, 90 * DAY)
    clock.now += 2 * HOUR
    assert keyring.rotate_old("platform", clock.now, 90 * DAY)
    assert not keyring.rotate_old("platform", clock.now, 90 * DAY)
    assert keyring.signing("platform").kid == first
    assert len(kids(keyring, "platform")) == 2
    clock.now += 2 * HOUR
    assert keyring.signing("platform").kid != first
    assert first in kids(keyring, "platform")
    assert len(kids(keyring, "tool")) == 1


def test_workers_that_rotate_at_the_same_time_make_one_key(folder: Path, clock: Clock) -> None:
    workers = [Keyring.open(folder, clock) for _ in range(4)]
    clock.now += 100 * DAY
    done: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda one=one: done.append(one.rotate_old("platform", clock.now, 90 * DAY))
        )
        for one in workers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False, False, False, True]
    assert len([row for row in Keyring.open(folder, clock).list() if row.role == "platform"]) == 2


def test_a_rotation_can_take_over_at_once_and_end_the_old_key(keyring: Keyring) -> None:
    old = keyring.signing("tool").kid
    new = keyring.rotate("tool", START, immediately=True)
    assert keyring.signing("tool").kid == new
    assert kids(keyring) == [old, new]
    newest = keyring.rotate("tool", START, keep=timedelta(0), immediately=True)
    assert keyring.signing("tool").kid == newest
    assert kids(keyring) == [newest]


def test_a_key_that_waits_is_overtaken_by_one_that_signs_at_once(
    keyring: Keyring, clock: Clock
) -> None:
    keyring.rotate("tool", START, publish_ahead=HOUR)
    urgent = keyring.rotate("tool", START, immediately=True)
    clock.now += 2 * HOUR
    assert keyring.signing("tool").kid == urgent


def test_the_entity_tag_changes_with_the_keys_only(keyring: Keyring) -> None:
    before = keyring.etag("tool")
    assert before == keyring.etag("tool") != keyring.etag("platform")
    assert before[0] == before[-1] == '"'
    keyring.rotate("tool", START)
    assert keyring.etag("tool") != before


def test_another_process_sees_a_rotation_within_ten_seconds(
    folder: Path, keyring: Keyring, clock: Clock
) -> None:
    other = Keyring.open(folder, clock)
    new = other.rotate("tool", START, immediately=True)
    clock.now += timedelta(seconds=9)
    assert new not in kids(keyring)
    clock.now += timedelta(seconds=1)
    assert new in kids(keyring)
    assert keyring.signing("tool").kid == new


def test_a_clock_that_was_set_back_does_not_stop_the_looking(
    folder: Path, keyring: Keyring, clock: Clock
) -> None:
    new = Keyring.open(folder, clock).rotate("tool", START)
    clock.now -= DAY
    assert new in kids(keyring)


def test_a_key_is_parsed_once(keyring: Keyring, clock: Clock) -> None:
    key = keyring.signing("tool")
    keyring.rotate("platform", START)
    clock.now += timedelta(seconds=11)
    assert keyring.signing("tool").private is key.private
    started = time.perf_counter()
    for _ in range(1000):
        keyring.signing("tool")
        keyring.public_keys("tool")
    assert time.perf_counter() - started < 20  # parsing takes some 50 ms each time


def test_secrets_differ_by_name_and_by_installation(keyring: Keyring, folder: Path) -> None:
    assert len(keyring.secret("state")) == 32
    assert keyring.secret("state") == keyring.secret("state") != keyring.secret("cookie")
    assert (folder / "secret").read_bytes() != keyring.secret("")
    (folder / "secret").write_bytes(b"y" * 32)
    assert Keyring.open(folder, Clock()).secret("state") != keyring.secret("state")


# -- keys of single registrations ------------------------------------------------------------------


def test_an_own_key_signs_for_one_registration_in_an_hour(
    folder: Path, keyring: Keyring, clock: Clock
) -> None:
    role, shared = own("campus"), kids(keyring)
    assert not keyring.has(role)
    for wrong in (keyring.signing, keyring.public_keys):
        with pytest.raises(ConfigurationError, match="campus"):
            wrong(role)
    other = Keyring.open(folder, clock)
    assert keyring.make_own("campus", START)
    assert not keyring.make_own("campus", START)
    assert other.has(role)  # at once, before it looks again by itself
    assert keyring.signing(role).kid == shared[0]
    (new,) = set(kids(keyring, role)) - set(shared)
    assert kids(keyring, role) == [*shared, new]
    clock.now += HOUR
    assert keyring.signing(role).kid == other.signing(role).kid == new
    assert kids(keyring, role) == [new]
    assert kids(keyring) == shared
    assert keyring.roles() == ("tool", "platform", role)
    keyring.rotate(role, clock.now)
    assert (keyring.signing(role).kid, len(kids(keyring, role))) == (new, 2)


def test_whoever_comes_anew_by_a_name_never_gets_the_key_of_before(
    keyring: Keyring, clock: Clock
) -> None:
    role = own("campus")
    keyring.make_own("campus", START, anew=True)
    first = keyring.signing(role).kid
    assert kids(keyring, role) == [first]
    keyring.make_own("campus", START, anew=True)
    second = keyring.signing(role).kid
    assert kids(keyring, role) == [second] != [first]
    keyring.end_own("campus", START)
    assert not keyring.has(role)
    with pytest.raises(ConfigurationError):
        keyring.signing(role)
    assert len(kids(keyring)) == 1
    assert keyring.make_own("campus", START)


def test_a_lost_own_key_is_replaced_by_no_other(folder: Path, keyring: Keyring) -> None:
    keyring.make_own("campus", START, anew=True)
    (pem,) = folder.glob("lms.campus-*.pem")
    assert stat.S_IMODE(pem.stat().st_mode) == 0o600
    pem.unlink()
    again = Keyring.open(folder, Clock())
    assert again.signing("tool")
    with pytest.raises(ConfigurationError, match=r"lms\.campus"):
        again.signing(own("campus"))


# -- files that are not as they should be ---------------------------------------------------------


@pytest.mark.parametrize("pattern", ["secret", "tool-*.pem", "platform-*.pem", "keys.json"])
def test_a_removed_file_is_a_clear_error_and_nothing_is_made_instead(
    folder: Path, clock: Clock, pattern: str
) -> None:
    (file,) = folder.glob(pattern)
    file.unlink()
    left = sorted(folder.iterdir())
    with pytest.raises(ConfigurationError, match="restore it") as caught:
        Keyring.open(folder, clock)
    assert str(file) in str(caught.value)
    assert sorted(folder.iterdir()) == left


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
@pytest.mark.parametrize("pattern", ["secret", "tool-*.pem"])
def test_a_file_that_others_may_read_is_refused_with_the_remedy(
    folder: Path, clock: Clock, pattern: str, mode: int
) -> None:
    (file,) = folder.glob(pattern)
    file.chmod(mode)
    with pytest.raises(ConfigurationError) as caught:
        Keyring.open(folder, clock)
    assert f"chmod 600 {file}" in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "content"),
    [
        ("tool-*.pem", b"not a key"),
        ("secret", b"short"),
        ("keys.json", b"not json"),
        ("keys.json", b"[]"),
        ("keys.json", b'{"keys": [{"kid": "x"}]}'),
    ],
)
def test_a_damaged_file_is_a_clear_error(
    folder: Path, clock: Clock, pattern: str, content: bytes
) -> None:
    (file,) = folder.glob(pattern)
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        Keyring.open(folder, clock)
    assert str(file) in str(caught.value)


def test_a_manifest_cannot_name_files_elsewhere(folder: Path, clock: Clock) -> None:
    manifest = folder / "keys.json"
    rows = json.loads(manifest.read_text())
    rows["keys"][0]["kid"] = "/../../" + "a" * 36
    manifest.write_text(json.dumps(rows))
    with pytest.raises(ConfigurationError, match="not a key manifest"):
        Keyring.open(folder, clock)


def test_a_key_file_with_the_key_of_another_name_is_refused(folder: Path, clock: Clock) -> None:
    (tool,), (platform,) = folder.glob("tool-*.pem"), folder.glob("platform-*.pem")
    tool.write_bytes(platform.read_bytes())
    with pytest.raises(ConfigurationError, match="not the key of this name"):
        Keyring.open(folder, clock)


def test_without_create_nothing_is_made(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(ConfigurationError):
        Keyring.open(tmp_path / "keys", clock, create=False)
    assert not (tmp_path / "keys").exists()


def test_a_place_where_no_folder_can_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(ConfigurationError, match="keys"):
        Keyring.open(tmp_path / "keys", Clock())


def test_a_running_process_keeps_its_keys_when_the_files_vanish_and_says_so(
    folder: Path, keyring: Keyring, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    key = keyring.signing("tool")
    (folder / "keys.json").unlink()
    clock.now += timedelta(minutes=1)
    assert keyring.signing("tool") is key
    assert [record.message for record in caplog.records] == ["keys.unreadable"]
