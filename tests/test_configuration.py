"""The configuration file: the example is complete and good, and bad ones say what is wrong."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from lti_bridge import settings as tables
from lti_bridge.cli import main
from lti_bridge.errors import ConfigurationError
from lti_bridge.settings import (
    ActivityTable,
    AlertsTable,
    BridgeTable,
    ConnectionTable,
    JournalTable,
    Lms11Table,
    Lms13Table,
    load,
    parse,
)
from tests.lms.platform13 import jwk, rsa_key

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "config.example.toml"
NO_NETWORK = "bridge.allow_private: no host name, address or network like 10.0.0.0/8"
SECRETS = {"OLD_LMS_SECRET": "s3", "ISOGRAD_SECRET": "s1", "TOOL_SECRET": "s2"}


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def check(path: Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["config", "check", "--config", str(path)])
    return result.exit_code, result.output


@pytest.mark.usefixtures("secrets")
def test_the_example_is_good() -> None:
    status, said = check(EXAMPLE)
    assert status == 0, said
    assert "good" in said


@pytest.mark.parametrize(
    ("table", "model"),
    [
        ("bridge", BridgeTable),
        ("alerts", AlertsTable),
        ("journal", JournalTable),
        ("lms", Lms11Table),
        ("lms", Lms13Table),
        ("connection", ConnectionTable),
        ("activity", ActivityTable),
    ],
)
def test_every_setting_is_in_the_example(table: str, model: type) -> None:
    written = tomllib.loads(EXAMPLE.read_text())[table]
    entries = written if isinstance(written, list) else [written]
    names = {name for entry in entries for name in entry}
    assert set(model.model_fields) <= names


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (("[bridge]", "[bridge]\nspeed = 3"), "bridge.speed"),
        (
            ("max_in_flight = 20\ncalls_per_minute = 0", "calls_per_minute = -1"),
            "calls_per_minute: must",
        ),
        (("lms_calls_per_minute = 0", "lms_calls_per_minute = -1"), "bridge.lms_calls_per_minute"),
        (("mail_to = []", 'mail_to = ["ops@example.edu"]'), "needs smtp_host and mail_from"),
        (('smtp_host = ""', 'smtp_host = "a b"'), "alerts.smtp_host"),
        (('mail_from = ""', 'mail_from = "a@b\\nBcc: c@d"'), "alerts.mail_from"),
        (('smtp_tls = "starttls"', 'smtp_tls = "off"'), "alerts.smtp_tls"),
        (
            (
                'smtp_host = ""\nsmtp_port = 587\nsmtp_tls = "starttls"',
                'smtp_host = "mx.example.edu"\nsmtp_tls = "none"',
            ),
            "for a mail server on this machine only",
        ),
        (("https://bridge.example.edu", "http://bridge.example.edu"), "bridge.public_url"),
        (("clock_skew_s = 60", "clock_skew_s = 301"), "bridge.clock_skew_s"),
        *(
            (
                ("allow_private = []", f'allow_private = ["10.0.0.0/8", "{wrong}"]'),
                f"{NO_NETWORK}: '{wrong}'",
            )
            for wrong in ("0.0.0.0/0/0", "10.0.0.0/33", "::/129", "10.0.0.300", "two words", "")
        ),
        (("allow_private = []", 'allow_private = ["10.0.0.1/8"]'), "10.0.0.1/8 has host bits set"),
        pytest.param(
            ("deployment_ids = ", "# deployment_ids = "),  # nobody is let in by leaving it out
            "deployment_ids",
            marks=pytest.mark.spec("AMB-15"),
        ),
        (('kind = "isograd"', 'kind = "isograde"'), "kind"),
        (("act_id = 8", "act_id = 13"), "act_id"),
        (('connection = "tosa"', 'connection = "taso"'), "taso"),
        (('name = "old-lms"', 'name = "campus-moodle"'), "campus-moodle"),
        (('"env:TOOL_SECRET"', '"env:NOT_SET"'), "NOT_SET"),
        (('grade = "best"', 'grade = "median"'), "grade"),
        (("jwks_url = ", "# "), "write either jwks_url or public_keys"),
        (('tst_frm_id = "363"', 'tst_form = "363"'), "tst_form"),
        (("[[lms]]", "[[lms"), "config.toml"),
        *(
            (('metrics_token = ""', f'metrics_token = "{wrong}"'), "bridge.metrics_token")
            for wrong in (
                "short",
                "with blanks in between",
                "x" * 201,
                "sixteen-or-more-ä",
                "\\n" * 20,
            )
        ),
        (('metrics_dir = "metrics"', 'metrics_dir = ""'), "bridge.metrics_dir"),
    ],
)
@pytest.mark.usefixtures("secrets")
def test_a_bad_file_names_file_key_and_reason(
    tmp_path: Path, change: tuple[str, str], key: str
) -> None:
    text = EXAMPLE.read_text()
    assert change[0] in text
    path = tmp_path / "config.toml"
    path.write_text(text.replace(*change, 1))
    status, said = check(path)
    assert status == 1
    assert key in said
    assert "config.toml" in said or "connection" in said or "activity" in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("secrets")
def test_given_keys_take_the_place_of_their_address(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    keys = tmp_path / "keys.json"
    text = EXAMPLE.read_text().replace('jwks_url = "https://moodle', '# "', 1)
    path.write_text(text.replace('public_keys = ""', f'public_keys = "file:{keys}"', 1))
    keys.write_text(json.dumps({"keys": [jwk("k", rsa_key("configured"))]}))
    assert check(path)[0] == 0
    keys.write_text('{"keys": []}')
    status, said = check(path)
    assert status == 1
    assert "'campus-moodle': public_keys: must be a JWK set" in said


@pytest.mark.spec("GEN-01")
def test_plain_http_is_for_loopback_only() -> None:
    parse({"bridge": {"public_url": "http://127.0.0.1:8000"}}, "x")
    parse({"bridge": {"public_url": "http://localhost:8000/lti"}}, "x")
    for url in ("http://bridge.example.edu", "http://10.0.0.1", "ftp://bridge.example.edu", "x"):
        with pytest.raises(ConfigurationError):
            parse({"bridge": {"public_url": url}}, "x")


@pytest.mark.spec("GEN-10")
def test_our_own_address_has_neither_query_nor_fragment_nor_user() -> None:
    base = "https://bridge.example.edu/lti"
    assert parse({"bridge": {"public_url": base + "/"}}, "x").bridge.public_url == base
    for url in (base + "?a=1", base + "#top", "https://me@bridge.example.edu"):
        with pytest.raises(ConfigurationError):
            parse({"bridge": {"public_url": url}}, "x")


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    status, said = check(tmp_path / "none.toml")
    assert status == 1
    assert "config.example.toml" in said


def test_secrets_never_show_in_errors(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '[[lms]]\nname = "a"\nlti = "1.1"\nconsumer_key = "k"\nshared_secret = ["very-secret-1"]\n'
        '[[connection]]\nname = "t"\nkind = "lti"\nlaunch_url = "x"\nconsumer_key = "k"\n'
        'shared_secret = "very-secret-2"\nwrong = "very-secret-3"\n'
        '[bridge]\nmetrics_token = "very-secret-4 !"\n'
    )
    status, said = check(path)
    assert status == 1
    assert "very-secret" not in said
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert "very-secret" not in str(caught.value)


def test_wrong_usage_has_exit_status_2() -> None:
    assert CliRunner().invoke(main, ["serve", "--port", "x"]).exit_code == 2
    assert CliRunner().invoke(main, ["nonsense"]).exit_code == 2


@pytest.mark.parametrize(
    ("kind", "attempts", "named"),
    [("demo", "", True), ("demo", "attempts = 0", False), ("demo", "attempts = 2", False),
     ("lti", "", False)],
)  # fmt: skip
def test_activities_that_may_be_bought_without_end_are_named(
    tmp_path: Path, kind: str, attempts: str, named: bool
) -> None:
    keys = {
        "demo": 'base_url = "http://127.0.0.1:1"\napi_key = "k"',
        "lti": 'launch_url = "http://127.0.0.1:1/"\nconsumer_key = "k"\nshared_secret = "s"',
    }
    settings = {"demo": 'settings = { test = "geography" }', "lti": ""}[kind]
    path = tmp_path / "config.toml"
    path.write_text(
        f'[[connection]]\nname = "c"\nkind = "{kind}"\n{keys[kind]}\n'
        f'[[activity]]\nid = "a"\ntitle = "A"\nconnection = "c"\n{settings}\n{attempts}\n'
    )
    ran = CliRunner().invoke(main, ["config", "check", "--config", str(path)])
    assert ran.exit_code == 0, ran.output
    assert ("activity 'a': attempts is not set" in ran.output) == named


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("clock_skew_s = 60", "clock_skew_s = 301"), "clock_skew_s"),
        (("clock_skew_s = 60", "clock_skew_s = -1"), "clock_skew_s"),
        (("timestamp_window_s = ", "timestamp_window_s = 9"), "timestamp_window_s"),
        (('signature = "HMAC-', 'signature = "PLAINTEXT-'), "signature"),
        (("deployment_ids = ", "# "), "deployment_ids"),
        (("jwks_url = ", "# "), "jwks_url"),
        (("https://bridge.example.edu", "http://bridge.example.edu"), "public_url"),
        (("[bridge]", "[bridge]\nverify = false"), "bridge.verify"),
        (("[bridge]", "[bridge]\ncheck_nonce = false"), "bridge.check_nonce"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
@pytest.mark.usefixtures("secrets")
def test_a_check_cannot_be_widened_beyond_its_limit(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    text = EXAMPLE.read_text()
    assert change[0] in text
    path = tmp_path / "config.toml"
    path.write_text(text.replace(*change, 1))
    status, output = check(path)
    assert status == 1
    assert said in output


# Every setting that is a yes or no, or lets in any: what it does. None leaves out a proof.
SWITCHES = {
    "Lms11Table.inline": "links may write activities out",
    "Lms13Table.inline": "links may write activities out",
    "Lms11Table.relaunch": "asks for more: every launch is bound to its browser",
    "Lms13Table.deployment_ids": "which deployments of a client whose launches are signed",
    "Lms13Table.own_key": "asks for more: this LMS has a key of its own",
}


def test_every_switch_is_known() -> None:
    models = [
        one
        for one in vars(tables).values()
        if isinstance(one, type) and issubclass(one, BaseModel) and one is not BaseModel
    ]
    found = {
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if field.annotation is bool or "'any'" in str(field.annotation)
    }
    assert found == SWITCHES.keys()
