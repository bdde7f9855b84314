"""The pretend LMS is only worth something when it is as strict as a real one."""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jwt
import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from lxml import etree
from oauthlib.oauth1 import Client
from oauthlib.oauth1.rfc5849 import signature as oauth_signature

from lti_bridge.sandbox import serving
from lti_bridge.sandbox.lms import LinkSpec, LmsSettings, make_app

AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
BO = "https://purl.imsglobal.org/spec/lti-bo/scope/basicoutcome"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
NS = "{http://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p0}"
SCORE_TYPE = "application/vnd.ims.lis.v1.score+json"
KEY, SECRET = "campus", "gehäim&=s"
TOOL_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
LINKS = (
    LinkSpec("11", "Old Ünit", "1.1", {"Activity": "excel", "who": "$User.id"}),
    LinkSpec("13", "New unit", "1.3", {"activity": "excel"}, grades="ags"),
    LinkSpec("14", "New unit, old grades", "1.3", grades="bo"),
    LinkSpec("15", "No grades", "1.1", grades="none"),
)


@dataclass
class Lms:
    """The served LMS as a test sees it."""

    url: str
    bridge: str
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    def call(self, method: str, path: str, **kwargs: Any) -> urllib3.BaseHTTPResponse:
        url = path if path.startswith("http") else self.url + path
        return self.http.request(method, url, timeout=60, **kwargs)

    def control(self, what: str, **body: Any) -> dict[str, Any]:
        answer = self.call("POST", f"/control/{what}", json=body)
        assert answer.status == 200, answer.data
        return answer.json()

    def launch(self, link: str, user: str = "student1") -> dict[str, Any]:
        return self.control("launch", link=link, user=user)

    def assertion(self, key: rsa.RSAPrivateKey = TOOL_KEY, kid: str = "k1", **claims: Any) -> str:
        now = int(time.time())
        good = {
            "iss": "client",
            "sub": "client",
            "aud": f"{self.url}/lti/token",
            "iat": now,
            "exp": now + 60,
            "jti": uuid.uuid4().hex,
        }
        sent = {k: v for k, v in {**good, **claims}.items() if v is not None}
        return jwt.encode(sent, key, "RS256", headers={"kid": kid})

    def ask_token(self, assertion: str, *scopes: str) -> urllib3.BaseHTTPResponse:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
            "scope": " ".join(scopes),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.call("POST", "/lti/token", body=urlencode(form), headers=headers)

    def bearer(self, *scopes: str) -> dict[str, str]:
        answer = self.ask_token(self.assertion(), *scopes)
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def authorize(self, link: str = "13", session: str = "4", **changed: Any) -> dict[str, str]:
        """The form that /lti/auth posts back, or {"status": …} for an error page."""
        login = self.launch(link)["fields"]
        asked = {
            "scope": "openid",
            "response_type": "id_token",
            "response_mode": "form_post",
            "prompt": "none",
            "client_id": "client",
            "redirect_uri": f"{self.bridge}/lti/launch",
            "login_hint": login["login_hint"],
            "lti_message_hint": login["lti_message_hint"],
            "nonce": "n-1",
            "state": '"><b>&é',
        } | changed
        query = urlencode({k: v for k, v in asked.items() if v is not None})
        cookie = f"sandbox_lms_{self.url.rpartition(':')[2]}={session}" if session else ""
        answer = self.call("GET", f"/lti/auth?{query}", headers={"Cookie": cookie})
        return read_form(answer.data) if answer.status == 200 else {"status": str(answer.status)}

    def cell(self, link: str, user: str = "4") -> dict[str, Any] | None:
        columns = self.call("GET", "/gradebook.json").json()["columns"]
        return next(c for c in columns if c["link"] == link)["cells"].get(user)


@pytest.fixture(scope="module")
def bridge_url() -> Iterator[str]:
    """All the LMS needs of a bridge in these tests: its key set."""

    def build(_: str) -> Flask:
        app = Flask("bridge")
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(TOOL_KEY.public_key(), as_dict=True)
        app.get("/lti/jwks")(lambda: {"keys": [{**jwk, "kid": "k1", "alg": "RS256"}]})
        return app

    running = serving.start(build)
    yield running.url
    running.stop()


@pytest.fixture
def lms(bridge_url: str) -> Iterator[Lms]:
    running = serving.start(make_app(LmsSettings(bridge_url, LINKS, KEY, SECRET, "client", "1")))
    yield Lms(running.url, bridge_url)
    running.stop()


def read_form(page: bytes) -> dict[str, str]:
    form = etree.HTML(page.decode()).find(".//form")
    return {"action": form.get("action")} | {
        field.get("name"): unescape(field.get("value")) for field in form.iterfind(".//input")
    }


def expected_signature(action: str, fields: dict[str, str], secret: str = SECRET) -> str:
    """What oauthlib, which the LMS does not use, signs these fields with."""
    query = oauth_signature.collect_parameters(uri_query=urlsplit(action).query)
    pairs = [*query, *((k, v) for k, v in fields.items() if k != "oauth_signature")]
    uri, normal = (
        oauth_signature.base_string_uri(action),
        oauth_signature.normalize_parameters(pairs),
    )
    text = oauth_signature.signature_base_string("POST", uri, normal)
    return oauth_signature.sign_hmac_sha1_with_client(text, Client(KEY, client_secret=secret))


def envelope(operation: str, sourcedid: str, score: str | None = None, prolog: str = "") -> bytes:
    result = f"<result><resultScore><language>en</language><textString>{score}</textString>"
    result = f"{result}</resultScore></result>" if score is not None else ""
    return f"""{prolog}<imsx_POXEnvelopeRequest xmlns="{NS[1:-1]}"><imsx_POXHeader>
      <imsx_POXRequestHeaderInfo><imsx_version>V1.0</imsx_version>
      <imsx_messageIdentifier>m&lt;1</imsx_messageIdentifier></imsx_POXRequestHeaderInfo>
      </imsx_POXHeader><imsx_POXBody><{operation}Request><resultRecord><sourcedGUID>
      <sourcedId>{sourcedid}</sourcedId></sourcedGUID>{result}</resultRecord>
      </{operation}Request></imsx_POXBody></imsx_POXEnvelopeRequest>""".encode()


def signed_headers(url: str, body: bytes, secret: str = SECRET, **changed: str) -> dict[str, str]:
    """The headers of a body-signed request; the signature is oauthlib's."""
    oauth = {
        "oauth_consumer_key": KEY,
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": str(int(time.time())),
        "oauth_nonce": uuid.uuid4().hex,
        "oauth_version": "1.0",
        "oauth_body_hash": base64.b64encode(hashlib.sha1(body).digest()).decode(),
    } | changed
    oauth["oauth_signature"] = expected_signature(url, oauth, secret)
    listed = ", ".join(f'{k}="{quote(v, safe="-._~")}"' for k, v in oauth.items())
    return {"Authorization": f"OAuth {listed}", "Content-Type": "application/xml"}


def outcome(lms: Lms, body: bytes, headers: dict[str, str] | None = None) -> tuple[str, ...]:
    """The codeMajor, description and score text that the service answers."""
    headers = headers or signed_headers(f"{lms.url}/lti/outcomes", body)
    answer = lms.call("POST", "/lti/outcomes", body=body, headers=headers)
    root = etree.fromstring(answer.data)
    names = ("imsx_codeMajor", "imsx_description", "textString")
    return tuple(root.findtext(f".//{NS}{name}") for name in names)


def post_score(lms: Lms, headers: dict[str, str], second: int, **fields: Any) -> int:
    """Post a score of one second of 2030 to the 1.3 link's line item."""
    score = {
        "userId": "4",
        "scoreGiven": 85,
        "scoreMaximum": 100,
        "timestamp": f"2030-01-01T00:00:{second:02}.250Z",
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
    } | fields
    body = json.dumps({k: v for k, v in score.items() if v is not ...})
    path = "/lti/ags/101/lineitems/2/lineitem/scores?type_id=1"
    return lms.call("POST", path, body=body, headers={"Content-Type": SCORE_TYPE, **headers}).status


def test_launch_form_is_signed_as_oauthlib_signs_it(lms: Lms) -> None:
    cookie = lms.call("GET", "/as/student1", redirect=False).headers["Set-Cookie"]
    page = lms.call("GET", "/launch/11", headers={"Cookie": cookie})
    fields = read_form(page.data)
    action = fields.pop("action")
    assert action == f"{lms.bridge}/lti/launch"
    assert fields["oauth_signature"] == expected_signature(action, fields)
    assert (fields["user_id"], fields["roles"]) == ("4", "Learner")
    assert (fields["custom_activity"], fields["custom_who"]) == ("excel", "4")
    assert fields["resource_link_title"] == "Old Ünit"
    assert SECRET not in page.data.decode()


def test_launches_differ_in_nonce_and_sourcedid(lms: Lms) -> None:
    one, two = lms.launch("11")["fields"], lms.launch("11")["fields"]
    assert one["oauth_nonce"] != two["oauth_nonce"]
    assert one["lis_result_sourcedid"] != two["lis_result_sourcedid"]
    assert "lis_result_sourcedid" not in lms.launch("15")["fields"]


def test_tampered_launch_is_wrong_once(lms: Lms) -> None:
    action = f"{lms.bridge}/lti/launch"
    for name in ("bad-signature", "changed-after-signing"):
        lms.control("tamper", launch=name)
        bad = lms.launch("11")["fields"]
        assert bad["oauth_signature"] != expected_signature(action, bad)
    lms.control("tamper", launch="no-resource-link")
    for link_named in (False, True):
        fields = lms.launch("11")["fields"]
        assert ("resource_link_id" in fields) is link_named
        assert fields["oauth_signature"] == expected_signature(action, fields)
    assert lms.call("POST", "/control/tamper", json={"launch": "nonsense"}).status == 400


def published_key(lms: Lms, token: str) -> Any:
    kid = jwt.get_unverified_header(token)["kid"]
    listed = lms.call("GET", "/lti/jwks").json()["keys"]
    return next(jwt.PyJWK(jwk).key for jwk in listed if jwk["kid"] == kid)


def test_id_token_verifies_and_names_its_services(lms: Lms) -> None:
    form = lms.authorize()
    assert form["action"] == f"{lms.bridge}/lti/launch"
    assert form["state"] == '"><b>&é'
    key = published_key(lms, form["id_token"])
    claims = jwt.decode(form["id_token"], key, ["RS256"], audience="client", issuer=lms.url)
    assert (claims["sub"], claims["nonce"], claims["exp"] - claims["iat"]) == ("4", "n-1", 60)
    endpoint = claims["https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"]
    assert endpoint["lineitem"] == f"{lms.url}/lti/ags/101/lineitems/2/lineitem?type_id=1"
    assert "https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome" not in claims


@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        ({"redirect_uri": "http://127.0.0.1:9/lti/launch"}, {"status": "400"}),
        ({"scope": "openid email"}, {"status": "400"}),
        ({"response_type": "code"}, {"status": "400"}),
        ({"nonce": None}, {"status": "400"}),
        ({"lti_message_hint": '{"launchid":"made-up"}'}, {"status": "400"}),
        ({"client_id": "other"}, {"error": "unauthorized_client"}),
        ({"response_mode": None}, {"error": "invalid_request"}),
        ({"prompt": "login"}, {"error": "invalid_request"}),
        ({"login_hint": "5"}, {"error": "access_denied"}),
        ({"session": "5"}, {"error": "access_denied"}),
        ({"session": ""}, {"error": "login_required"}),
    ],
)
def test_auth_refuses(lms: Lms, changed: dict[str, Any], answer: dict[str, str]) -> None:
    form = lms.authorize(**changed)
    assert answer.items() <= form.items()
    assert "id_token" not in form


def test_message_hint_works_once(lms: Lms) -> None:
    hint = lms.launch("13")["fields"]["lti_message_hint"]
    assert "id_token" in lms.authorize(lti_message_hint=hint)
    assert lms.authorize(lti_message_hint=hint) == {"status": "400"}


@pytest.mark.parametrize("how", ["other-key", "hs256", "none"])
def test_tampered_id_token_does_not_verify(lms: Lms, how: str) -> None:
    lms.control("tamper", id_token={"sign_with": how, "claims": {"sub": "2"}, "remove": ["nonce"]})
    token = lms.authorize()["id_token"]
    with pytest.raises(jwt.InvalidTokenError):
        jwt.decode(token, published_key(lms, token), ["RS256"], audience="client")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["sub"] == "2"
    assert "nonce" not in claims


def test_token_for_a_good_assertion(lms: Lms) -> None:
    answer = lms.ask_token(lms.assertion(), f"{AGS}score", "made:up").json()
    assert (answer["scope"], answer["expires_in"]) == (f"{AGS}score", 3600)


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": STRANGER},
        {"kid": "k2"},
        {"iss": "other"},
        {"sub": "other"},
        {"aud": "http://127.0.0.1:9/token"},
        {"exp": int(time.time()) - 5},
        {"iat": int(time.time()) + 600},
        {"jti": None},
    ],
)
def test_bad_assertion_is_refused(lms: Lms, wrong: dict[str, Any]) -> None:
    answer = lms.ask_token(lms.assertion(**wrong), f"{AGS}score")
    assert (answer.status, answer.json()["error"]) == (400, "invalid_client")


def test_assertion_of_another_algorithm_is_refused(lms: Lms) -> None:
    claims = jwt.decode(lms.assertion(), options={"verify_signature": False})
    for key, algorithm in ((TOOL_KEY, "RS512"), (b"x" * 32, "HS256")):
        token = jwt.encode(claims, key, algorithm, headers={"kid": "k1"})
        assert lms.ask_token(token, f"{AGS}score").status == 400


def test_assertion_works_once_and_needs_a_known_scope(lms: Lms) -> None:
    assertion = lms.assertion()
    assert lms.ask_token(assertion, f"{AGS}score").status == 200
    assert lms.ask_token(assertion, f"{AGS}score").status == 400
    assert lms.ask_token(lms.assertion(), "made:up").json()["error"] == "invalid_scope"


def test_score_must_be_later_by_a_whole_second(lms: Lms) -> None:
    headers = lms.bearer(f"{AGS}score")
    assert post_score(lms, headers, 10, scoreGiven=4, scoreMaximum=5, comment="good") == 200
    assert lms.cell("13")["score"] == 80
    assert post_score(lms, headers, 10, timestamp="2030-01-01T00:00:10.900Z") == 409
    assert post_score(lms, headers, 9) == 409
    assert (lms.cell("13")["score"], lms.cell("13")["comment"]) == (80, "good")
    assert post_score(lms, headers, 11) == 200
    assert (lms.cell("13")["score"], lms.cell("13")["comment"]) == (85, "")
    assert post_score(lms, headers, 12, gradingProgress="Pending") == 200
    assert lms.cell("13")["score"] is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"timestamp": ...},
        {"timestamp": "2030-01-01T00:00:10"},
        {"scoreMaximum": ...},
        {"scoreMaximum": 0},
        {"activityProgress": ...},
        {"gradingProgress": "Done"},
        {"scoreGiven": "85"},
        {"scoreGiven": -1},
        {"userId": "99"},
        {"userId": "2"},
    ],
)
def test_bad_score_is_refused(lms: Lms, wrong: dict[str, Any]) -> None:
    assert post_score(lms, lms.bearer(f"{AGS}score"), 10, **wrong) == 400
    assert lms.cell("13") is None


def test_services_want_the_right_token_and_media_type(lms: Lms) -> None:
    headers = lms.bearer(f"{AGS}score")
    assert post_score(lms, headers | {"Content-Type": "application/json"}, 10) == 400
    assert post_score(lms, lms.bearer(NRPS), 10) == 401
    assert post_score(lms, {"Authorization": headers["Authorization"].lower()}, 10) == 401
    lms.control("clear", tokens=True)
    assert post_score(lms, headers, 10) == 401


def test_line_items_are_made_changed_and_removed(lms: Lms) -> None:
    headers = lms.bearer(f"{AGS}lineitem", f"{AGS}score", f"{AGS}result.readonly")
    container = f"{lms.url}/lti/ags/101/lineitems"
    sent = {"label": "Extra", "scoreMaximum": 20, "resourceLinkId": "13", "tag": "t"}
    kind = headers | {"Content-Type": "application/vnd.ims.lis.v2.lineitem+json"}
    made = lms.call("POST", f"{container}?type_id=1", body=json.dumps(sent), headers=kind)
    assert made.status == 201
    listed = lms.call("GET", f"{container}?tag=t", headers=headers).json()
    assert [item["id"] for item in listed] == [made.json()["id"]]
    assert lms.call("GET", container, headers=headers | {"Accept": "*/*"}).status == 400
    assert lms.call("DELETE", made.json()["id"], headers=headers).status == 204
    assert lms.call("GET", made.json()["id"], headers=headers).status == 404
    assert post_score(lms, headers, 10) == 200
    path = f"{container}/2/lineitem"
    put = json.dumps({"label": "New", "scoreMaximum": 10})
    assert lms.call("PUT", path, body=put, headers=kind).status == 200
    results = lms.call("GET", f"{path}/results?user_id=4", headers=headers).json()
    assert [(r["resultScore"], r["resultMaximum"]) for r in results] == [(8.5, 10)]


def test_members_come_in_pages(lms: Lms) -> None:
    headers = lms.bearer(NRPS)
    url: str | None = f"{lms.url}/lti/nrps/101/memberships?role=Learner&limit=2"
    seen = []
    while url:
        answer = lms.call("GET", url, headers=headers)
        seen.append([member["user_id"] for member in answer.json()["members"]])
        url = answer.headers.get("Link", "<>").partition(">")[0][1:]
    assert seen == [["4", "5"], ["6"]]


def test_members_have_the_status_that_a_test_gives_them(lms: Lms) -> None:
    lms.control("status", user="5", status="Inactive")
    lms.control("status", user="6", status="")
    answer = lms.call("GET", "/lti/nrps/101/memberships?role=Learner", headers=lms.bearer(NRPS))
    found = [member.get("status") for member in answer.json()["members"]]
    assert found == ["Active", "Inactive", None]


def test_outcomes_replace_read_delete(lms: Lms) -> None:
    old = lms.launch("11")["fields"]["lis_result_sourcedid"]
    sourcedid = lms.launch("11")["fields"]["lis_result_sourcedid"]
    assert outcome(lms, envelope("readResult", sourcedid))[::2] == ("success", "")
    assert outcome(lms, envelope("replaceResult", old, "0.333333333"))[0] == "success"
    assert lms.cell("11")["score"] == 33.33333
    assert outcome(lms, envelope("readResult", sourcedid))[::2] == ("success", "0.3333333")
    assert outcome(lms, envelope("replaceResult", sourcedid, "0"))[0] == "success"
    assert outcome(lms, envelope("readResult", sourcedid))[2] == "0"
    assert outcome(lms, envelope("deleteResult", sourcedid))[0] == "success"
    assert outcome(lms, envelope("readResult", sourcedid))[2] == ""
    assert outcome(lms, envelope("promoteResult", sourcedid))[0] == "unsupported"


@pytest.mark.parametrize("score", ["1.2", "-0.1", "", "85%", "0,5", "NaN", "Infinity"])
def test_outcomes_refuse_a_score(lms: Lms, score: str) -> None:
    sourcedid = lms.launch("11")["fields"]["lis_result_sourcedid"]
    assert outcome(lms, envelope("replaceResult", sourcedid, score))[0] == "failure"
    assert lms.cell("11") is None


def test_outcomes_refuse_a_bad_signature(lms: Lms) -> None:
    sourcedid = lms.launch("11")["fields"]["lis_result_sourcedid"]
    url, body = f"{lms.url}/lti/outcomes", envelope("replaceResult", sourcedid, "0.9")
    bad = [
        signed_headers(url, body, secret="other"),
        signed_headers(url, body, oauth_consumer_key="other"),
        signed_headers(url, body, oauth_timestamp=str(int(time.time()) - 301)),
        signed_headers(url, body, oauth_signature_method="HMAC-SHA256"),
        signed_headers(url, envelope("replaceResult", sourcedid, "0.1")),
        signed_headers(f"{url}?x=1", body),
        signed_headers(url, body) | {"Content-Type": "text/xml"},
        {"Content-Type": "application/xml"},
    ]
    for headers in bad:
        assert outcome(lms, body, headers)[0] == "failure"
    assert lms.cell("11") is None
    good = signed_headers(url, body)
    assert outcome(lms, body, good)[0] == "success"
    assert "nonce" in outcome(lms, body, good)[1]


def test_outcomes_refuse_forged_names_and_dangerous_xml(lms: Lms) -> None:
    sourcedid = lms.launch("11")["fields"]["lis_result_sourcedid"]
    forged = sourcedid.replace('"userid":"4"', '"userid":"5"')
    spaced = json.dumps(json.loads(sourcedid))
    doctype = '<!DOCTYPE x [<!ENTITY e "0.5">]>'
    assert outcome(lms, envelope("replaceResult", forged, "0.5"))[0] == "failure"
    assert outcome(lms, envelope("replaceResult", "4711", "0.5"))[0] == "failure"
    for score in ("&e;", "0.5"):
        body = envelope("replaceResult", sourcedid, score, doctype)
        assert outcome(lms, body)[0] == "failure"
    assert outcome(lms, b"<a>")[0] == "failure"
    assert lms.cell("11") is None
    assert outcome(lms, envelope("replaceResult", spaced, "0.5"))[0] == "success"


def test_outcomes_take_a_bearer_token_for_a_13_launch_only(lms: Lms) -> None:
    token = lms.authorize("14")["id_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    offered = claims["https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome"]
    body = envelope("replaceResult", offered["lis_result_sourcedid"], "0.5")
    kind = {"Content-Type": "application/vnd.ims.lti.v1.outcome+xml"}
    assert outcome(lms, body, lms.bearer(NRPS) | kind)[0] == "failure"
    assert outcome(lms, body)[0] == "failure"
    assert outcome(lms, body, lms.bearer(BO) | kind)[0] == "success"
    assert lms.cell("14")["score"] == 50


def test_faults_refuse_or_swallow_the_answer_and_the_log_counts(lms: Lms) -> None:
    sourcedid = lms.launch("11")["fields"]["lis_result_sourcedid"]
    url, body = f"{lms.url}/lti/outcomes", envelope("replaceResult", sourcedid, "0.9")
    lms.control("fault", path="/lti/outcomes", status=503)
    assert lms.call("POST", url, body=body, headers=signed_headers(url, body)).status == 503
    assert lms.cell("11") is None
    lms.control("fault", path="/lti/outcomes", drop=True)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        lms.call("POST", url, body=body, headers=signed_headers(url, body))
    assert lms.cell("11")["score"] == 90
    assert lms.call("POST", url, body=body, headers=signed_headers(url, body)).status == 200
    log = lms.call("GET", "/control/log").json()
    assert [entry["status"] for entry in log] == [503, 200, 200]
    assert [entry["dropped"] for entry in log] == [False, True, False]
    assert (log[2]["user"], log[2]["value"]) == ("4", "0.9")
    assert "0.9" in log[0]["body"]


def test_pages_answer_and_escape(lms: Lms) -> None:
    assert "Old Ünit" in lms.call("GET", "/").data.decode()
    sourcedid = lms.launch("11")["fields"]["lis_result_sourcedid"]
    outcome(lms, envelope("replaceResult", sourcedid, "0.85"))
    assert "85.00" in lms.call("GET", "/gradebook").data.decode()
    back = lms.call("GET", "/return?lti_errormsg=%3Cscript%3E").data.decode()
    assert "&lt;script&gt;" in back
    assert lms.call("GET", "/as/nobody").status == 404
