"""An attacker at every address: refused quickly, nothing breaks, and nothing is written."""

from __future__ import annotations

import io
import json
import logging
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_from_bytes

import pytest
from flask.testing import FlaskClient
from sqlalchemy import inspect, text

from lti_bridge.assembly.bridge import Bridge, build
from lti_bridge.assembly.web import web_app
from lti_bridge.settings import parse
from tests.prepared import prepare
from tests.test_routes import GUARDS

SEED = 20261123
TRIES = 15  # at each address, beside one POST of each text
FORM = "application/x-www-form-urlencoded"
HOOK_TOKEN = "hook-token-of-a-provider"  # which an attacker is to know, too
URL = "http://127.0.0.1:9"  # nobody listens
CONNECTIONS: list[dict[str, Any]] = [
    {"name": "demo", "kind": "demo", "base_url": URL, "api_key": "k"},
    {
        "name": "mettl",
        "kind": "mettl",
        "base_url": URL,
        "public_key": "p",
        "private_key": "private-key",
    },
    {
        "name": "itep",
        "kind": "itep",
        "endpoint": URL,
        "secret": "s",
        "header_name_gtx": "X-iTEP-GTX",
        "sig_encoding": "hex",
        "sequence_mode": "counter",
        "response_test_id_path": "test-id",
        "launch_template": f"{URL}/?test-id={{test_id}}",
    },
    {
        "name": "prov",
        "kind": "prov",
        "base_url": URL,
        "auth_style": "header",
        "auth_name": "X",
        "auth_value": "v",
        "candidate_path": "/c",
        "candidate_body": '{"c": "{candidate_id}"}',
        "event_path": "/e",
        "event_body": '{"c": "{candidate_id}"}',
        "event_id_path": "eventId",
        "event_url_path": "examUrl",
        "result_event_id_path": "eventId",
        "result_candidate_id_path": "candidateId",
        "result_exam_code_path": "examCode",
        "result_score_path": "overallScore",
    },
    {
        "name": "tool11",
        "kind": "lti",
        "launch_url": URL,
        "consumer_key": "tool-key",
        "shared_secret": "tool-secret",
    },
    {
        "name": "tool13",
        "kind": "lti",
        "version": "1.3",
        "launch_url": f"{URL}/launch",
        "login_url": f"{URL}/login",
        "jwks_url": f"{URL}/jwks",
        "client_id": "client",
        "services": ["ags", "basic-outcome", "members"],
    },
]
LMS = [
    {"name": "old", "lti": "1.1", "consumer_key": "lms-key", "shared_secret": "lms-secret"},
    {
        "name": "new",
        "lti": "1.3",
        "issuer": URL,
        "client_id": "bridge",
        "deployment_ids": "any",
        "authorization_url": f"{URL}/auth",
        "token_url": f"{URL}/token",
        "jwks_url": f"{URL}/jwks",
    },
]
NAMES = (
    "iss login_hint target_link_uri lti_message_hint lti_deployment_id client_id"
    " lti_storage_target lti_bridge lti_bridge_kept id_token state error JWT token do way use then"
    " chosen connection oauth_consumer_key oauth_nonce oauth_timestamp oauth_signature"
    " oauth_signature_method oauth_version lti_message_type lti_version resource_link_id user_id"
    " tool_state relaunch_url grant_type client_assertion client_assertion_type scope"
    " redirect_uri response_type response_mode prompt nonce openid_configuration"
    " registration_token lti_msg lti_errormsg lti_log data limit after role rlid tag a[] a[b]"
)
GOOD = (
    "lms-key",
    "client",
    "bridge",
    URL,
    "1",
    "openid",
    "id_token",
    "LTI-1p0",
    "HMAC-SHA1",
    "save",
)
DEEP = 10_000
TEXTS = (
    b"",
    b"\0",
    b"\xff\xfe\xed\xa0\x80",
    "٣".encode(),
    "\u202e\ufeff😀".encode(),
    b"9" * 5000,
    b"-1",
    b"1e999999999",
    b"NaN",
    b"null",
    b"[]",
    b"../../../etc/passwd",
    b"..%2f..%5c%00",
    b"%252e%252e%252f",
    b"' OR 1=1--",
    b"{{7*7}}${7*7}",
    b"<script>alert(1)</script>",
    b"\r\nSet-Cookie: a=b",
    b"javascript:alert(1)",
    b"http://[::1",
    b"https://" + b"a" * 3000 + b"/",
    b"x" * 9000,
    b"eyJhbGciOiJub25lIn0.e30.",
    b"eyJhbGciOiJSUzI1NiIsImtpZCI6IlxuIn0.eyJpc3MiOiJjbGllbnQifQ.AAAA",
    b"[" * DEEP,
    b"[" * DEEP + b"]" * DEEP,
    b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    b'{"OID": ' + b"9" * 5000 + b"}",
    b'{"eventId": 1e999999999, "overallScore": 1e-999999999, "a": NaN}',
    b'{"eventId": "\\u0000", "overallScore": 1, "OID": "\\ud800", "email": "\\ud800"}',
    b'{"a": 1, "a": 2}',
    b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>",
    b"<a>" * DEEP + b"</a>" * DEEP,
)
TYPES = (
    FORM,
    f"{FORM}; charset=utf-16",
    "application/json",
    "application/xml",
    "application/vnd.ims.lis.v2.lineitem+json",
    "application/vnd.ims.lis.v1.score+json",
    "application/vnd.ims.lti.v1.outcome+xml",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "text/plain; charset=\xff",
    "",
    "/;;=",
    None,
)
METHODS = (
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "PROPFIND",
    "G\xc9T",
)
HEADERS = (
    ("Host", "evil.example.org"),
    ("Host", "bridge.example.edu:99999999"),
    ("Host", "[::1"),
    ("Host", "a b,c@d/../?#"),
    ("Host", "\xff\xfe"),
    ("Host", ""),
    ("X-Forwarded-Host", "evil.example.org"),
    ("X-Forwarded-Prefix", "/../.."),
    ("X-Original-URL", "/course/people"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("Authorization", "Bearer " + "x" * 60_000),
    ("Authorization", "Bearer \xff.\xff"),
    ("Authorization", "Bearer e30.AAAA"),
    ("Authorization", "bearer"),
    ("Authorization", "Basic \xff"),
    ("Authorization", "OAuth " + 'oauth_nonce="%00",' * 2000),
    ("Authorization", 'OAuth realm="", oauth_nonce="%00'),
    ("Authorization", "OAuth " + "=" * 50_000),
    ("Authorization", "Digest username=\xff"),
    ("Cookie", "a=" + "b" * 60_000),
    ("Cookie", ";;=;\xff=\xff; __Host-lti-kept"),
    ("Cookie", "a=b;" * 5000),
    ("Accept", "\xff;q=nan, */*;q=1e400, application/json;q=-1"),
    ("Accept", "a/b," * 10_000),
    ("Accept-Language", "x" * 60_000),
    ("Origin", "null"),
    ("Sec-Fetch-Dest", "iframe"),
    ("Sec-Fetch-Site", "\xff"),
    ("If-None-Match", '"' * 20_000),
    ("If-Modified-Since", "99999999999999999999"),
    ("Range", "bytes=" + "0-," * 20_000),
    ("Content-Encoding", "gzip"),
    ("Transfer-Encoding", "chunked"),
    ("Content-Length", "-1"),
    ("Content-Length", "\u00b2"),
    ("Content-Length", "99999999999999999999"),
)


@dataclass(frozen=True)
class Door:
    """A bridge with every kind of connection, and what an attacker knows of it."""

    bridge: Bridge
    client: FlaskClient

    def everything(self) -> dict[str, list[str]]:
        """All rows of all tables, but of those that a refusal writes too.

        Readiness writes over one that nobody reads, and the journal tells of all that was refused.
        """
        engine = self.bridge.store.database.engine
        with engine.connect() as connection:
            return {
                name: sorted(map(str, connection.execute(text(f'SELECT * FROM "{name}"'))))  # noqa: S608
                for name in inspect(engine).get_table_names()
                if name not in ("write_probe", "hops")
            }


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    database = f"sqlite:///{folder}/bridge.sqlite3"
    prepare(folder, database)
    yield (made := opened(folder, database))
    made.bridge.close()


def opened(folder: Path, database: str) -> Door:
    bridge = build(
        parse(
            {
                "bridge": {
                    "public_url": "http://127.0.0.1:8000",
                    "database_url": database,
                    "queue_url": f"sqlite:///{folder}/queue.sqlite3",
                    "keys_dir": str(folder / "keys"),
                    "call_timeout_s": 0.1,
                },
                "lms": LMS,
                "connection": [{**one, "hook_token": HOOK_TOKEN} for one in CONNECTIONS],
            },
            "test",
        )
    )
    return Door(bridge, web_app(bridge).test_client())


def attacks(chance: random.Random, rule: str) -> Iterator[dict[str, Any]]:
    """Requests to the addresses of this rule."""
    for sent in TEXTS if GUARDS[rule][1] == "POST" else ():
        for one in CONNECTIONS if "<connection>" in rule else CONNECTIONS[:1]:
            path = rule.replace("<connection>", one["name"]).replace("<token>", HOOK_TOKEN)
            body = sent if chance.random() < 0.5 else b"data=" + quote_from_bytes(sent).encode()
            yield attack(chance, path, "POST", body)
    for _ in range(TRIES):
        body = _form(chance) if chance.random() < 0.6 else chance.choice(TEXTS)
        made = attack(chance, rule, chance.choice((GUARDS[rule][1], *METHODS)), body)
        for name, value in chance.sample(HEADERS, chance.choice((0, 1, 2))):
            key = name.upper().replace("-", "_")
            made["environ_overrides"][key if "CONTENT_L" in key else f"HTTP_{key}"] = value
        yield made


def attack(chance: random.Random, rule: str, method: str, body: bytes) -> dict[str, Any]:
    """One request."""
    path = re.sub("<[a-z]+>", lambda part: _part(chance, part[0]), rule)
    made: dict[str, Any] = {"path": path, "method": method}
    if chance.random() < 0.4:
        made["query_string"] = _form(chance).decode("latin-1")
    environ: dict[str, Any] = {}
    if method != "GET" or chance.random() < 0.1:
        kind = FORM if body.startswith(b"data=") else chance.choice(TYPES)
        environ = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True}
        environ |= {"CONTENT_TYPE": kind} if kind is not None else {}
        if chance.random() < 0.8:  # else it comes in chunks
            environ["CONTENT_LENGTH"] = str(len(body))
    return {**made, "environ_overrides": environ}


def _part(chance: random.Random, part: str) -> str:
    if part == "<connection>" and chance.random() < 0.9:
        return str(chance.choice(CONNECTIONS)["name"])
    if part == "<token>" and chance.random() < 0.9:
        return HOOK_TOKEN
    return quote_from_bytes(chance.choice(TEXTS)[:2000], safe="") or "x"


def _form(chance: random.Random) -> bytes:
    pairs = []
    for _ in range(chance.choice((1, 3, 10, 60))):
        value = chance.choice(TEXTS)[:9000] if chance.random() < 0.6 else b""
        value = value or chance.choice(GOOD).encode()
        pairs.append(f"{quote(chance.choice(NAMES.split()))}={quote_from_bytes(value)}".encode())
    chance.shuffle(pairs)
    return b"&".join(pairs) * chance.choice((1, 1, 1, 2))


@pytest.mark.parametrize("rule", sorted(GUARDS))
def test_an_attacker_breaks_and_changes_nothing(
    door: Door, rule: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    chance = random.Random(f"{SEED} {rule}")  # the same every time
    before = door.everything()
    for number, request in enumerate(attacks(chance, rule)):
        begun = time.process_time()
        answer = door.client.open(**request)
        told = f"{rule} {number}: {json.dumps(request, default=repr)[:2000]}"
        assert answer.status_code < 500, told
        assert time.process_time() - begun < 2, told
        assert "\n" not in answer.headers.get("Location", ""), told
        assert "evil.example.org" not in str(answer.headers), told
        assert b"evil.example.org" not in answer.data, told
    assert door.everything() == before
    assert not caplog.records, [one.getMessage() for one in caplog.records]
