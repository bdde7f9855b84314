"""What can be set for a connection to Isograd."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lti_bridge.core.explanations import explain
from lti_bridge.providers.isograd.connections import (
    ApiConnection,
    Lti13Connection,
    connection_settings,
)


def connection_refusals(values: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        connection_settings(values)
    return explain(caught.value)


def test_lti11_needs_key_and_secret() -> None:
    values = {"route": "lti-1.1", "consumer_key": "k", "shared_secret": "s3cret"}
    connection = connection_settings(values)
    assert connection.shared_secret.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(connection)
    assert connection_refusals({"route": "lti-1.1", "shared_secret": ""}) == [
        "consumer_key: is missing",
        "shared_secret: is empty or too short",
    ]


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        ({}, "app.isograd.com"),
        ({"environment": "production"}, "app.isograd.com"),
        ({"environment": "test"}, "recette.isograd.com"),
    ],
)
def test_all_addresses_follow_from_the_environment(environment: dict[str, str], host: str) -> None:
    lti11 = {"route": "lti-1.1", "consumer_key": "k", "shared_secret": "s", **environment}
    assert connection_settings(lti11).launch_url == f"https://{host}/public/lti.php"
    lti13 = {"route": "lti-1.3", "client_id": "c", "deployment_id": "1", **environment}
    connection = connection_settings(lti13)
    assert isinstance(connection, Lti13Connection)
    assert connection.launch_url == connection.login_url == f"https://{host}/public/lti.php"
    assert connection.redirect_uris == (connection.launch_url,)
    assert connection.jwks_url == f"https://{host}/public/jwks.php"
    api = {"route": "api", "client_id": "c", "client_secret": "s", **environment}
    assert connection_settings(api).base_url == f"https://{host}/api/usage"


def test_an_address_that_is_written_counts_instead() -> None:
    own = {"launch_url": "https://isograd.example.edu/lti", "environment": "test"}
    values = {"route": "lti-1.3", "client_id": "c", "deployment_id": "1", **own}
    connection = connection_settings(values)
    assert isinstance(connection, Lti13Connection)
    assert connection.login_url == own["launch_url"]
    assert connection.jwks_url == "https://isograd.example.edu/jwks.php"


def test_a_wrong_environment_is_one_problem() -> None:
    values = {"client_id": "c", "deployment_id": "1", "environment": "recette"}
    said = connection_refusals({"route": "lti-1.3", **values})
    assert said == ["environment: must be 'production' or 'test'"]


def test_lti13_addresses_stay_in_one_environment() -> None:
    test_launch = "https://recette.isograd.com/public/lti.php"
    connection = connection_settings(
        {"route": "lti-1.3", "launch_url": test_launch, "client_id": "c", "deployment_id": 1}
    )
    assert isinstance(connection, Lti13Connection)
    assert connection.login_url == test_launch
    assert connection.redirect_uris == (test_launch,)
    assert connection.jwks_url == "https://recette.isograd.com/public/jwks.php"
    assert connection.deployment_id == "1"


def test_api_knows_where_tokens_come_from() -> None:
    connection = connection_settings({"route": "api", "client_id": "c", "client_secret": "s"})
    assert isinstance(connection, ApiConnection)
    assert connection.token_url == "https://auth.isograd.com/oauth2/token"
    assert connection.grade_scale == "fraction"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "route: is missing"),
        ({"route": "lti-2"}, "route: must be one of 'lti-1.1', 'lti-1.3', 'api'"),
        ({"route": ["x"]}, "route: must be one of 'lti-1.1', 'lti-1.3', 'api'"),
        (7, "must be a group of keys and values"),
    ],
)
def test_a_connection_names_its_route(values: object, expected: str) -> None:
    assert connection_refusals(values) == [expected]


@pytest.mark.parametrize(
    "address",
    [
        "http://app.isograd.com/public/lti.php",
        "ftp://app.isograd.com/",
        "https://",
        "https://user:pass@app.isograd.com/",
        "https://app.isograd.com/#top",
        "https://app.isograd.com/a b",
        "https://app.isograd.com/\n",
        "https://[::1",
        "https://app.isograd.com:port/",
        "$Message.returnUrl",
        "",
    ],
)
def test_addresses_are_https_and_complete(address: str) -> None:
    values = {"route": "lti-1.1", "consumer_key": "k", "shared_secret": "s", "launch_url": address}
    assert [text.split(":")[0] for text in connection_refusals(values)] == ["launch_url"]


@pytest.mark.parametrize("host", ["127.0.0.1:8601", "localhost", "[::1]:80"])
def test_http_is_for_loopback_only(host: str) -> None:
    address = f"http://{host}/public/lti.php?x=1"
    values = {"route": "lti-1.1", "consumer_key": "k", "shared_secret": "s", "launch_url": address}
    assert connection_settings(values).launch_url == address


def test_secrets_are_in_no_message() -> None:
    with pytest.raises(ValidationError) as caught:
        connection_settings({"route": "lti-1.1", "shared_secret": ["hunter2"], "typo": "hunter2"})
    assert "hunter2" not in str(caught.value) + " ".join(explain(caught.value))
