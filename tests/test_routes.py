"""Every route of the bridge has its guard: who may call it, and what anybody else gets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from lti_bridge.assembly.web import create_app
from lti_bridge.settings import parse
from lti_bridge.store.engine import Database
from lti_bridge.web.routes import FORMS, MAX_FIELDS
from tests.flow.campus11 import Campus

FORM = "application/x-www-form-urlencoded"
# rule -> (guard, method and status of a call by nobody in particular)
GUARDS = {
    "/lti/login": ("a registered issuer; changes nothing", "POST", 400),
    "/lti/launch": ("signature or id_token with state", "POST", 401),
    "/lti/jwks": ("public: public keys only", "GET", 200),
    "/lti/jwks/<registration>": ("public: public keys only", "GET", 404),
    "/lti/register": ("an invitation, used once; nothing is called without", "GET", 403),
    "/lti/register/<invitation>": ("the same", "GET", 400),
    "/lti/notices/<registration>": ("signed by the registered LMS, once each", "POST", 404),
    "/lti/config.json": ("public: addresses only", "GET", 200),
    "/lti/config.xml": ("public: addresses only", "GET", 200),
    "/platform/outcomes": ("OAuth 1.0a body signature", "POST", 400),
    "/platform/authorize": ("a browser's launch under way, and a registered tool", "POST", 400),
    "/platform/jwks": ("public: public keys only", "GET", 200),
    "/platform/token": ("a client assertion with the tool's key, once", "POST", 400),
    "/platform/<course>/lineitems": ("access token, scope lineitem", "GET", 401),
    "/platform/<course>/lineitems/<item>": ("access token, scope lineitem", "GET", 401),
    "/platform/<course>/lineitems/<item>/scores": ("access token, scope score", "POST", 401),
    "/platform/<course>/lineitems/<item>/results": ("access token, scope result", "GET", 401),
    "/platform/<course>/memberships": ("access token, scope contextmembership", "GET", 401),
    "/.well-known/openid-configuration": ("public: addresses and abilities", "GET", 200),
    "/platform/register": ("a registration token, used once", "POST", 401),
    "/platform/deep-link/<data>": (
        "a tool's key, a choice under way and its browser",
        "POST",
        400,
    ),
    "/platform/deep-link": ("a tool's key, a choice under way and its browser", "POST", 400),
    "/platform/return/<handle>": ("an unguessable handle; changes nothing", "GET", 403),
    "/course/people": ("an unguessable token of a launch by staff", "POST", 403),
    "/course/go-on": ("an unguessable token of a launch not long ago", "POST", 403),
    "/course/page/<handle>": ("a handle, and the secret of the browser it was given", "GET", 403),
    "/course/place": ("an unguessable token of a launch by staff not long ago", "POST", 403),
    "/hooks/<connection>/<token>": ("the connection's token or an attempt's", "POST", 403),
    "/admin/": ("the session of an admin", "GET", 403),
    "/admin/enter": ("a link for admins, once", "POST", 403),
    "/admin/enter/<link>": ("public: a button; changes nothing", "GET", 200),
    "/admin/launches": ("the session of an admin", "GET", 403),
    "/admin/launches/found/<handle>": ("the session of an admin who searched", "GET", 403),
    "/admin/launches/<ref>": ("the session of an admin", "GET", 403),
    "/admin/leave": ("the session of an admin", "POST", 403),
    "/": ("public: no data", "GET", 200),
    "/favicon.ico": ("public: empty", "GET", 204),
    "/static/bridge/<stamp>/bridge.css": ("public: a file of ours", "GET", 200),
    "/static/bridge/<stamp>/alone.js": ("public: a file of ours", "GET", 200),
    "/static/bridge/<stamp>/frame.js": ("public: a file of ours", "GET", 200),
    "/healthz": ("public: one word", "GET", 200),
    "/readyz": ("public: one sentence", "GET", 200),
}


def made(database_url: str, folder: Path) -> FlaskClient:
    settings = parse(
        {
            "bridge": {
                "public_url": "http://127.0.0.1:8000",
                "database_url": database_url,
                "queue_url": f"sqlite:///{folder}/q.sqlite3",
                "keys_dir": str(folder / "keys"),
            },
        },
        "test",
    )
    database = Database(settings.bridge.database_url)
    database.migrate()
    database.close()
    return create_app(settings).test_client()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    folder: Path = tmp_path_factory.mktemp("routes")
    return made(f"sqlite:///{folder}/b.sqlite3", folder)


def test_every_route_is_in_the_table(client: FlaskClient) -> None:
    rules = {rule.rule for rule in client.application.url_map.iter_rules()}
    assert rules == set(GUARDS)


@pytest.mark.parametrize("rule", sorted(GUARDS))
def test_nobody_in_particular_gets_what_the_guard_says(client: FlaskClient, rule: str) -> None:
    _guard, method, status = GUARDS[rule]
    path = rule.replace("<handle>", "x" * 22).replace("<stamp>", "0")
    answer = client.open(path, method=method)
    assert answer.status_code == status


@pytest.mark.parametrize("rule", sorted(GUARDS))
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
def test_bad_requests_never_break_anything(client: FlaskClient, rule: str, method: str) -> None:
    path = rule.replace("<handle>", "%00' OR 1=1--").replace("<stamp>", "..%2f..%2fetc")
    for body, kind in (
        (b"", None),
        (b"\x00\xff\xfe", "application/x-www-form-urlencoded"),
        (b"%zz=%&&=;&a=b&a=c", "application/x-www-form-urlencoded"),
        (b"{", "application/json"),
        (b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>", "application/xml"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
    ):
        answer = client.open(path, method=method, data=body, content_type=kind)
        assert answer.status_code < 500, (rule, method, body)


def test_nul_never_reaches_a_database(database_url: str, tmp_path: Path) -> None:
    client = made(database_url, tmp_path)
    for rule, (_guard, method, _status) in GUARDS.items():
        path = re.sub("<[a-z]+>", "a%00b", rule)
        for address in {path, f"{rule}?token=%00"}:
            sent = {"token": "a\0b", "state": "\0", "client_id": "\0"} if method == "POST" else None
            assert client.open(address, method=method, data=sent).status_code < 500, address
    for page in ("go-on", "people", "place"):
        assert client.post(f"/course/{page}", data={"token": "a\0b"}).status_code == 400


def test_too_large_is_refused_without_reading(client: FlaskClient) -> None:
    answer = client.post(
        "/lti/launch",
        data=b"a=" + b"x" * 2_000_000,
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code == 413
    assert b"too-large" in answer.data


@pytest.mark.parametrize("begin", sorted(FORMS))
def test_a_form_is_no_larger_than_its_address_needs(client: FlaskClient, begin: str) -> None:
    path = begin + {"/hooks/": "a/b", "/platform/return/": "x", "/course/": "place"}.get(begin, "")
    fits, long = (
        client.post(path, data=b"a" * size, content_type=FORM).status_code
        for size in (FORMS[begin], FORMS[begin] + 1)
    )
    assert 400 <= fits < 413 == long
    parts = client.post(path, data={"a": "b"}, content_type="multipart/form-data; boundary=x")
    assert parts.status_code == 400


@pytest.mark.parametrize("rule", sorted(GUARDS))
def test_nobody_may_send_more_fields_than_anybody_needs(client: FlaskClient, rule: str) -> None:
    path, method = re.sub("<[a-z]+>", "x", rule), GUARDS[rule][1]
    many = "&".join(["a"] * (MAX_FIELDS + 1))
    assert client.open(f"{path}?{many}", method=method).status_code == 400
    if method == "POST":
        assert client.post(path, data=many, content_type=FORM).status_code == 400


def test_scripts_get_json(client: FlaskClient) -> None:
    answer = client.get("/nothing", headers={"Accept": "application/json"})
    assert answer.status_code == 404
    assert answer.json["error"] == "not-found"
    assert answer.json["reference"]


@pytest.mark.spec("BR-22")
def test_public_documents_need_no_database(tmp_path: Path) -> None:
    bridge = {
        "public_url": "http://127.0.0.1:8000",
        "database_url": f"sqlite:///{tmp_path}/there/is/none.sqlite3",
        "queue_url": f"sqlite:///{tmp_path}/q.sqlite3",
        "keys_dir": str(tmp_path / "keys"),
    }
    lms = {"name": "campus", "lti": "1.1", "consumer_key": "key", "shared_secret": "secret"}
    client = create_app(parse({"bridge": bridge, "lms": [lms]}, "test")).test_client()
    for path in ("/lti/jwks", "/platform/jwks", "/.well-known/openid-configuration", "/healthz"):
        assert client.get(path).status_code == 200, path
    assert client.get("/readyz").status_code == 503
    refused = client.post("/lti/launch", data={"lti_message_type": "x"})
    assert 400 <= refused.status_code < 500
    campus = Campus("http://127.0.0.1:8000/lti/launch", "key", "secret")
    failed = client.post("/lti/launch", data=dict(campus.signed(campus.fields())))
    assert failed.status_code >= 500
    for plain in ("Something went wrong on our side.", "Please try again in a few minutes."):
        assert plain in failed.text
    assert 'href="https://lms.example.edu/back' in failed.text
