"""The outcome service as providers see it: what it takes, what it refuses, what it answers."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from oauthlib.oauth1 import Client

from tests.flow.browser import Browser
from tests.flow.rig import ONE, TWIN_A, TWIN_B, TWO, Reply, Rig, Sitting
from tests.flow.signing import NS, Signer, document, element, envelope
from tests.flow.world import eventually

OPERATIONS = ("replaceResult", "readResult", "deleteResult")
UNKNOWN = "The sourcedId is not known."


@pytest.fixture
def graded(rig: Rig) -> Sitting:
    """A sitting whose grade is 0.25 and has reached the LMS."""
    sitting = rig.sit()
    assert rig.report(sitting, "0.25").said == (200, "success")
    eventually(lambda: rig.school.cells.get(sitting.learner), "0.25")
    return sitting


def refused(rig: Rig, reply: Reply, status: int) -> None:
    """The answer is a POX failure with this status that gives nothing away."""
    assert reply.said == (status, "failure"), reply.body
    assert reply.header("imsx_severity") == "error"
    assert b"Traceback" not in reply.body
    challenge = reply.headers.get("WWW-Authenticate", "")
    assert challenge.startswith("OAuth") == (status == 401)


@pytest.mark.spec("P11O-01", "P11O-03")
def test_a_request_signed_by_another_implementation_is_taken(rig: Rig) -> None:
    sitting = rig.sit()
    body = document("replaceResult", sitting.sourced_id, "0.5")
    for realm, content_type in ((None, "application/xml"), ("x", "Application/XML; charset=utf-8")):
        client = Client(ONE.key, client_secret=ONE.secret, realm=realm)
        headers = {"Content-Type": "application/xml"}
        _, signed, _ = client.sign(sitting.outcome_url, "POST", body.decode(), headers)
        reply = rig.post(body, signed["Authorization"], content_type=content_type)
        assert reply.said == (200, "success"), reply.body
    assert rig.read(sitting) == "0.5"


@pytest.mark.spec("P11O-01", "AMB-08")
def test_only_a_post_of_xml_with_credentials_is_served(rig: Rig, graded: Sitting) -> None:
    body = document("replaceResult", graded.sourced_id, "1")
    url = graded.outcome_url
    with rig.unchanged():
        for method in ("GET", "PUT", "DELETE"):
            reply = rig.post(body, ONE.header(url, body, http=method), http=method)
            assert reply.status == 405
        for header in (None, "", "Basic dXNlcjpwYXNz"):
            refused(rig, rig.post(body, header), 401)
        for content_type in ("text/plain", "application/json", "", "multipart/form-data"):
            reply = rig.post(body, ONE.header(url, body), content_type=content_type)
            refused(rig, reply, 400)


@pytest.mark.spec("P11O-02")
def test_the_body_hash_is_checked_before_the_xml(rig: Rig, graded: Sitting) -> None:
    body = document("replaceResult", graded.sourced_id, "0.92")
    raised = body.replace(b"0.92", b"1.00")
    broken = b"<no xml"
    header = ONE.header(graded.outcome_url, body)
    sha256 = base64.b64encode(hashlib.sha256(body).digest()).decode()
    with rig.unchanged():
        refused(rig, rig.post(raised, header), 401)
        refused(rig, rig.post(broken, header), 401)  # not 400: nobody looked at it
        refused(rig, rig.post(body + b"\n", header), 401)
        refused(rig, rig.send(body, oauth_body_hash=sha256), 401)
        # the draft's SHA-1 goes with every method, and no other hash does
        md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
        refused(rig, rig.send(body, TWO, oauth_body_hash=md5), 401)
        refused(rig, rig.send(body, oauth_body_hash=None), 400)
        refused(rig, rig.send(broken, oauth_body_hash=None), 400)


@pytest.mark.spec("P11O-03")
def test_method_address_and_query_are_signed(rig: Rig, graded: Sitting) -> None:
    body = document("replaceResult", graded.sourced_id, "1")
    url = graded.outcome_url
    with rig.unchanged():
        refused(rig, rig.post(body, ONE.header(url, body, http="PUT")), 401)
        for wrong in (
            url + "/",
            url.replace("127.0.0.1", "localhost"),
            url.replace("http", "https"),
        ):
            refused(rig, rig.post(body, ONE.header(wrong, body)), 401)
        refused(rig, rig.post(body, ONE.header(url, body), query="?a=1"), 401)
        header = ONE.header(url, body).replace("oauth_version", "oauth_versions")
        refused(rig, rig.post(body, header), 401)
    signed = rig.post(body, ONE.header(f"{url}?a=1%202&b=", body), query="?a=1%202&b=")
    assert signed.said == (200, "success")


@pytest.mark.spec("P11O-04")
def test_a_form_with_a_body_hash_is_refused(rig: Rig, graded: Sitting) -> None:
    body = document("replaceResult", graded.sourced_id, "1")
    kind = "application/x-www-form-urlencoded"
    with rig.unchanged():
        reply = rig.post(body, ONE.header(graded.outcome_url, body), content_type=kind)
        refused(rig, reply, 400)


@pytest.mark.spec("P11O-05", "P11O-20", "SECP-17")
def test_a_captured_message_cannot_be_sent_again(rig: Rig) -> None:
    sitting = rig.sit()
    body = document("replaceResult", sitting.sourced_id, "0.7")
    other = document("replaceResult", sitting.sourced_id, "0.8")
    header = ONE.header(sitting.outcome_url, body, oauth_nonce="captured-1")
    with ThreadPoolExecutor(8) as pool:
        said = [reply.said for reply in pool.map(lambda _: rig.post(body, header), range(8))]
    assert sorted(said) == [(200, "success"), *[(401, "failure")] * 7]
    with rig.unchanged():
        for again in (rig.post(body, header), rig.send(other, oauth_nonce="captured-1")):
            refused(rig, again, 401)
            assert again.header("imsx_messageRefIdentifier") == "m-1"


@pytest.mark.spec("P11O-05")
def test_a_captured_question_cannot_be_asked_again(rig: Rig, graded: Sitting) -> None:
    body = document("readResult", graded.sourced_id)
    header = ONE.header(graded.outcome_url, body, oauth_nonce="captured-2")
    assert rig.post(body, header).said == (200, "success")
    with rig.unchanged():
        refused(rig, rig.post(body, header), 401)


@pytest.mark.spec("P11O-05", "P11O-20")
@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (401, {"oauth_timestamp": "-5500"}),
        (401, {"oauth_timestamp": "+5500"}),
        (400, {"oauth_timestamp": "0"}),
        (400, {"oauth_timestamp": "now"}),
        (400, {"oauth_timestamp": None}),
        (400, {"oauth_nonce": None}),
        (400, {"oauth_nonce": ""}),
        (400, {"oauth_consumer_key": None}),
        (400, {"oauth_signature_method": "PLAINTEXT"}),
        (401, {"oauth_signature_method": "HMAC-SHA256"}),
        (400, {"oauth_version": "2.0"}),
        (400, {"oauth_token": "x"}),
        (401, {"oauth_signature": "QUFBQQ=="}),
        (401, {"oauth_consumer_key": "nobody"}),
        (401, {"oauth_consumer_key": TWO.key}),
        (401, {"oauth_consumer_key": "TOOL-ONE"}),
    ],
)
def test_a_message_that_is_not_believed(
    rig: Rig, graded: Sitting, status: int, changes: dict[str, str | None]
) -> None:
    moment = changes.get("oauth_timestamp")
    if moment and moment[0] in "+-":  # seconds from now, not from when the tests were collected
        changes = {"oauth_timestamp": str(int(time.time()) + int(moment))}
    with rig.unchanged():
        reply = rig.send(document("replaceResult", graded.sourced_id, "1"), **changes)
        refused(rig, reply, status)


def test_unknown_key_and_wrong_secret_get_one_answer(rig: Rig, graded: Sitting) -> None:
    body = document("replaceResult", graded.sourced_id, "1")
    guessed = [
        Signer(key, "x", method)
        for key in ("nobody", ONE.key, TWO.key)  # whose methods differ
        for method in (ONE.method, TWO.method)
    ]
    answers = [
        (reply.status, reply.header("imsx_description"), dict(reply.headers).keys())
        for reply in (rig.send(body, one) for one in guessed)
    ]
    assert answers == answers[:1] * 6


@pytest.mark.spec("P11O-06", "P11O-12", "SECP-43")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_another_connections_signature_reaches_nothing(
    rig: Rig, graded: Sitting, operation: str
) -> None:
    score = "1" if operation == "replaceResult" else None
    body = document(operation, graded.sourced_id, score)
    with rig.unchanged():
        for signer in (TWO, TWIN_A):
            reply = rig.send(body, signer)
            assert reply.said == (200, "failure"), reply.body
            assert reply.header("imsx_description") == UNKNOWN
            assert reply.score is None
    assert "outcome.foreign-sourcedid" in rig.bridge.log()
    assert graded.sourced_id not in rig.bridge.log()


@pytest.mark.spec("P11O-06")
def test_connections_that_share_a_key_are_told_apart_by_their_secrets(rig: Rig) -> None:
    sitting = rig.sit(activity="twin-a")
    with rig.unchanged():
        assert rig.report(sitting, "1", TWIN_B).said == (200, "failure")
    assert rig.report(sitting, "0.5", TWIN_A).said == (200, "success")
    assert rig.read(sitting, TWIN_A) == "0.5"


def test_hmac_sha256_is_used_where_it_is_configured(rig: Rig) -> None:
    sitting = rig.sit(activity="two")
    with rig.unchanged():
        refused(rig, rig.report(sitting, "1", Signer(TWO.key, TWO.secret)), 401)
    assert rig.report(sitting, "0.5", TWO).said == (200, "success")


@pytest.mark.spec("P11O-02", "P11O-03")
@pytest.mark.parametrize("hashed", ["sha1", "sha256"])
def test_hmac_sha256_goes_with_either_body_hash(rig: Rig, hashed: str) -> None:
    sitting = rig.sit(activity="two")
    body = document("replaceResult", sitting.sourced_id, "0.5")
    digest = base64.b64encode(hashlib.new(hashed, body).digest()).decode()
    assert rig.send(body, TWO, oauth_body_hash=digest).said == (200, "success")
    assert rig.read(sitting, TWO) == "0.5"
    with rig.unchanged():
        other = body.replace(b"0.5", b"0.9")
        refused(rig, rig.send(other, TWO, oauth_body_hash=digest), 401)


DRAFT = "http://www.imsglobal.org/lis/oms1p0/pox"


@pytest.mark.spec("P11O-18")
@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(lambda body: body.replace(NS.encode(), DRAFT.encode()), id="draft"),
        pytest.param(lambda body: body.replace(f' xmlns="{NS}"'.encode(), b""), id="none"),
        pytest.param(lambda body: body.replace(b'"' + NS.encode(), b'""' + b' x="'), id="empty"),
        pytest.param(
            lambda body: re.sub(rb"<(/?)(?=[a-z])(?!\?)", rb"<\1p:", body).replace(
                b"xmlns=", b"xmlns:p="
            ),
            id="prefixed",
        ),
        pytest.param(
            lambda body: re.sub(rb"<(/?)(?=[a-z])(?!\?)", rb"<\1p:", body).replace(
                f'xmlns="{NS}"'.encode(), f'xmlns:p="{DRAFT}"'.encode()
            ),
            id="draft, prefixed",
        ),
    ],
)
def test_the_draft_and_no_namespace_are_read_as_lmss_do(
    rig: Rig, rewrite: Callable[[bytes], bytes]
) -> None:
    sitting = rig.sit()
    for operation, score in (("replaceResult", "0.5"), ("readResult", None)):
        reply = rig.send(rewrite(document(operation, sitting.sourced_id, score)))
        assert reply.said == (200, "success"), reply.body
    assert reply.score == "0.5"
    assert rig.send(rewrite(document("deleteResult", sitting.sourced_id))).said[1] == "success"
    assert rig.read(sitting) == ""


def changed(old: str, new: str) -> Callable[[Rig, Sitting], Reply]:
    """A message in whose XML something is different."""

    def send(rig: Rig, sitting: Sitting) -> Reply:
        body = document("replaceResult", sitting.sourced_id, "0.5").decode()
        assert old in body
        return rig.send(body.replace(old, new).encode())

    return send


def oauth(**changes: str | None) -> Callable[[Rig, Sitting], Reply]:
    """A message with another protocol parameter."""
    return lambda rig, sitting: rig.send(
        document("replaceResult", sitting.sourced_id, "0.5"), **changes
    )


def old_message(rig: Rig, sitting: Sitting) -> Reply:
    then = str(int(time.time()) - 6000)
    return oauth(oauth_timestamp=then)(rig, sitting)


def used_message(rig: Rig, _sitting: Sitting) -> Reply:
    body = document("readResult", rig.sit().sourced_id)
    header = ONE.header(f"{rig.bridge.url}/platform/outcomes", body)
    assert rig.post(body, header).said == (200, "success")
    return rig.post(body, header)


TOLD: dict[str, tuple[Callable[[Rig, Sitting], Reply], str]] = {
    "no credentials": (
        lambda rig, sitting: rig.post(document("readResult", sitting.sourced_id), None),
        "no OAuth Authorization header",
    ),
    "content type": (
        lambda rig, sitting: rig.post(
            document("readResult", sitting.sourced_id),
            ONE.header(sitting.outcome_url, b""),
            content_type="text/plain",
        ),
        "Content-Type is not application/xml",
    ),
    "unknown key": (oauth(oauth_consumer_key="nobody"), "oauth_consumer_key"),
    "wrong signature": (oauth(oauth_signature="QUFBQQ=="), "/platform/outcomes"),
    "body hash": (oauth(oauth_body_hash="x"), "oauth_body_hash is not the hash of the body"),
    "no body hash": (oauth(oauth_body_hash=None), "oauth_body_hash is missing"),
    "no nonce": (oauth(oauth_nonce=None), "oauth_nonce is missing"),
    "old": (old_message, "oauth_timestamp is 600"),
    "used": (used_message, "nonce was already used"),
    "version": (oauth(oauth_version="2.0"), "oauth_version is not 1.0"),
    "no XML": (lambda rig, _sitting: rig.send(b"<x>"), "not well-formed XML at line 1, column 4"),
    "doctype": (changed("<imsx_POXEnv", "<!DOCTYPE x><imsx_POXEnv"), "DOCTYPE"),
    "encoding": (changed("UTF-8", "UTF-16"), "encoding"),
    "root": (changed("POXEnvelopeRequest", "POXEnvelope"), "root is not imsx_POXEnvelopeRequest"),
    "namespace": (changed(NS, "urn:other"), f"is not in the namespace {NS}"),
    "mixed": (changed("<sourcedId>", '<sourcedId xmlns="">'), "sourcedId is not in the namespace"),
    "no header": (changed("imsx_POXHeader>", "imsx_POXHead>"), "imsx_POXHeader is missing"),
    "no message id": (
        changed("imsx_messageIdentifier", "imsx_id"),
        "imsx_messageIdentifier is missing",
    ),
    "no operation": (changed("<imsx_POXBody>", "<imsx_POXBody/><imsx_POXBody>"), "2 times"),
    "no record": (changed("resultRecord", "record"), "resultRecord is missing"),
    "no sourcedId": (changed("sourcedId>", "sourceId>"), "sourcedId is missing"),
    "inside the score": (changed("0.5", "0.<b/>5"), "textString holds more than text"),
    "comma": (changed("0.5", "0,5"), "textString of resultScore is no decimal number"),
    "empty": (changed("0.5", ""), "textString of resultScore is no decimal number"),
    "percent": (changed("0.5", "50"), "textString of resultScore is not between 0.0 and 1.0"),
    "no score": (changed("resultScore", "score"), "resultScore is missing"),
    "operation": (changed("replaceResultRequest", "fooRequest"), "none of replaceResult"),
    "sourcedId": (changed("<sourcedId>", "<sourcedId>x"), "sourcedId is not known"),
}


@pytest.mark.spec("P11O-18", "P11O-20")
@pytest.mark.parametrize("variant", TOLD)
def test_a_refusal_tells_the_tool_which_element_and_why(
    rig: Rig, graded: Sitting, variant: str
) -> None:
    send, words = TOLD[variant]
    reply = send(rig, graded)
    assert reply.major in ("failure", "unsupported")
    said = reply.header("imsx_description")
    assert words in said
    for secret in (ONE.secret, graded.sourced_id, "Traceback", ".py", "connection"):
        assert secret not in said
    assert rig.read(graded) == "0.25"


@pytest.mark.spec("P11O-07", "P11O-10")
@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("0", "0"),
        ("0.0", "0"),
        ("1", "1"),
        ("1.0", "1"),
        ("0.92", "0.92"),
        (".5", "0.5"),
        ("1.", "1"),
        ("5e-1", "0.5"),
        ("1E-1", "0.1"),
        ("00.50", "0.5"),
        ("0.333333333333", "0.333333333333"),
        ("0.1000000000000000055511151231", "0.1000000000000000055511151231"),
    ],
)
def test_every_spelling_of_a_score_is_kept_exactly(rig: Rig, sent: str, kept: str) -> None:
    sitting = rig.sit()
    assert rig.report(sitting, sent).said == (200, "success")
    assert rig.read(sitting) == kept
    eventually(lambda: rig.school.cells.get(sitting.learner), kept)
    reply = rig.send(document("readResult", sitting.sourced_id))
    score = element(reply.root, "imsx_POXBody/readResultResponse/result/resultScore")
    assert score is not None
    assert [(one.tag, one.text) for one in score] == [
        (f"{{{NS}}}language", "en"),
        (f"{{{NS}}}textString", kept),
    ]


@pytest.mark.spec("P11O-08", "P11O-20")
@pytest.mark.parametrize(
    "score",
    ["1.01", "1.0000000000000000001", "-0.1", "-0", "+0.5", "0,5", "", " ", "NaN", "Infinity",
     "inf", "50%", "0.5 ", "0x1", "1e1", "1e99999999", "0.5.1", "٠.٥", "half", "5/10", "0" * 70],
)  # fmt: skip
def test_what_is_no_score_changes_nothing(rig: Rig, graded: Sitting, score: str) -> None:
    with rig.unchanged():
        refused(rig, rig.report(graded, score), 200)
    assert rig.read(graded) == "0.25"


@pytest.mark.spec("P11O-08")
def test_a_replace_without_a_score_changes_nothing(rig: Rig, graded: Sitting) -> None:
    with rig.unchanged():
        refused(rig, rig.send(document("replaceResult", graded.sourced_id)), 200)


@pytest.mark.spec("P11O-09", "P11O-11", "P11O-14")
def test_reading_and_deleting_from_first_to_last(rig: Rig) -> None:
    sitting = rig.sit()
    assert rig.read(sitting) == ""
    for _ in range(2):  # nothing is there to be deleted, and that is no failure
        assert rig.delete(sitting).said == (200, "success")
    assert rig.report(sitting, "0").said == (200, "success")
    assert rig.read(sitting) == "0"
    eventually(lambda: rig.school.cells.get(sitting.learner, "never"), "0")
    reply = rig.delete(sitting)
    assert reply.said == (200, "success")
    assert element(reply.root, "imsx_POXBody/deleteResultResponse") is not None
    assert rig.read(sitting) == ""
    eventually(lambda: rig.school.cells[sitting.learner], None)
    assert rig.delete(sitting).said == (200, "success")
    assert rig.report(sitting, "0.6").said == (200, "success")
    eventually(lambda: rig.school.cells[sitting.learner], "0.6")
    sent = [(call.operation, call.value) for call in rig.school.of(sitting.learner)]
    assert sent == [("replaceResult", "0"), ("deleteResult", None), ("replaceResult", "0.6")]


@pytest.mark.spec("P11O-12", "SECP-42")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_sourcedid_that_was_not_issued_gets_one_answer(
    rig: Rig, graded: Sitting, operation: str
) -> None:
    neighbour = rig.sit()
    gone = rig.sit()
    with rig.engine.begin() as connection:
        for table in ("attempts", "grades", "launches"):
            where = {
                "attempts": "id = :id",
                "launches": "attempt_id = :id",
                "grades": "user_id = :user",
            }[table]
            connection.exec_driver_sql(
                f"DELETE FROM {table} WHERE {where}",  # noqa: S608 - ours
                {"id": gone.sourced_id.split(".")[0], "user": gone.learner},
            )
    real = graded.sourced_id
    attempt, mac = real.split(".")
    first, last = ("A" if real[end] != "A" else "B" for end in (0, -1))
    wrong = [
        gone.sourced_id,
        real[:-1] + last,
        first + real[1:],
        real[:-1],
        real + "A",
        attempt,
        f"{attempt}.",
        f".{mac}",
        f"{neighbour.sourced_id.split('.')[0]}.{mac}",
        real.upper(),
        f" {real}",
        "",
        ".",
        "1",
        "ü' OR 1=1 --",
    ]
    said = set()
    with rig.unchanged():
        for sourced_id in wrong:
            score = "1" if operation == "replaceResult" else None
            reply = rig.send(document(operation, sourced_id, score))
            refused(rig, reply, 200)
            said.add(reply.header("imsx_description"))
    assert said == {UNKNOWN}


@pytest.mark.spec("P11O-13", "P11O-15", "AMB-08", "AMB-12")
@pytest.mark.parametrize("name", ["fooRequest", "createPersonRequest", "x"])
def test_other_operations_are_unsupported(rig: Rig, graded: Sitting, name: str) -> None:
    inner = document("replaceResult", graded.sourced_id, "1").decode()
    record = inner.partition("<replaceResultRequest>")[2].partition("</replaceResultRequest>")[0]
    with rig.unchanged():
        reply = rig.send(envelope(f"<{name}>{record}</{name}>"))
        assert reply.said == (200, "unsupported")
        assert reply.header("imsx_severity") == "error"
        assert reply.header("imsx_messageRefIdentifier") == "m-1"


@pytest.mark.spec("P11O-14", "P11O-15", "P11O-17", "P11O-20")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_envelope_of_an_answer(rig: Rig, graded: Sitting, operation: str) -> None:
    score = "0.25" if operation == "replaceResult" else None
    ids = set()
    for sourced_id, major in ((graded.sourced_id, "success"), ("unknown", "failure")):
        reply = rig.send(document(operation, sourced_id, score, "request-7"))
        assert reply.said == (200, major)
        assert reply.headers["Content-Type"] == "application/xml"
        assert reply.header("imsx_version") == "V1.0"
        assert reply.header("imsx_severity") == ("status" if major == "success" else "error")
        assert reply.header("imsx_description")
        assert reply.header("imsx_messageRefIdentifier") == "request-7"
        assert reply.header("imsx_operationRefIdentifier") == operation
        ids.add(reply.header("imsx_messageIdentifier"))
        body = element(reply.root, "imsx_POXBody")
        assert body is not None
        assert [one.tag for one in body] == [f"{{{NS}}}{operation}Response"]
        filled = operation == "readResult" and major == "success"
        assert [len(one) for one in body] == [int(filled)]
    assert len(ids - {"", "request-7"}) == 2


@pytest.mark.spec("P11O-16")
def test_what_is_echoed_is_escaped(rig: Rig, graded: Sitting) -> None:
    nasty = "</x><y>&\"']]>ü"
    reply = rig.send(document("readResult", graded.sourced_id, message_id=nasty))
    assert reply.header("imsx_messageRefIdentifier") == nasty
    assert reply.root.find(".//{*}y") is None


GOOD = "<sourcedGUID><sourcedId>{}</sourcedId></sourcedGUID>"
SCORE = "<result><resultScore><textString>1</textString></resultScore></result>"
REPLACE = f"<replaceResultRequest><resultRecord>{GOOD}{SCORE}</resultRecord></replaceResultRequest>"


@pytest.mark.spec("P11O-18", "SECP-04")
@pytest.mark.parametrize(
    "inner",
    [
        f"{REPLACE}{REPLACE}",
        f"{REPLACE}<fooRequest/>",
        f"{REPLACE}<deleteResultRequest><resultRecord>{GOOD}</resultRecord></deleteResultRequest>",
        "",
        "text",
        "<replaceResultRequest/>",
        REPLACE.replace("<replaceResultRequest>", '<replaceResultRequest xmlns="">'),
        REPLACE.replace("<replaceResultRequest>", '<replaceResultRequest xmlns="http://x/">'),
        REPLACE.replace("<sourcedId>", '<sourcedId xmlns="">'),
        REPLACE.replace("<textString>", '<textString xmlns="http://x/">'),
        REPLACE.replace("<resultRecord>", '<resultRecord xmlns="http://x/">'),
        REPLACE.replace("</sourcedGUID>", "<sourcedId>{}</sourcedId></sourcedGUID>"),
        REPLACE.replace("</sourcedGUID>", f"</sourcedGUID>{GOOD}"),
        REPLACE.replace("</result>", "</result><x><sourcedId>other</sourcedId></x>"),
        REPLACE.replace("<sourcedId>{}", "<sourcedId>{}<!-- -->x"),
        REPLACE.replace("<textString>1", "<textString>0.<b/>1"),
        REPLACE.replace("</result>", "</result>" + SCORE),
    ],
)  # fmt: skip
def test_a_message_of_the_wrong_shape(rig: Rig, graded: Sitting, inner: str) -> None:
    with rig.unchanged():
        refused(rig, rig.send(envelope(inner.replace("{}", graded.sourced_id))), 400)


@pytest.mark.spec("P11O-18")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"</imsx_POXEnvelopeRequest>", b""),
        (b"</sourcedId>", b"</sourcedID>"),
        (b"imsx_POXEnvelopeRequest", b"imsx_POXEnvelopeResponse"),
        (NS.encode(), b"http://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p1"),
        (b"<imsx_messageIdentifier>m-1</imsx_messageIdentifier>", b""),
        (b"<?xml", b"x<?xml"),
        (b"<language>", b"\xff<language>"),
    ],
)
def test_broken_xml(rig: Rig, graded: Sitting, old: bytes, new: bytes) -> None:
    body = document("replaceResult", graded.sourced_id, "1")
    assert old in body
    with rig.unchanged():
        refused(rig, rig.send(body.replace(old, new)), 400)
        refused(rig, rig.send(b""), 400)
    assert "Traceback" not in rig.bridge.log()


@pytest.mark.spec("P11O-18", "SECP-01")
def test_a_doctype_is_refused_and_nothing_is_fetched(rig: Rig, graded: Sitting) -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary:
        port = canary.getsockname()[1]
        for target in ("file:///etc/passwd", f"http://127.0.0.1:{port}/x", "/etc/passwd"):
            for declared in (
                f'<!DOCTYPE x [<!ENTITY e SYSTEM "{target}">]>',
                f'<!DOCTYPE x SYSTEM "{target}">',
                f'<!DOCTYPE x [<!ENTITY % p SYSTEM "{target}"> %p;]>',
            ):
                body = document("replaceResult", "&e;", "1").replace(b"&amp;e;", b"&e;")
                with rig.unchanged():
                    reply = rig.send(body.replace(b"?>", b"?>" + declared.encode(), 1))
                    refused(rig, reply, 400)
                assert b"root:" not in reply.body
        with rig.unchanged():  # not even a harmless one, or one that hides the sourcedId
            body = document("replaceResult", graded.sourced_id, "1")
            for declared in (
                "<!DOCTYPE imsx_POXEnvelopeRequest>",
                '<!DOCTYPE x [<!ENTITY e "1">]>',
            ):
                reply = rig.send(body.replace(b"?>", b"?>" + declared.encode(), 1))
                refused(rig, reply, 400)
        canary.settimeout(0.2)
        with pytest.raises(TimeoutError):
            canary.accept()
    assert "root:" not in rig.bridge.log()


@pytest.mark.spec("SECP-02", "P11O-18")
def test_bombs_and_giants_are_refused_at_once(rig: Rig, graded: Sitting) -> None:
    lol = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
    bomb = f'<!DOCTYPE x [<!ENTITY l0 "lol">{lol}]>'.encode()
    body = (
        document("replaceResult", "&l9;", "1")
        .replace(b"&amp;", b"&")
        .replace(b"?>", b"?>" + bomb, 1)
    )
    deep = envelope("<a>" * 3000 + "</a>" * 3000)
    large = document("replaceResult", graded.sourced_id, "1", more="<x>" + "y" * 70_000 + "</x>")
    with rig.unchanged():
        for sent in (body, deep, large):
            refused(rig, rig.send(sent), 400)
        for headers in ({"Content-Length": str(10_000_000)}, {"Transfer-Encoding": "chunked"}):
            refused(rig, giant(graded.outcome_url, headers), 400)


def giant(url: str, headers: dict[str, str]) -> Reply:
    """Announce 10 MB, send the first part of it, and wait for an answer all the same."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.putrequest("POST", parts.path)
    for name, value in (headers | {"Content-Type": "application/xml"}).items():
        connection.putheader(name, value)
    connection.endheaders()
    part = b"x" * 100_000
    if "Transfer-Encoding" in headers:
        part = b"%x\r\n%s\r\n" % (len(part), part)
    connection.send(part)
    if "Transfer-Encoding" in headers:
        connection.send(b"0\r\n\r\n")
    answer = connection.getresponse()
    reply = Reply(answer.status, answer.headers, answer.read())
    connection.close()
    return reply


@pytest.mark.spec("P11O-01")
def test_a_chunked_message_is_a_message(rig: Rig) -> None:
    sitting = rig.sit()
    body = document("replaceResult", sitting.sourced_id, "0.5")
    parts = urlsplit(sitting.outcome_url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    header = ONE.header(sitting.outcome_url, body)
    connection.request(
        "POST",
        parts.path,
        iter([body[:100], body[100:]]),
        {"Authorization": header, "Content-Type": "application/xml"},
        encode_chunked=True,
    )
    answer = connection.getresponse()
    assert Reply(answer.status, answer.headers, answer.read()).said == (200, "success")
    connection.close()


@pytest.mark.spec("SECP-03")
@pytest.mark.parametrize(
    "body",
    [
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("UTF-8", "UTF-16").encode("utf-16"),
        lambda text: text.replace("UTF-8", "utf-7").encode(),
        lambda text: text.replace("UTF-8", "ISO-8859-1").encode("latin-1"),
        lambda text: text.encode() + b"\0",
        lambda text: text.replace("<textString>", "<textString>\0").encode(),
        lambda text: b"\0" + text.encode(),
    ],
)
def test_other_encodings_are_refused(rig: Rig, graded: Sitting, body) -> None:  # noqa: ANN001
    text = document("replaceResult", graded.sourced_id, "1").decode()
    with rig.unchanged():
        refused(rig, rig.send(body(text)), 400)


@pytest.mark.spec("SECP-03")
def test_a_byte_order_mark_is_read_over(rig: Rig) -> None:
    sitting = rig.sit()
    body = document("replaceResult", sitting.sourced_id, "0.5")
    assert rig.send(b"\xef\xbb\xbf" + body).said == (200, "success")
    assert rig.read(sitting) == "0.5"


@pytest.mark.spec("P11O-19")
def test_what_comes_along_does_not_spoil_the_score(rig: Rig) -> None:
    sitting = rig.sit()
    more = (
        "<resultData><text>Well done &lt;b&gt;</text><url>https://example.org/1</url>"
        "<ltiLaunchUrl>https://example.org/2</ltiLaunchUrl></resultData>"
        "<resultTotalScore><language>en</language><textString>50</textString></resultTotalScore>"
    )
    body = document("replaceResult", sitting.sourced_id, "0.5", more=more)
    details = (
        "<submissionDetails><submittedAt>2026-01-01T00:00:00Z</submittedAt></submissionDetails>"
    )
    body = body.replace(b"</replaceResultRequest>", details.encode() + b"</replaceResultRequest>")
    assert rig.send(body).said == (200, "success")
    assert rig.read(sitting) == "0.5"


@pytest.mark.spec("P11O-20")
def test_every_refusal_has_its_status(rig: Rig, graded: Sitting) -> None:
    with rig.unchanged():
        refused(rig, rig.report(graded, "2"), 200)
        refused(rig, rig.report(graded, "1", Signer(ONE.key, "wrong")), 401)
        refused(rig, rig.send(b"<x/>"), 400)


@pytest.mark.spec("SECP-45")
def test_a_learners_browser_cannot_grade(rig: Rig) -> None:
    browser = Browser()
    learner = "self-grader"
    fields = dict(rig.launch(browser, "old", "best", learner).form().fields)
    body = document("replaceResult", fields["lis_result_sourcedid"], "1")
    with rig.unchanged():
        refused(rig, rig.post(body, None), 401)
        page = browser.request("POST", f"{rig.bridge.url}/platform/outcomes", body.decode())
        assert page.status in (400, 401)
        again = browser.post(fields["lis_outcome_service_url"], fields)
        assert again.status in (400, 401)
        back = browser.post(fields["launch_presentation_return_url"], {"score": "1"})
        assert back.status == 200
