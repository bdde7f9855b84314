"""The log: one line per event, only named facts, no secrets and no learners."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator

import pytest

from lti_bridge import log
from lti_bridge.errors import DeliveryFailed, NetworkFailed

JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
logger = logging.getLogger("lti_bridge.test")


@pytest.fixture
def root() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("lti_bridge")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


@pytest.fixture
def out(root: None) -> io.StringIO:
    stream = io.StringIO()
    log.configure("DEBUG", stream)
    return stream


@pytest.fixture
def json_out(root: None) -> io.StringIO:
    stream = io.StringIO()
    log.configure("DEBUG", stream, json=True)
    return stream


def test_a_text_line_holds_time_level_event_and_facts(out: io.StringIO) -> None:
    logger.info("grade.delivered", extra={"ref": "AB12", "registration": "old lms", "ms": 12})
    stamp, rest = out.getvalue().rstrip("\n").split(" ", 1)
    assert rest == (
        'INFO logger=lti_bridge.test event=grade.delivered ref=AB12 registration="old lms" ms=12'
    )
    assert time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")
    assert stamp.endswith("Z")


def test_a_json_line_is_an_object_with_the_same_facts(json_out: io.StringIO) -> None:
    logger.warning("x.y", extra={"count": 3, "ms": 1.5, "state": None, "reason": 'a "b"\n'})
    line = json.loads(json_out.getvalue())
    del line["time"]
    assert line == {
        "level": "WARNING",
        "logger": "lti_bridge.test",
        "event": "x.y",
        "count": 3,
        "ms": 1.5,
        "state": None,
        "reason": 'a "b"\\n',
    }


def test_facts_that_are_not_named_are_not_written(out: io.StringIO) -> None:
    logger.info("x.y", extra={"email": "m", "given_name": "Anna", "claims": {"a": 1}, "ref": "R"})
    assert out.getvalue().endswith("event=x.y ref=R\n")


@pytest.mark.parametrize(
    "text", ["a\r\nb", "a\nlevel=ERROR", "a\x1b[2Jb", "a\x00b", "a\u2028b", "a\u202eb", "a\ud800b"]
)
@pytest.mark.parametrize("as_json", [False, True])
def test_no_text_makes_a_second_line(root: None, text: str, as_json: bool) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    log.configure("DEBUG", stream, json=as_json)
    # the test runner's own handlers would keep half characters that it cannot pass on
    logging.getLogger().handlers[:-1] = []
    logger.info("message %s", text, extra={"reason": text, "path": text})
    try:
        raise NetworkFailed(text)
    except NetworkFailed:
        logger.exception("broke")
    written = raw.getvalue().decode()
    assert len(written.splitlines()) == written.count("\n") == 2
    assert all(c == "\n" or c.isprintable() for c in written)


def test_a_message_cannot_forge_facts(out: io.StringIO) -> None:
    logger.info("a ref=FORGED", extra={"reason": 'x" ref=FORGED "y'})
    assert 'event="a ref=FORGED" reason="x\\" ref=FORGED \\"y"' in out.getvalue()


LEAKS = {
    "jwt": (JWT, "eyJ"),
    "cut jwt": (JWT[:40], "eyJ"),
    "bearer": ("Authorization: Bearer hunter", "hunter"),
    "bearer in lower case": ("sent bearer  hunter2 to", "hunter2"),
    "basic": ("header Basic aHVudGVyMjpodW50ZXIy=", "aHVudGVy"),
    "oauth signature": ('oauth_signature="hunter%3D"', "hunter"),
    "oauth signature in a form": ("a=1&oauth_signature=hunter2%3D&b=2", "hunter"),
    "form": ("lis_result_sourcedid=hunter2&x=1", "hunter2"),
    "json": ('{"access_token": "hunter2"}', "hunter2"),
    "python": ("{'client_secret': 'hunter2'}", "hunter2"),
    "password": ("password=hunter2", "hunter2"),
    "cookie": ("Set-Cookie: hunter2=1", "hunter2"),
    "invitation": ("path=/lti/register/hunter2~_-x and", "hunter2"),
    "hook address": ("path=/hooks/mettl-eu/hunter2~.x and", "hunter2"),
    "e-mail": ("user anna.lee+x@example.edu failed", "anna"),
    "quoted e-mail": ("user anna.lee%40example.edu failed", "anna"),
    "e-mail without a domain": ("anna@localhost", "anna"),
    "database url": ("postgresql+psycopg://bridge:hun:ter2@localhost/db", "hun"),
    "query": ("GET https://example.edu/x?state=hunter2&y=1", "hunter2"),
    "query of a path": ("GET /hooks/x?hunter2 HTTP/1.1", "hunter2"),
    "query of a bare host": ("GET example.edu?state=hunter2", "hunter2"),
    "secret in another's value": ("url=x=access_token:hunter2", "hunter2"),
    "long name": ("a" * 90 + "_secret=hunter2", "hunter2"),
    "spaces around": ("client-secret  :   'hunter2'", "hunter2"),
    "quoted equals": ("state%3D1%26oauth_token%3Dhunter2", "hunter2"),
    "after a long path": ("/" + "a/" * 60 + "?x=hunter2", "hunter2"),
    "private key": ("-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----", "hunter2"),
}


@pytest.mark.parametrize(("text", "leak"), LEAKS.values(), ids=LEAKS.keys())
def test_secrets_and_addresses_are_redacted_wherever_they_stand(
    out: io.StringIO, text: str, leak: str
) -> None:
    logger.debug("got %s", text)
    logger.debug("event", extra={"reason": text, "path": text})
    logging.getLogger("a.library").warning("%r", text)
    try:
        raise DeliveryFailed(text)
    except DeliveryFailed:
        logger.exception("broke")
    assert leak.lower() not in out.getvalue().lower()
    assert out.getvalue().count("[redacted]") >= 4


@pytest.mark.parametrize(
    "text",
    [
        "lms.example.edu: no answer in time",
        "POST lms.example.edu:8443/mod/lti/service.php: certificate refused (expired)",
        "basic outcome refused: the sender is unknown",
        "oauth_signature_method=HMAC-SHA1",
        "Is this right? Yes",
    ],
)
def test_ordinary_sentences_stay_as_they_are(text: str) -> None:
    assert log.redact(text) == text


def test_half_an_address_at_the_cut_is_not_shown() -> None:
    tokens = f"{JWT}{JWT}{JWT} " * 200
    for cut in range(1, 40):
        text = log.redact(tokens[: 1600 - cut] + " anna.lee@example.edu and more" * 9, 200)
        assert "anna" not in text
        assert len(text) <= 201


def test_values_and_messages_are_cut(out: io.StringIO) -> None:
    logger.info("m" * 100_000, extra={"reason": "r" * 100_000})
    assert len(out.getvalue()) < 1_400


HOSTILE = [
    *("a", "/", "a.", "a-", "_", "-", "word/", "a-b.c/", "%2f", "x=", "x=:", "token", "secret-"),
    *("hint", "_hint", "sourcedid", "api_", "bearer ", "basic ", "A ", "a ", "a://", "eyJ", "?a"),
    *("a?a/", "/hooks/a", "a@", "%40", "a%40", "é", "-----BEGIN ", "a= ", "a: ", "token ", "\\'"),
]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("end", ["", "?a=b", "@", "=x"])
def test_a_long_address_costs_little_more_than_a_short_one(piece: str, end: str) -> None:
    text = (piece * 8_000)[: 8_000 - len(end)] + end
    began = time.process_time()
    for _ in range(5):
        log.redact(text, 200)  # as a path is written
    assert (time.process_time() - began) / 5 < 0.004  # a whole request takes about 0.001


@pytest.mark.parametrize("piece", ["a-", "/a", "a.", "eyJ", "secret", "a@", "x://", "bearer "])
def test_hostile_text_costs_little_time(piece: str) -> None:
    started = time.process_time()
    log.redact(piece * 1_000_000)
    assert time.process_time() - started < 0.5


def fail_like_a_library(secret: str) -> None:
    raise ValueError(f"INSERT ... with ('{secret}')")


def test_exceptions_are_written_as_types_and_places(out: io.StringIO) -> None:
    try:
        try:
            fail_like_a_library("Anna Lee")
        except ValueError as err:
            raise DeliveryFailed("the LMS said 503") from err
    except DeliveryFailed:
        logger.exception("grade.broke", extra={"ref": "R"})
    written = out.getvalue()
    assert "DeliveryFailed: the LMS said 503 at " in written
    assert "ValueError at " in written
    assert f"test_log:{fail_like_a_library.__code__.co_firstlineno + 1}" in written
    assert "Anna" not in written
    assert "INSERT" not in written


def test_the_reason_of_the_operating_system_is_kept(out: io.StringIO) -> None:
    try:
        raise OSError(28, "No space left on device", "/home/anna/x")
    except OSError:
        logger.exception("broke")
    assert "OSError: No space left on device at " in out.getvalue()
    assert "anna" not in out.getvalue()


def test_libraries_stay_quiet_below_warning(out: io.StringIO) -> None:
    logging.getLogger("urllib3.connectionpool").debug("GET /x?token=hunter2")
    logging.getLogger("urllib3.connectionpool").info("hello")
    assert out.getvalue() == ""


def test_levels_below_the_configured_one_are_not_written(root: None) -> None:
    stream = io.StringIO()
    log.configure("WARNING", stream)
    logger.info("quiet")
    logger.warning("loud")
    assert stream.getvalue().count("\n") == 1


def test_configuring_again_does_not_double_the_lines(out: io.StringIO) -> None:
    log.configure("INFO", out)
    logger.info("once")
    assert out.getvalue().count("once") == 1


def test_a_line_that_cannot_be_made_leaks_no_arguments(
    out: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    root.handlers[:] = [one for one in root.handlers if getattr(one, "stream", None) is out]
    logger.info("%d", "hunter2")
    assert out.getvalue().startswith("log.failed logger=lti_bridge.test line=")
    assert "hunter2" not in out.getvalue() + capsys.readouterr().err


def test_references_are_short_readable_and_different() -> None:
    made = {log.reference() for _ in range(1000)}
    assert len(made) == 1000
    assert all(
        len(one) == 10 and set(one) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for one in made
    )
