"""A tool registers itself: with a token, once, and with nothing that is not its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lti_bridge.store.engine import Database
from lti_bridge.store.registrations import RegistrationStore
from lti_bridge.store.tools import ToolStore
from tests.platform.bridge13 import PUBLIC, Bridge13, open_bridge

TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
PATH = "/platform/register"
AT = "https://new.example.org"
SCORE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"


class Registry:
    """A bridge, its invitations and its tools."""

    def __init__(self, folder: Any, *allow_private: str) -> None:
        self.bridge: Bridge13 = open_bridge(folder, allow_private)
        database = Database(f"sqlite:///{folder}/b.sqlite3")
        self.invitations, self.tools = RegistrationStore(database), ToolStore(database)
        self.count = 0

    def invite(self, *, purpose: str = "tool", hours: float = 1) -> tuple[str, str]:
        """A new name and its token."""
        self.count += 1
        name, token = f"tool-{self.count}", f"token-{self.count}"
        now = datetime.now(UTC) - timedelta(hours=2)
        until = datetime.now(UTC) + timedelta(hours=hours)
        self.invitations.invite(token, name, now, until, approve=False, purpose=purpose)
        return name, token

    def send(self, token: str | None, body: object, scheme: str = "Bearer") -> Any:
        headers = {} if token is None else {"Authorization": f"{scheme} {token}"}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.bridge.client.post(
            PATH, data=data, headers=headers, base_url=PUBLIC, content_type="application/json"
        )

    def find(self, name: str) -> dict[str, Any] | None:
        return next((one for one in self.tools.tools() if one["name"] == name), None)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(tmp_path_factory.mktemp("registry"))


def metadata(**changes: Any) -> dict[str, Any]:
    """What a good tool says; None leaves something out, and tool_… changes the part about LTI."""
    tool = {
        "domain": "new.example.org",
        "target_link_uri": f"{AT}/launch",
        "custom_parameters": {"always": "$Context.title"},
        "claims": ["iss", "sub"],
        "messages": [
            {"type": "LtiResourceLinkRequest"},
            {"type": "LtiDeepLinkingRequest", "target_link_uri": f"{AT}/choose"},
        ],
        **{name[5:]: value for name, value in changes.items() if name.startswith("tool_")},
    }
    found = {
        "application_type": "web",
        "response_types": ["id_token"],
        "grant_types": ["implicit", "client_credentials"],
        "initiate_login_uri": f"{AT}/login",
        "redirect_uris": [f"{AT}/launch"],
        "client_name": "A new tool",
        "jwks_uri": f"{AT}/jwks",
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": f"{SCORE} https://tool.example.org/unknown",
        TOOL: {name: value for name, value in tool.items() if value is not None},
    }
    found.update({k: v for k, v in changes.items() if not k.startswith("tool_")})
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.spec("P13DR-02", "P13DR-03", "GEN-01")
def test_the_platform_says_what_it_is(registry: Registry) -> None:
    told = json.loads(registry.bridge.get("/.well-known/openid-configuration").text)
    assert told["issuer"] == PUBLIC
    assert told["authorization_endpoint"] == f"{PUBLIC}/platform/authorize"
    assert told["registration_endpoint"] == PUBLIC + PATH
    assert told["jwks_uri"] == f"{PUBLIC}/platform/jwks"
    assert told["token_endpoint"] == f"{PUBLIC}/platform/token"
    assert told["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert told["token_endpoint_auth_signing_alg_values_supported"] == ["RS256"]
    assert "openid" in told["scopes_supported"]
    assert SCORE in told["scopes_supported"]
    assert told["response_types_supported"] == ["id_token"]
    assert told["id_token_signing_alg_values_supported"] == ["RS256"]
    assert {"iss", "sub", "email"} <= set(told["claims_supported"])
    assert told["subject_types_supported"] == ["pairwise"]
    platform = told[PLATFORM]
    assert platform["product_family_code"] == "lti-bridge"
    assert platform["version"]
    types = [message["type"] for message in platform["messages_supported"]]
    assert types == ["LtiResourceLinkRequest", "LtiDeepLinkingRequest"]
    assert "Context.title" in platform["variables"]
    assert {urlsplit(told[name]).hostname for name in told if name.endswith("_endpoint")} == {
        urlsplit(PUBLIC).hostname
    }


@pytest.mark.spec("P13DR-08", "P13DR-04")
def test_a_good_registration_waits_for_an_admin(registry: Registry) -> None:
    name, token = registry.invite()
    answer = registry.send(token, metadata())
    assert answer.status_code == 200, answer.data
    told = answer.json
    assert told["scope"] == SCORE
    assert told["client_name"] == "A new tool"
    assert told["redirect_uris"] == [f"{AT}/launch"]
    assert told[TOOL]["deployment_id"] == "1"
    found = registry.find(name)
    assert found is not None
    assert found["state"] == "pending"
    assert found["client_id"] == told["client_id"]
    assert found["connection"]["deep_link_url"] == f"{AT}/choose"
    assert found["connection"]["services"] == ["ags"]
    assert registry.tools.active() == []
    login = {"client_id": told["client_id"], "redirect_uri": f"{AT}/launch"}
    assert registry.bridge.post("/platform/authorize", login).status == 400


@pytest.mark.spec("P13DR-04", "SECP-55")
def test_a_token_is_needed_and_good_once(registry: Registry) -> None:
    name, token = registry.invite()
    for wrong, scheme in ((None, "Bearer"), ("", "Bearer"), ("x", "Bearer"), (token, "Basic")):
        answer = registry.send(wrong, metadata(), scheme)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert registry.find(name) is None
    assert registry.send(token, metadata()).status_code == 200
    again = registry.send(token, metadata(client_name="Another"))
    assert again.status_code == 401
    found = registry.find(name)
    assert found is not None
    assert found["registered"]["client_name"] == "A new tool"


@pytest.mark.spec("P13DR-04")
def test_a_token_expires_and_is_for_tools_alone(registry: Registry) -> None:
    for name, token in (registry.invite(hours=-1), registry.invite(purpose="register")):
        assert registry.send(token, metadata()).status_code == 401
        assert registry.find(name) is None


@pytest.mark.spec("P13DR-10")
def test_a_tool_chooses_neither_its_id_nor_its_place(registry: Registry) -> None:
    name, token = registry.invite()
    wishes = {"client_id": "client-of-full", "name": "full", "deployment_id": "x"}
    answer = registry.send(token, metadata(**wishes, tool_deployment_id="x"))
    assert answer.status_code == 200
    assert answer.json["client_id"] != "client-of-full"
    assert answer.json[TOOL]["deployment_id"] == "1"
    assert registry.find("full") is None
    assert registry.find(name) is not None


BAD: dict[str, dict[str, Any]] = {
    "a domain that cannot be read": {"tool_domain": "["},
    "another that cannot": {"tool_secondary_domains": ["[::1"]},
    "half a character": {"client_name": "a\ud800"},
    "NUL": {"client_name": "a\0"},
    "NUL in custom": {"tool_custom_parameters": {"a\0": "b"}},
    "half a character in custom": {"tool_custom_parameters": {"a": "\ud800"}},
    "no login": {"initiate_login_uri": None},
    "no redirects": {"redirect_uris": None},
    "empty redirects": {"redirect_uris": []},
    "redirects are a text": {"redirect_uris": f"{AT}/launch"},
    "no name": {"client_name": None},
    "empty name": {"client_name": " "},
    "no keys": {"jwks_uri": None},
    "no response types": {"response_types": None},
    "other response types": {"response_types": ["code"]},
    "no auth method": {"token_endpoint_auth_method": None},
    "other auth method": {"token_endpoint_auth_method": "client_secret_basic"},
    "no LTI": {TOOL: None},
    "LTI is a text": {TOOL: "x"},
    "no domain": {"tool_domain": None},
    "no target": {"tool_target_link_uri": None},
    "numbers": {"client_name": 1, "scope": 2},
    "custom list": {"tool_custom_parameters": ["a"]},
    "custom value": {"tool_custom_parameters": {"a": {"b": 1}}},
}
FOREIGN: dict[str, dict[str, Any]] = {
    "http login": {"initiate_login_uri": "http://new.example.org/login"},
    "http keys": {"jwks_uri": "http://new.example.org/jwks"},
    "foreign login": {"initiate_login_uri": "https://evil.example.net/login"},
    "foreign redirect": {"redirect_uris": [f"{AT}/launch", "https://evil.example.net/"]},
    "foreign keys": {"jwks_uri": "https://evil.example.net/jwks"},
    "private keys": {"jwks_uri": "https://10.0.0.1/jwks"},
    "foreign target": {"tool_target_link_uri": "https://evil.example.net/"},
    "a domain that only ends like it": {"jwks_uri": "https://evilnew.example.org/jwks"},
    "foreign choosing": {
        "tool_messages": [
            {"type": "LtiDeepLinkingRequest", "target_link_uri": "https://evil.example.net/"}
        ]
    },
    "internal machine": {"tool_domain": "10.0.0.1", "jwks_uri": "https://10.0.0.1/jwks"},
    "this machine": {
        "tool_secondary_domains": ["localhost", "127.0.0.1"],
        "jwks_uri": "https://127.0.0.1/jwks",
    },
    "this machine by name": {
        "tool_secondary_domains": ["localhost"],
        "jwks_uri": "https://localhost/jwks",
    },
    "user": {"jwks_uri": "https://new.example.org@evil.example.net/"},
    "script": {"redirect_uris": ["javascript:alert(1)"]},
}


@pytest.mark.spec("P13DR-05")
@pytest.mark.parametrize("bad", BAD)
def test_an_incomplete_registration_is_refused(registry: Registry, bad: str) -> None:
    _refused(registry, metadata(**BAD[bad]))


@pytest.mark.spec("P13DR-07", "SECP-55")
@pytest.mark.parametrize("foreign", FOREIGN)
def test_what_is_not_the_tools_own_is_refused(registry: Registry, foreign: str) -> None:
    _refused(registry, metadata(**FOREIGN[foreign]))


@pytest.mark.spec("P13DR-07")
def test_a_second_domain_counts(registry: Registry) -> None:
    _, token = registry.invite()
    more = {
        "jwks_uri": "https://keys.example.org/jwks",
        "tool_secondary_domains": ["keys.example.org"],
    }
    assert registry.send(token, metadata(**more)).status_code == 200


TAKEN: dict[str, dict[str, Any]] = {
    "keys below the domain": {"jwks_uri": "https://auth.new.example.org/jwks"},
    "login below the domain": {"initiate_login_uri": "https://a.b.new.example.org/login"},
    "a logo of any host": {"logo_uri": "https://cdn.example.net/x.png"},
    "a logo without TLS": {"logo_uri": "http://new.example.org/x.png"},
    "no logo": {"logo_uri": None},
    "an empty logo": {"logo_uri": ""},
    "a logo that is no text": {"logo_uri": 7},
    "a logo that is a script": {"logo_uri": "javascript:alert(1)"},
    "custom values that are no texts": {
        "tool_custom_parameters": {"n": 7, "f": 0.5, "yes": True, "null": None, "t": "x"}
    },
}


@pytest.mark.spec("P13DR-05", "P13DR-07")
@pytest.mark.parametrize("variant", TAKEN)
def test_what_tools_write_is_taken(registry: Registry, variant: str) -> None:
    name, token = registry.invite()
    answer = registry.send(token, metadata(**TAKEN[variant]))
    assert answer.status_code == 200, answer.data
    found = registry.find(name)
    assert found is not None
    logo = str(TAKEN[variant].get("logo_uri", ""))
    assert answer.json.get("logo_uri", "") == (logo if logo.startswith("http") else "")
    if "tool_custom_parameters" in TAKEN[variant]:
        assert found["connection"]["custom"] == {"n": "7", "f": "0.5", "yes": "true", "t": "x"}


TOLD: dict[str, tuple[dict[str, Any], str]] = {
    "no login": ({"initiate_login_uri": None}, "initiate_login_uri is missing"),
    "no redirects": ({"redirect_uris": []}, "redirect_uris is empty"),
    "foreign redirect": ({"redirect_uris": ["https://x.example/"]}, "redirect_uris is not on the"),
    "keys by http": ({"jwks_uri": "http://new.example.org/j"}, "jwks_uri is no https address"),
    "auth method": ({"token_endpoint_auth_method": "none"}, "token_endpoint_auth_method must be"),
    "response types": ({"response_types": ["code"]}, "response_types must contain id_token"),
    "no LTI": ({TOOL: None}, f"{TOOL} is missing"),
    "no target": ({"tool_target_link_uri": None}, "target_link_uri is missing"),
    "custom": ({"tool_custom_parameters": {"a": ["x"]}}, "custom_parameters.a is no text"),
    "no domain": ({"tool_domain": None}, "domain is missing"),
}


@pytest.mark.spec("P13DR-05")
@pytest.mark.parametrize("variant", TOLD)
def test_a_refusal_names_the_member_and_the_reason(registry: Registry, variant: str) -> None:
    changes, words = TOLD[variant]
    _, token = registry.invite()
    answer = registry.send(token, metadata(**changes))
    assert answer.status_code == 400
    assert words in answer.json["error_description"]


@pytest.mark.spec("P13DR-06")
def test_the_application_is_for_the_web(registry: Registry) -> None:
    _refused(registry, metadata(application_type="native"))
    _, token = registry.invite()
    assert registry.send(token, metadata(application_type=None)).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"[" * 50_000, b"\xff", b'"x"'], ids=range(7)
)
def test_garbage_is_refused(registry: Registry, body: bytes) -> None:
    _refused(registry, body)


def test_a_registration_above_the_limit_is_refused(registry: Registry) -> None:
    name, token = registry.invite()
    assert registry.send(token, b" " * 70_000).status_code == 413
    assert registry.find(name) is None


def test_what_is_in_the_file_stays(registry: Registry) -> None:
    now = datetime.now(UTC)
    until = now + timedelta(hours=1)
    registry.invitations.invite("t", "full", now, until, approve=False, purpose="tool")
    assert registry.send("t", metadata()).status_code == 400
    assert registry.find("full") is None


def _refused(registry: Registry, body: object) -> None:
    name, token = registry.invite()
    answer = registry.send(token, body)
    assert answer.status_code == 400, answer.data
    assert answer.json["error"] == "invalid_client_metadata"
    assert answer.json["error_description"]
    assert registry.find(name) is None
    # only a success uses the token up
    assert registry.send(token, metadata()).status_code == 200
    assert registry.send(token, metadata()).status_code == 401


@pytest.mark.spec("P13DR-07")
def test_private_addresses_that_the_operator_allows(tmp_path: Path) -> None:
    registry = Registry(tmp_path, "10.20.0.0/16", "localhost")
    for host, status in (("10.20.0.7", 200), ("localhost", 200), ("10.21.0.7", 400)):
        name, token = registry.invite()
        at = f"https://{host}"
        own = {
            "initiate_login_uri": f"{at}/login",
            "redirect_uris": [f"{at}/launch"],
            "jwks_uri": f"{at}/jwks",
            "tool_domain": host,
            "tool_target_link_uri": f"{at}/launch",
            "tool_messages": [],
        }
        answer = registry.send(token, metadata(**own))
        assert answer.status_code == status, answer.data
        assert (registry.find(name) is not None) == (status == 200)
        assert status == 200 or "allow_private" in answer.json["error_description"]
