"""The commands about LMSs, without a bridge that runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lti_bridge.assembly.basics import now
from lti_bridge.assembly.bridge import build
from lti_bridge.cli import main
from lti_bridge.lms.register import PURPOSE
from lti_bridge.settings import load
from lti_bridge.store.registrations import RegistrationStore
from tests.lms.platform13 import jwk, rsa_key

CONFIG = """
[bridge]
public_url = "https://bridge.example.edu"
database_url = "sqlite:///{folder}/bridge.sqlite3"
queue_url = "sqlite:///{folder}/queue.sqlite3"
keys_dir = "{folder}/keys"

[[lms]]
name = "old"
lti = "1.1"
consumer_key = "old-key"
shared_secret = "old-secret-of-the-test"

[[lms]]
name = "new"
lti = "1.3"
issuer = "https://lms.example.edu"
client_id = "c"
deployment_ids = "any"
authorization_url = "https://lms.example.edu/a"
token_url = "https://lms.example.edu/t"
jwks_url = "https://lms.example.edu/j"
"""
FACTS = {
    "issuer": "https://other.example.edu",
    "client_id": "other",
    "authorization_url": "https://other.example.edu/a",
    "token_url": "https://other.example.edu/t",
    "jwks_url": "https://other.example.edu/j",
}
Run = Callable[..., Result]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration file and its database."""
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(folder=tmp_path), encoding="utf-8")
    build(load(path)).store.database.migrate()
    return path


@pytest.fixture
def run(config: Path) -> Run:
    """A command of the group."""
    return lambda *words: CliRunner().invoke(
        main, ["registrations", *words, "--config", str(config)]
    )


@pytest.fixture
def store(config: Path) -> RegistrationStore:
    """What the running bridge would change."""
    return build(load(config)).lms.store


def register(run: Run, store: RegistrationStore, name: str) -> None:
    """What happens when an LMS opens the address of an invitation."""
    address = json.loads(run("invite", name, "--json").output)["address"]
    token = address.rpartition("/")[2]
    invitation = store.use_invitation(token, PURPOSE, now())
    assert invitation
    exchange = [{"request": "GET x", "status": 200, "sent": None, "answered": {"issuer": "x"}}]
    assert store.add(invitation, FACTS, exchange, now(), active=False)


def test_an_invitation_is_an_address_and_its_name_is_taken_once(run: Run) -> None:
    said = run("invite", "campus")
    assert said.exit_code == 0
    address = said.output.split()[-1]
    assert address.startswith("https://bridge.example.edu/lti/register/")
    assert len(address.rpartition("/")[2]) >= 32
    assert run("invite", "campus").exit_code == 1
    assert run("invite", "old").exit_code == 1
    assert run("invite", "no/name").exit_code == 2
    assert run("invite", "other", "--days", "0").exit_code == 2
    listed = run("list", "--json").output
    assert address.rpartition("/")[2] not in listed + run("show", "campus", "--json").output


def test_an_open_invitation_is_withdrawn(run: Run, store: RegistrationStore) -> None:
    address = json.loads(run("invite", "campus", "--json").output)["address"]
    said = run("retire", "campus")
    assert (said.exit_code, said.output) == (0, "The invitation campus is withdrawn.\n")
    assert store.use_invitation(address.rpartition("/")[2], PURPOSE, now()) is None
    assert "campus                   withdrawn" in run("list").output
    assert run("retire", "campus").exit_code == 1
    assert run("invite", "campus").exit_code == 0


def test_a_registration_is_approved_shown_and_retired(run: Run, store: RegistrationStore) -> None:
    register(run, store, "campus")
    assert "pending  1.3  campus" in run("list").output
    assert run("approve", "campus").exit_code == 0
    assert run("approve", "campus").exit_code == 1
    shown = run("show", "campus")
    assert "https://other.example.edu/t" in shown.output
    assert "GET x: 200" in shown.output
    assert json.loads(run("show", "campus", "--json").output)["registration"]["state"] == "active"
    assert run("retire", "campus").exit_code == 0
    assert run("retire", "campus").exit_code == 1
    assert "retired  1.3  campus" in run("list").output


def test_what_cannot_be_is_refused_with_a_reason(run: Run) -> None:
    for words, reason in (
        (("show", "nobody"), "neither"),
        (("approve", "nobody"), "waits"),
        (("approve", "new"), "waits"),
        (("retire", "nobody"), "no registration"),
        (("retire", "old"), "take it out there"),
        (("link", "new", "old"), "no LTI 1.1"),
        (("link", "old", "nobody"), "no LTI 1.3"),
        (("unlink", "nobody", "new"), "no LTI 1.1"),
    ):
        said = run(*words)
        assert said.exit_code == 1, words
        assert reason in said.output, words


def test_deployments_and_keys_of_an_invited_lms_are_set(
    config: Path, run: Run, store: RegistrationStore, tmp_path: Path
) -> None:
    register(run, store, "campus")
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [jwk("k", rsa_key("campus"))]}), encoding="utf-8")
    bad = tmp_path / "bad.json"
    bad.write_text('{"keys": []}', encoding="utf-8")

    def facts() -> tuple[object, object]:
        found = json.loads(run("show", "campus", "--json").output)["registration"]
        return found["deployment_ids"], found.get("public_keys", "")

    assert facts() == ("any", "")
    for wrong in (
        (),
        ("--deployment", ""),
        ("--deployment", "1", "--any-deployment"),
        ("--keys", str(keys), "--fetch-keys"),
        ("--keys", str(tmp_path / "nowhere")),
    ):
        assert run("set", "campus", *wrong).exit_code == 2, wrong
    for name, changes, reason in (
        ("nobody", ("--deployment", "1"), "no registration"),
        ("new", ("--deployment", "1"), "change it there"),
        ("campus", ("--keys", str(bad)), "must be a JWK set"),
    ):
        said = run("set", name, *changes)
        assert said.exit_code == 1, name
        assert reason in said.output, name
    assert facts() == ("any", "")
    set_both = ("--deployment", "2", "--deployment", "1", "--keys", str(keys))
    assert run("set", "campus", *set_both).exit_code == 0
    assert facts() == (["1", "2"], keys.read_text("utf-8"))
    assert run("approve", "campus").exit_code == 0
    examined = CliRunner().invoke(main, ["doctor", "--json", "--config", str(config)])
    known = {one["what"]: one["said"] for one in json.loads(examined.stdout)}
    assert known["lms campus"] == "1 keys, given by hand"
    assert run("set", "campus", "--any-deployment").exit_code == 0
    assert run("set", "campus", "--fetch-keys").exit_code == 0
    assert facts() == ("any", "")
    assert run("retire", "campus").exit_code == 0
    assert run("set", "campus", "--deployment", "1").exit_code == 1


def test_every_value_that_a_registration_brought_is_corrected_by_command(
    run: Run, store: RegistrationStore
) -> None:
    register(run, store, "campus")
    right = {
        "issuer": "https://right.example.edu",
        "client-id": "another",
        "authorization-url": "https://right.example.edu/auth",
        "token-url": "https://right.example.edu/token",
        "jwks-url": "https://right.example.edu/keys",
        "audience": "https://right.example.edu/audience",
    }
    options = [word for name, value in right.items() for word in (f"--{name}", value)]
    said = run("set", "campus", *options)
    assert said.exit_code == 0, said.output
    assert "WARNING" not in said.output
    assert run("approve", "campus").exit_code == 0
    [known] = store.stored().active
    renamed = {"audience": "auth_audience"}
    assert {renamed.get(n, n.replace("-", "_")): v for n, v in right.items()}.items() <= (
        known.items()
    )
    # a host that is not plainly its own is said, with the way to say that it is
    warned = run("set", "campus", "--token-url", "https://tokens.example.org/t")
    assert warned.exit_code == 0
    assert "tokens.example.org is not the issuer's" in warned.output
    assert "--service-host" in warned.output


def test_no_correction_makes_an_lms_another_one(run: Run, store: RegistrationStore) -> None:
    register(run, store, "campus")
    assert run("approve", "campus").exit_code == 0
    before = store.registrations()
    for options, status, reason in (
        (("--issuer", "https://lms.example.edu", "--client-id", "c"), 1, "'new' in the file"),
        (("--token-url", "https://lms.example.edu/t"), 1, "'new'"),
        (("--token-url", "http://other.example.edu/t"), 2, "https://"),
        (("--jwks-url", "file:///etc/passwd"), 2, "must be an address"),
        (("--authorization-url", ""), 2, "must be an address"),
        (("--client-id", ""), 2, "1 to 255"),
        (("--issuer", "x" * 256), 2, "1 to 255"),
    ):
        said = run("set", "campus", *options)
        assert said.exit_code == status, said.output
        assert reason in said.output, said.output
    assert store.registrations() == before
    facts = {**FACTS, "issuer": "https://third.example.edu"}
    token = json.loads(run("invite", "third", "--json").output)["address"].rpartition("/")[2]
    invitation = store.use_invitation(token, PURPOSE, now())
    assert invitation
    assert store.add(invitation, facts, [], now(), active=False)
    taken = run("set", "third", "--issuer", FACTS["issuer"])
    assert (taken.exit_code, "'campus' has this issuer" in taken.output) == (1, True)
    assert not store.change("third", {"issuer": FACTS["issuer"]})  # nor in a race


def test_an_lms_is_approved_as_the_successor_of_another_in_one_step(
    run: Run, store: RegistrationStore
) -> None:
    register(run, store, "campus")
    for former in ("nobody", "new", "campus"):
        said = run("approve", "campus", "--former", former)
        assert (said.exit_code, "no LTI 1.1" in said.output) == (1, True)
    assert store.stored().active == ()
    said = run("approve", "campus", "--former", "old")
    assert said.exit_code == 0
    assert "continue what was begun by old" in said.output
    assert store.stored().linked == {("campus", "old")}
    assert [one["name"] for one in store.stored().active] == ["campus"]


def test_keys_of_single_lmss_are_made_rotated_and_looked_at(
    config: Path, run: Run, store: RegistrationStore
) -> None:
    def keys(*words: str) -> Result:
        return CliRunner().invoke(main, ["keys", *words, "--config", str(config)])

    def finding() -> tuple[str, bool]:
        said = CliRunner().invoke(main, ["doctor", "--json", "--config", str(config)]).stdout
        [one] = [one for one in json.loads(said) if one["what"] == "own keys"]
        return one["said"], bool(one["remedy"])

    assert finding() == ("0 LMSs have keys of their own", False)
    register(run, store, "campus")
    assert run("approve", "campus").exit_code == 0
    assert finding() == ("signed for with the key that all LMSs know: campus", True)
    assert keys("rotate", "--lms", "campus").exit_code == 1
    assert run("set", "new", "--own-key", "--yes").exit_code == 1
    assert run("set", "nobody", "--own-key", "--yes").exit_code == 1
    assert "lms.campus" not in keys("list").output
    assert "/lti/jwks\n" in run("show", "campus").output
    assert run("set", "campus", "--own-key", "--yes").exit_code == 0
    assert "/lti/jwks/campus\n" in run("show", "campus").output
    assert finding() == ("1 LMSs have keys of their own", False)
    assert keys("rotate", "--lms", "campus").exit_code == 0
    uses = [one["use"] for one in json.loads(keys("list", "--json").output)
            if one["role"] == "lms.campus"]  # fmt: skip
    assert uses == ["next", "next"]
    for pem in (config.parent / "keys").glob("lms.campus-*.pem"):
        pem.unlink()
    manifest = config.parent / "keys" / "keys.json"
    kept = [one for one in json.loads(manifest.read_text())["keys"] if one["role"] != "lms.campus"]
    manifest.write_text(json.dumps({"keys": kept}))
    assert finding() == ("no key for campus", True)


def test_who_succeeds_whom_is_said_and_taken_back(run: Run) -> None:
    assert run("link", "old", "new").exit_code == 0
    assert "linked        old -> new" in run("list").output
    assert run("unlink", "old", "new").exit_code == 0
    assert "parted        old -> new" in run("list").output


@pytest.mark.spec("SECP-50")
def test_no_secret_is_in_the_database_or_shown(
    run: Run, store: RegistrationStore, config: Path
) -> None:
    register(run, store, "campus")
    shown = "".join(
        run(*words, "--json").output
        for words in (("list",), ("show", "old"), ("show", "new"), ("show", "campus"))
    )
    kept = b"".join(path.read_bytes() for path in config.parent.glob("*.sqlite3*"))
    for secret in ("old-secret-of-the-test", "PRIVATE KEY"):
        assert secret not in shown
        assert secret.encode() not in kept
    assert b"campus" in kept


def test_an_lms_that_registers_itself_can_be_named_in_the_file(
    config: Path, run: Run, store: RegistrationStore
) -> None:
    table = (
        '\n[[connection]]\nname = "d"\nkind = "demo"\nbase_url = "https://demo.example.org"\n'
        'api_key = "key-of-the-test"\nlms = ["new", "moodle"]\n'
    )
    config.write_text(config.read_text("utf-8") + table, encoding="utf-8")
    checked = CliRunner().invoke(main, ["config", "check", "--config", str(config)])
    assert checked.exit_code == 0, checked.output
    assert "connection 'd': lms: 'moodle' is not in this file" in checked.output
    assert "'new'" not in checked.output

    def finding() -> tuple[str, bool]:
        said = CliRunner().invoke(main, ["doctor", "--json", "--config", str(config)]).stdout
        [one] = [one for one in json.loads(said) if one["what"] == "lms keys"]
        return one["said"], bool(one["remedy"])

    assert finding() == ("not registered: connection 'd': lms: 'moodle'", True)
    register(run, store, "moodle")
    assert run("approve", "moodle").exit_code == 0
    assert finding() == ("all LMSs that are named are registered", False)
