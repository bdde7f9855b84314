"""Dynamic registration: who may start it, what is asked, and what an LMS may answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lti_bridge.errors import (
    BadRequest,
    ConfigurationError,
    InvitationRefused,
    LmsWaiting,
    OpenedOutsideLms,
    RegistrationRefused,
    UnknownIssuer,
)
from lti_bridge.lms.config_documents import ToolFacts
from lti_bridge.lms.directory import Directory
from lti_bridge.lms.register import MAX_BODY, PURPOSE, Registered, Registering
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lms.tool_registration import PLATFORM, TOOL
from lti_bridge.net import Client, Response
from lti_bridge.store.engine import Database
from lti_bridge.store.registrations import RegistrationStore

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
OURS = "https://bridge.example.edu"
TOOL_FACTS = ToolFacts("Tests", OURS, f"{OURS}/lti/launch", f"{OURS}/lti/login", f"{OURS}/lti/jwks")
MOODLE = "https://moodle.example.edu"
CONFIGURATION = f"{MOODLE}/mod/lti/openid-configuration.php"
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
GOOD = "good"
IN_FILE = Registration13(
    "in-file", "https://file.example.edu", "c", f"{OURS}/a", f"{OURS}/t", f"{OURS}/j"
)


def platform(issuer: str = MOODLE, base: str = "", **changes: Any) -> dict[str, Any]:
    """What Moodle 4.5 says of itself; None leaves a member out."""
    base = base or issuer
    said = {
        "issuer": issuer,
        "authorization_endpoint": f"{base}/mod/lti/auth.php",
        "token_endpoint": f"{base}/mod/lti/token.php",
        "jwks_uri": f"{base}/mod/lti/certs.php",
        "registration_endpoint": f"{base}/mod/lti/openid-registration.php",
        "scopes_supported": ["openid", AGS + "lineitem", AGS + "result.readonly", AGS + "score"],
        "claims_supported": ["sub", "iss", "name", "given_name", "family_name", "email"],
        PLATFORM: {
            "product_family_code": "moodle",
            "messages_supported": [
                {"type": "LtiResourceLinkRequest"},
                {"type": "LtiDeepLinkingRequest", "placements": ["ContentArea"]},
            ],
            "variables": ["User.id", "Context.id.history", "ResourceLink.id.history"],
        },
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}


@dataclass
class Lms:
    """The HTTP edge: what an LMS answers, and what it was asked."""

    configuration: Any = field(default_factory=platform)
    answer: Any = None  # to the registration; None: Moodle's echo with ids
    status: int = 200
    asked: list[tuple[str, str, Mapping[str, str], Any]] = field(default_factory=list)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        max_bytes: int | None = None,
    ) -> Response:
        assert max_bytes == MAX_BODY
        sent = json.loads(body) if body else None
        self.asked.append((method, url, dict(headers or {}), sent))
        if method == "GET":
            return self._said(200, self.configuration)
        echo = {**(sent or {}), "client_id": "Xy12"}
        echo[TOOL] = {**echo.get(TOOL, {}), "deployment_id": "7"}
        return self._said(self.status, echo if self.answer is None else self.answer)

    def _said(self, status: int, value: Any) -> Response:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return Response(status, {"Content-Type": "text/html"}, body)  # as Moodle does


class Office:
    """The bridge's side: an own database, and an LMS at the other end."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder}/bridge.sqlite3")
        self.database.migrate()
        self.store = RegistrationStore(self.database)
        self.lms = Lms()
        self.keys: list[str] = []  # that were made
        self.no_key = ""  # why none can be made
        self.seconds = 0.0
        self.now = NOW
        self.directory = self.other_process()

    def other_process(self) -> Directory:
        """What another process of the bridge knows."""
        return Directory([], [IN_FILE], self.store, lambda: self.seconds)

    def invite(self, invitation: str = GOOD, name: str = "campus", **changes: Any) -> None:
        values = {"approve": True, "purpose": PURPOSE, **changes}
        self.store.invite(invitation, name, self.now, self.now + timedelta(days=1), **values)

    def open(
        self, invitation: str = GOOD, send: Callable[..., Response] | None = None, **more: str
    ) -> Registered:
        """Open the address as the LMS does."""
        values = {"invitation": invitation, "openid_configuration": CONFIGURATION, **more}
        registering = Registering(
            self.store,
            self.directory,
            send or self.lms.send,
            TOOL_FACTS,
            lambda: self.now,
            self._make_key,
        )
        try:
            return registering.register({name: [value] for name, value in values.items() if value})
        finally:
            self.seconds += 1  # by then the process looks who has come

    def _make_key(self, name: str) -> None:
        if self.no_key:
            raise ConfigurationError(self.no_key)
        self.keys.append(name)

    def outcome(self) -> dict[str, Any]:
        return self.store.invitations()[-1]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.database.close()


@pytest.mark.spec("T13DR-01", "T13DR-02", "T13DR-04")
def test_the_lms_is_asked_with_its_token_and_told_who_we_are(office: Office) -> None:
    office.invite()
    office.open(registration_token="reg-token")
    (get, first, headers, _), (post, second, same, sent) = office.lms.asked
    assert (get, first) == ("GET", CONFIGURATION)
    assert (post, second) == ("POST", f"{MOODLE}/mod/lti/openid-registration.php")
    assert headers["Authorization"] == same["Authorization"] == "Bearer reg-token"
    assert same["Content-Type"] == "application/json"
    assert sent == {
        "application_type": "web",
        "response_types": ["id_token"],
        "grant_types": ["implicit", "client_credentials"],
        "initiate_login_uri": f"{OURS}/lti/login",
        "redirect_uris": [f"{OURS}/lti/launch"],
        "client_name": "Tests",
        "jwks_uri": f"{OURS}/lti/jwks/campus",
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": f"{AGS}lineitem {AGS}result.readonly {AGS}score",
        TOOL: {
            "domain": "bridge.example.edu",
            "description": sent[TOOL]["description"],
            "target_link_uri": f"{OURS}/lti/launch",
            "claims": ["iss", "sub", "name", "given_name", "family_name", "email"],
            "custom_parameters": {
                "context_id_history": "$Context.id.history",
                "resource_link_id_history": "$ResourceLink.id.history",
            },
            "messages": [
                {
                    "type": "LtiDeepLinkingRequest",
                    "target_link_uri": f"{OURS}/lti/launch",
                    "label": "Tests",
                    "placements": ["ContentArea"],
                },
                {"type": "LtiResourceLinkRequest", "target_link_uri": f"{OURS}/lti/launch"},
            ],
        },
    }


@pytest.mark.spec("T13DR-05")
def test_client_and_addresses_are_kept_and_any_deployment_of_the_client_is_let_in(
    office: Office,
) -> None:
    office.invite()
    done = office.open()
    assert (done.name, done.issuer, done.active) == ("campus", MOODLE, True)
    found = office.directory.find(MOODLE, "Xy12")
    assert (found.name, found.token_url) == ("campus", f"{MOODLE}/mod/lti/token.php")
    assert found.jwks_url == f"{MOODLE}/mod/lti/certs.php"
    assert found.authorization_url == f"{MOODLE}/mod/lti/auth.php"
    assert found.deployment_ids is None
    assert office.store.registrations()[0]["deployment_id"] == "7"


CANVAS = platform(
    "https://canvas.instructure.com",
    "https://sso.canvaslms.com",
    registration_endpoint="https://campus.instructure.com/api/lti/registrations",
    scopes_supported=["openid", AGS + "lineitem", AGS + "score", NRPS],
)
BRIGHTSPACE = platform(
    "https://campus.brightspace.com",
    authorization_server="https://api.brightspace.com/auth/token",
    claims_supported=None,
)
BRIGHTSPACE.pop(PLATFORM)


@pytest.mark.spec("T13DR-05")
@pytest.mark.parametrize(
    ("configuration", "url", "status", "answer", "client"),
    [
        (
            CANVAS,
            "https://sso.canvaslms.com/api/lti/security/openid-configuration",
            200,
            {"client_id": "10000000000042", "redirect_uris": [f"{OURS}/lti/launch"]},
            "10000000000042",
        ),
        (
            platform(),
            CONFIGURATION,
            200,
            {"client_id": "php", "redirect_uris": {}, TOOL: []},
            "php",
        ),
        (
            BRIGHTSPACE,
            "https://campus.brightspace.com/d2l/.well-known/openid-configuration",
            201,
            {"client_id": "f3b6e0a2-0000-4000-8000-000000000000", TOOL: None, "scope": None},
            "f3b6e0a2-0000-4000-8000-000000000000",
        ),
        (platform(), CONFIGURATION, 200, {"client_id": 42, TOOL: {"deployment_id": 3}}, "42"),
    ],
    ids=["canvas", "php", "brightspace", "numbers"],
)
def test_the_answers_of_other_lmss_are_understood(
    office: Office, configuration: Any, url: str, status: int, answer: Any, client: str
) -> None:
    office.invite()
    office.lms = Lms(configuration, answer, status)
    office.open(openid_configuration=url)
    found = office.directory.find(configuration["issuer"], client)
    assert found.auth_audience == configuration.get("authorization_server", "")


@pytest.mark.spec("T13DR-07", "SECP-55")
@pytest.mark.parametrize("case", ["none", "unknown", "used", "expired", "other purpose"])
def test_without_a_good_invitation_nobody_is_called(office: Office, case: str) -> None:
    if case == "other purpose":
        office.invite(purpose="something-else")
    elif case != "unknown":
        office.invite()
    if case == "used":
        office.open()
    if case == "expired":
        office.now += timedelta(days=2)
    office.lms.asked.clear()
    with pytest.raises(InvitationRefused):
        office.open("" if case == "none" else "good")
    assert office.lms.asked == []
    assert len(office.store.registrations()) == (1 if case == "used" else 0)


def test_an_address_opened_in_a_browser_leaves_the_invitation_good(office: Office) -> None:
    office.invite()
    for address in ("", "http://moodle.example.edu/c", "javascript:alert(1)", "https://x" * 400):
        with pytest.raises(BadRequest):
            office.open(openid_configuration=address)
    with pytest.raises(OpenedOutsideLms):
        office.open(openid_configuration="")
    with pytest.raises(BadRequest):
        Registering(
            office.store, office.directory, office.lms.send, TOOL_FACTS, lambda: NOW, print
        ).register({"invitation": ["good", "good"]})
    assert office.lms.asked == []
    assert office.open().name == "campus"


@pytest.mark.spec("T13DR-03")
@pytest.mark.parametrize(
    "configuration",
    [
        platform("https://other.example.edu"),
        platform("https://moodle.example.edu.example.org"),
        platform("moodle.example.edu"),
        platform(""),
        platform("https://canvas.instructure.com"),
        platform(authorization_endpoint="http://moodle.example.edu/auth"),
        platform(token_endpoint="http://moodle.example.edu/token"),
        platform(jwks_uri="file:///etc/passwd"),
        platform(jwks_uri=None),
        platform(registration_endpoint="http://moodle.example.edu/reg"),
        platform(registration_endpoint=["https://moodle.example.edu/reg"]),
        platform(issuer={"a": 1}),
        [platform()],
        b"<!doctype html><p>Log in",
        b"\xff\xfe{",
        b"[" * 200_000,
    ],
)
def test_a_configuration_that_does_not_fit_ends_before_anything_is_sent(
    office: Office, configuration: Any
) -> None:
    office.invite()
    office.lms.configuration = configuration
    with pytest.raises(RegistrationRefused):
        office.open(registration_token="reg-token")
    assert [asked[0] for asked in office.lms.asked] == ["GET"]
    assert office.store.registrations() == []
    assert office.outcome()["outcome"] not in ("", "registered")


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (422, {"errors": [{"field": "scope", "message": "unknown scope"}]}),
        (401, b"token_already_used"),
        (200, {}),
        (200, {"client_id": ""}),
        (200, {"client_id": "x" * 300}),
        (200, {"client_id": ["Xy12"]}),
        (200, {"client_id": True}),
        (200, {"client_id": "Xy12", "redirect_uris": ["https://elsewhere.example.org/"]}),
        (200, b"null"),
        (200, b'{"a":' + b"[" * 700 + b"]" * 700 + b"}"),
        (302, b""),
    ],
)
def test_an_answer_that_registers_nothing_is_kept_for_the_admin(
    office: Office, status: int, answer: Any
) -> None:
    office.invite()
    office.lms.status, office.lms.answer = status, answer
    with pytest.raises(RegistrationRefused):
        office.open()
    assert office.store.registrations() == []
    assert office.outcome()["exchange"][1]["status"] == status
    # only a registration uses the invitation up
    office.lms.status, office.lms.answer = 200, None
    assert office.open().active
    assert office.outcome()["outcome"] == "registered"
    with pytest.raises(InvitationRefused):
        office.open()


def test_an_invitation_whose_try_broke_off_is_good_again_after_a_while(office: Office) -> None:
    office.invite()

    def broken(*_args: Any, **_more: Any) -> Response:
        raise SystemExit

    with pytest.raises(SystemExit):
        office.open(send=broken)
    with pytest.raises(InvitationRefused):  # it may still be under way
        office.open()
    office.now += timedelta(minutes=6)
    assert office.open().active
    office.now += timedelta(minutes=6)
    with pytest.raises(InvitationRefused):
        office.open()


def test_the_holder_of_the_invitation_reads_what_was_wrong(office: Office) -> None:
    office.invite()
    office.lms.status, office.lms.answer = 422, {"errors": []}
    with pytest.raises(RegistrationRefused) as caught:
        office.open()
    assert "openid-registration.php: the LMS answered 422" in caught.value.said


@pytest.mark.spec("SECP-34")
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "10.1.2.3", "169.254.169.254", "192.168.0.1", "[fd00::1]", "2130706433",
     "localhost", "[::ffff:127.0.0.1]", "0x7f.1"],
)  # fmt: skip
def test_private_addresses_are_never_called(office: Office, host: str) -> None:
    office.invite()
    client = Client(user_agent="test", timeout_s=30)
    url = f"https://{host}/openid-configuration"
    with pytest.raises((RegistrationRefused, BadRequest)):
        office.open(send=client.send, openid_configuration=url)
    kept = office.outcome()["exchange"]
    assert not kept or ("failed" in kept[0] and "status" not in kept[0])
    assert office.store.registrations() == []


def test_what_is_kept_holds_no_token(office: Office) -> None:
    office.invite("invitation-token")
    office.lms.answer = {
        "client_id": "Xy12",
        "registration_access_token": "secret-a",
        "nested": [{"client_secret": "secret-b"}, "reg-token"],
        "registration_client_uri": f"{MOODLE}/reg?token=secret-c",
    }
    office.open(
        "invitation-token",
        registration_token="reg-token",
        openid_configuration=f"{CONFIGURATION}?registration_token=reg-token",
    )
    kept = json.dumps(office.outcome(), default=str)
    for secret in ("secret-a", "secret-b", "secret-c", "reg-token", "invitation-token"):
        assert secret not in kept
    assert f"GET {CONFIGURATION}" in kept
    office.lms.answer = None
    office.invite("another", "other")
    office.lms.configuration = platform(
        "https://other.example.edu", token_endpoint_auth_methods_supported=["private_key_jwt"]
    )
    office.open("another", openid_configuration="https://other.example.edu/c")
    read, registered = office.outcome()["exchange"]
    assert read["answered"]["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert registered["answered"]["token_endpoint_auth_method"] == "private_key_jwt"
    assert "context_id_history" in kept
    with office.database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM invitations").fetchall()
    assert "invitation-token" not in str(rows)


@pytest.mark.spec("SECP-55")
def test_one_that_waits_for_approval_is_told_so_until_an_admin_approves(office: Office) -> None:
    office.invite(approve=False)
    assert not office.open().active
    elsewhere = office.other_process()
    for client in ("Xy12", ""):
        with pytest.raises(LmsWaiting) as caught:
            elsewhere.find(MOODLE, client)
        assert "registrations approve campus" in caught.value.hint
    for issuer, client in ((MOODLE, "another"), ("https://b.example.edu", "Xy12")):
        with pytest.raises(UnknownIssuer) as other:
            elsewhere.find(issuer, client)
        assert other.type is UnknownIssuer
    assert office.store.approve("campus", NOW)
    assert not office.store.approve("campus", NOW)
    office.seconds += 0.5  # an unknown LMS is looked up at once
    assert elsewhere.find(MOODLE, "Xy12").name == "campus"
    assert office.store.retire("campus", NOW)
    office.seconds += 3
    with pytest.raises(UnknownIssuer) as gone:
        elsewhere.find(MOODLE, "Xy12")
    assert gone.type is UnknownIssuer
    assert elsewhere.get("campus") is None


def test_many_questions_ask_the_database_once_in_two_seconds(office: Office) -> None:
    office.invite()
    office.open()
    office.directory.find(MOODLE, "Xy12")
    statements: list[str] = []
    connection = office.database.engine.raw_connection()
    connection.driver_connection.set_trace_callback(statements.append)
    connection.close()
    for _ in range(50):
        office.directory.find(MOODLE, "Xy12")
        office.directory.named("campus")
    assert statements == []
    office.seconds += 3
    office.directory.find(MOODLE, "Xy12")
    assert len([one for one in statements if one.startswith("SELECT")]) == 1


def test_a_database_that_is_away_leaves_what_was_known(office: Office) -> None:
    office.invite()
    office.open()
    assert office.directory.find(MOODLE, "Xy12").name == "campus"
    with office.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE counters RENAME TO gone")
    office.seconds += 10
    assert office.directory.find(MOODLE, "Xy12").name == "campus"


@pytest.mark.spec("SECP-38")
def test_the_file_wins_and_a_clash_names_both(office: Office) -> None:
    office.invite(name="in-file")
    with pytest.raises(RegistrationRefused, match="'in-file'"):
        office.open()
    office.invite("second", name="same-client")
    office.lms.configuration = platform("https://file.example.edu")
    office.lms.answer = {"client_id": "c"}
    url = "https://file.example.edu/c"
    with pytest.raises(RegistrationRefused, match=r"'same-client'.*'in-file'"):
        office.open("second", openid_configuration=url)
    assert office.store.registrations() == []
    # a name that came into the file later
    office.lms = Lms()
    office.invite("third", name="later")
    office.open("third")
    later = Registration13("later", "https://l.example.edu", "c", OURS, OURS, OURS)
    directory = Directory([], [later], office.store, lambda: 0.0)
    assert directory.named("later") is later
    assert ["'later'" in problem for problem in directory.clashes()] == [True]


@pytest.mark.spec("SECP-38")
def test_two_lmss_with_the_same_client_id_stay_two(office: Office) -> None:
    office.invite()
    office.invite("second", name="other")
    office.open()
    office.lms.configuration = platform("https://b.example.edu")
    office.open("second", openid_configuration="https://b.example.edu/c")
    assert office.directory.find(MOODLE, "Xy12").name == "campus"
    assert office.directory.find("https://b.example.edu", "Xy12").name == "other"
    # the same one again is refused
    office.invite("third", name="again")
    with pytest.raises(RegistrationRefused):
        office.open("third", openid_configuration="https://b.example.edu/c")


def test_a_name_of_the_file_gets_no_key_and_the_lms_is_not_registered(office: Office) -> None:
    office.invite(name="in-file")
    with pytest.raises(RegistrationRefused, match="configuration file"):
        office.open()
    assert office.keys == []
    assert [method for method, *_ in office.lms.asked] == ["GET"]
    assert "configuration file" in office.outcome()["outcome"]


def test_a_key_that_cannot_be_made_ends_the_registration_in_words(office: Office) -> None:
    office.invite()
    office.no_key = "the folder of keys cannot be written"
    with pytest.raises(RegistrationRefused, match="cannot be written"):
        office.open()
    assert [method for method, *_ in office.lms.asked] == ["GET"]
    assert office.outcome()["outcome"] == office.no_key


def test_what_is_too_long_is_refused_and_leaves_the_invitation_good(office: Office) -> None:
    office.invite()
    for name, length, said in (
        ("registration_token", 4097, "registration_token is repeated or too long"),
        ("openid_configuration", 4097, "openid_configuration is repeated or too long"),
    ):
        with pytest.raises(BadRequest) as caught:
            office.open(**{name: "x" * length})
        assert caught.value.detail == said
    assert office.store.registrations() == []
    office.open(registration_token="x" * 4096)
    assert len(office.store.registrations()) == 1
