"""What may be written about any LTI tool, and two tools that would be taken for one another."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from lti_bridge.assembly.catalogue import Catalogue
from lti_bridge.errors import ConfigurationError, NotConfigured
from lti_bridge.lti.scopes import BASIC_OUTCOME_SCOPE, NRPS_SCOPE, SCOPES
from lti_bridge.providers.contract import Tools
from lti_bridge.providers.lti.settings import Connection11, Connection13, connection_settings
from lti_bridge.providers.tool_settings import registration
from lti_bridge.settings import ConnectionTable, parse

TOOL: dict[str, Any] = {
    "version": "1.3",
    "launch_url": "https://tool.example.org/launch",
    "login_url": "https://tool.example.org/login",
    "jwks_url": "https://tool.example.org/jwks",
    "client_id": "client",
}


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    public = key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_the_version_says_which_keys_there_are() -> None:
    old = {"launch_url": "https://tool.example.org", "consumer_key": "k", "shared_secret": "s"}
    assert isinstance(connection_settings(old), Connection11)
    assert isinstance(connection_settings({**old, "version": "1.1"}), Connection11)
    assert isinstance(connection_settings(TOOL), Connection13)
    with pytest.raises(ValidationError, match="consumer_key"):
        connection_settings({**TOOL, "consumer_key": "k"})


def test_what_is_left_out_has_a_sensible_value() -> None:
    found = registration("quiz", connection_settings(TOOL))
    assert found.redirect_uris == ("https://tool.example.org/launch",)
    assert found.deployment_id == "1"
    assert found.scopes == SCOPES - {NRPS_SCOPE}
    assert not found.frame


def test_services_are_those_that_are_listed() -> None:
    found = registration("quiz", connection_settings({**TOOL, "services": ["basic-outcome"]}))
    assert found.scopes == {BASIC_OUTCOME_SCOPE}
    everything = ["ags", "basic-outcome", "members"]
    assert registration("q", connection_settings({**TOOL, "services": everything})).scopes == SCOPES


def test_a_key_of_the_tool_may_stand_in_the_file() -> None:
    key = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    found = registration("quiz", connection_settings({**TOOL, "jwks_url": "", "public_key": key}))
    assert (found.jwks_url, found.public_key) == ("", key)


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uris": ["http://tool.example.org/launch"]},
        {"redirect_uris": ["https://tool.example.org/launch#top"]},
        {"redirect_uris": ["https://user@tool.example.org/launch"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["https://tool.example.org\\@evil.example.net/"]},
        {"redirect_uris": []},
        {"login_url": "//tool.example.org"},
        {"client_id": ""},
        {"services": ["everything"]},
        {"frame_allow": ["geolocation"]},
        {"jwks_url": ""},
        {"public_key": "x"},
        {"jwks_url": "", "public_key": pem(ec.generate_private_key(ec.SECP256R1()))},
        {"jwks_url": "", "public_key": pem(rsa.generate_private_key(65537, 1024))},  # noqa: S505
    ],
)
def test_what_cannot_be_right_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        connection_settings({**TOOL, **change})


def catalogue(*client_ids: str, activity: list[dict[str, Any]] | None = None) -> Catalogue:
    def no_tools(table: ConnectionTable) -> Tools:
        return Tools(
            clock=lambda: pytest.fail("no clock"),
            connection=table.name,
        )

    tables = [
        {**TOOL, "name": f"tool{number}", "kind": "lti", "client_id": client_id}
        for number, client_id in enumerate(client_ids)
    ]
    file = {"connection": tables, "activity": activity or []}
    return Catalogue(parse(file, "test"), no_tools, lambda name: "token")


@pytest.mark.spec("CERTP-01")
def test_two_tools_never_share_a_client_id() -> None:
    with pytest.raises(ConfigurationError, match=r"tool1.*client_id"):
        catalogue("same", "same")


def test_a_tool_is_found_by_its_client_id_and_by_its_connection() -> None:
    found = catalogue("one", "two")
    tool = found.tool13("two")
    assert tool is not None
    assert tool.connection == "tool1"
    assert found.tool13_of("tool1") is tool
    assert found.tool13("three") is None
    assert found.tool13_of("nothing") is None


@pytest.mark.spec("P11L-07")
def test_custom_names_that_lti_11_cannot_tell_apart_are_refused_where_they_are_written() -> None:
    custom = {"a.b": "1", "a-b": "2"}
    activity = {"id": "x", "title": "X", "connection": "tool0", "settings": {"custom": custom}}
    with pytest.raises(ConfigurationError, match=r"activity 'x'.*a\.b and a-b"):
        catalogue("one", activity=[activity])
    with pytest.raises(NotConfigured, match=r"a\.b and a-b"):
        catalogue("one").settings("tool0", {"custom": custom})
