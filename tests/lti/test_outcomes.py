"""Basic Outcomes XML: what is written, what is read, and hostile or sloppy documents."""

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from lti_bridge import errors
from lti_bridge.lti import outcomes

NS = {"p": outcomes.NAMESPACE}
SCORE = (
    "<result><resultScore><language>en</language><textString>0.92</textString></resultScore>"
    "</result>"
)
RECORD = "<sourcedGUID><sourcedId>3124567</sourcedId></sourcedGUID>"
HEADER = (
    "<imsx_POXHeader><imsx_POXRequestHeaderInfo><imsx_version>V1.0</imsx_version>"
    "<imsx_messageIdentifier>999999123</imsx_messageIdentifier></imsx_POXRequestHeaderInfo>"
    "</imsx_POXHeader>"
)
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


def envelope(
    body: str, header: str = HEADER, declaration: str = DECLARATION, ns: str = outcomes.NAMESPACE
) -> bytes:
    return (
        f'{declaration}<imsx_POXEnvelopeRequest xmlns="{ns}">{header}'
        f"<imsx_POXBody>{body}</imsx_POXBody></imsx_POXEnvelopeRequest>"
    ).encode()


def operation(record: str, name: str = "replaceResult") -> str:
    return f"<{name}Request><resultRecord>{record}</resultRecord></{name}Request>"


FIGURE_3 = envelope(operation(RECORD + SCORE))


def find(xml: bytes, path: str) -> list[str | None]:
    return [element.text for element in etree.fromstring(xml).iterfind(path, NS)]


@pytest.mark.spec("T11O-03")
def test_a_replace_request_is_figure_3_of_the_guide() -> None:
    request = outcomes.build_request("replaceResult", "3124567", "999999123", Decimal("0.92"))
    assert len(request) == 590
    assert request == FIGURE_3


@pytest.mark.parametrize("name", ["readResult", "deleteResult"])
def test_read_and_delete_carry_no_result(name: str) -> None:
    assert outcomes.build_request(name, "3124567", "999999123", None) == envelope(
        operation(RECORD, name)
    )


def test_feedback_text_is_written_beside_the_score_without_what_xml_cannot_hold() -> None:
    request = outcomes.build_request(
        "replaceResult", "s", "m", Decimal(1), text="B2 <good>\x0b & more"
    )
    assert find(request, ".//p:result/p:resultData/p:text") == ["B2 <good> & more"]
    assert outcomes.parse_request(request).score_text == "1"


def test_a_sourced_id_that_xml_cannot_hold_is_refused_for_good() -> None:
    with pytest.raises(errors.DeliveryRefused):
        outcomes.build_request("readResult", "a\x01", "m", None)


XML_TEXT = st.text(
    st.characters(
        exclude_categories=["Cs"],
        exclude_characters=[chr(c) for c in range(32) if chr(c) not in "\t\n\r"]
        + ["\ufffe", "\uffff"],
    )
)


@given(XML_TEXT, XML_TEXT, XML_TEXT)
def test_any_xml_text_survives_both_ways(sourced_id: str, message_id: str, text: str) -> None:
    request = outcomes.build_request("replaceResult", sourced_id, message_id, Decimal(0), text=text)
    assert outcomes.parse_request(request) == outcomes.OutcomeRequest(
        "replaceResult", message_id, sourced_id, "0"
    )
    answer = outcomes.build_response("success", "status", text, "m", message_id, "readResult")
    assert find(answer, ".//p:imsx_messageRefIdentifier") == [message_id or None]
    assert find(answer, ".//p:imsx_description") == [text or None]


@pytest.mark.spec("T11O-03")
@pytest.mark.parametrize(
    ("score", "text"),
    [
        ("0", "0"),
        ("0.0", "0"),
        ("1.0", "1"),
        ("0.50", "0.5"),
        ("0.333333333333333333333333333333333333", "0.333333333333333333333333333333333333"),
        ("1E-7", "0.0000001"),
        ("0E-3", "0"),
        ("1E+0", "1"),
    ],
)
def test_a_score_is_written_plainly(score: str, text: str) -> None:
    assert outcomes.score_text(Decimal(score)) == text


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("0", "0"),
        ("1", "1"),
        ("0.0", "0"),
        ("1.0", "1"),
        ("0.92", "0.92"),
        (".5", "0.5"),
        ("1.", "1"),
        ("1e-1", "0.1"),
        ("5E-01", "0.5"),
        ("10e-1", "1"),
        ("000.5", "0.5"),
        ("0e99", "0"),
    ],
)
def test_a_score_is_read_exactly(text: str, score: str) -> None:
    assert outcomes.parse_score(text) == Decimal(score)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "1.01", "1.0000000000000000000000000000000000001", "2", "-0.1", "-0", "+0.5"),
        *("0,5", "NaN", "Infinity", "inf", "sNaN", "85%", "0.5 ", " 0.5", "0.5\n", "0 5", "1_0"),
        *("0x1", ".", "e1", "1e", "1e1", "1e999", "1e-999", "٠", "０.５", "0.5.5", "0" * 65, "A"),
    ],
)
def test_what_is_not_a_score_is_refused(text: str) -> None:
    with pytest.raises(errors.OutcomeRefused):
        outcomes.parse_score(text)


@given(st.decimals(0, 1, places=12))
def test_any_score_round_trips(score: Decimal) -> None:
    assert outcomes.parse_score(outcomes.score_text(score)) == score


def test_a_request_may_be_indented_and_commented_between_elements() -> None:
    pretty = FIGURE_3.replace(b"><", b">\n  <!-- x --> <?y z?><")
    assert outcomes.parse_request(pretty) == outcomes.parse_request(FIGURE_3)


def test_extensions_are_ignored_and_a_missing_score_is_seen() -> None:
    more = SCORE.replace(
        "</result>",
        "<resultTotalScore><language>en</language><textString>9</textString></resultTotalScore>"
        "<resultData><text>well done</text><url>https://a.example/</url></resultData></result>"
        "<submissionDetails><submittedAt>2026-01-01</submittedAt></submissionDetails>",
    )
    assert outcomes.parse_request(envelope(operation(RECORD + more))).score_text == "0.92"
    only_data = "<result><resultData><text>x</text></resultData></result>"
    for record in (RECORD, RECORD + only_data):
        assert outcomes.parse_request(envelope(operation(record))).score_text is None


def test_only_replace_carries_a_score() -> None:
    request = outcomes.parse_request(envelope(operation(RECORD + SCORE, "readResult")))
    assert request == outcomes.OutcomeRequest("readResult", "999999123", "3124567", None)


def test_an_empty_score_is_not_a_missing_one() -> None:
    empty = SCORE.replace("0.92", "")
    assert outcomes.parse_request(envelope(operation(RECORD + empty))).score_text == ""


@pytest.mark.parametrize("name", ["fooRequest", "createPersonRequest", "replaceResult", "Request"])
def test_an_unknown_operation_is_named(name: str) -> None:
    request = outcomes.parse_request(envelope(f"<{name}><anything/></{name}>"))
    assert request == outcomes.OutcomeRequest(name, "999999123", "", None)


CANARY = '<!DOCTYPE x [<!ENTITY e SYSTEM "{}">]>'
LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "'
    + "ha" * 400
    + '">'
    + "".join(f'<!ENTITY {n} "{f"&{p};" * 10}">' for p, n in zip("abcdefg", "bcdefgh", strict=True))
    + "]>"
)


@pytest.mark.spec("SECP-01")
@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://127.0.0.1:9/canary"])
def test_an_external_entity_is_refused_and_quoted_nowhere(target: str) -> None:
    record = "<sourcedGUID><sourcedId>&e;</sourcedId></sourcedGUID>" + SCORE
    body = envelope(operation(record), declaration=DECLARATION + CANARY.format(target))
    with pytest.raises(errors.BadRequest) as caught:
        outcomes.parse_request(body)
    assert caught.value.detail == "outcome: DOCTYPE or NUL is not allowed"


@pytest.mark.spec("SECP-01")
@pytest.mark.parametrize("doctype", ["<!DOCTYPE x>", '<!DOCTYPE x SYSTEM "x.dtd">', LAUGHS])
def test_any_doctype_is_refused(doctype: str) -> None:
    with pytest.raises(errors.BadRequest, match="DOCTYPE"):
        outcomes.parse_request(envelope(operation(RECORD), declaration=DECLARATION + doctype))
    with pytest.raises(errors.DeliveryFailed, match="DOCTYPE"):
        outcomes.parse_response(envelope("", declaration=DECLARATION + doctype))


@pytest.mark.spec("SECP-02")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(envelope(operation("&h;"), declaration=LAUGHS), id="billion laughs"),
        pytest.param(b" " * 10_000_000, id="10 MB"),
        pytest.param(b"<a>" * 9000, id="deep, open"),
        pytest.param(b"<a>" * 9000 + b"</a>" * 9000, id="deep, too long"),
        pytest.param(b"<a>" * 5000 + b"</a>" * 5000, id="deep"),
        pytest.param(b'<a b="' + b"&lt;" * 16000 + b'"/>', id="wide"),
    ],
)
def test_huge_documents_are_refused_at_once(body: bytes) -> None:
    start = time.monotonic()
    with pytest.raises(errors.BadRequest):
        outcomes.parse_request(body)
    assert time.monotonic() - start < 30  # a bomb that goes off takes hours


@pytest.mark.spec("SECP-02")
def test_64_kilobytes_is_the_limit() -> None:
    limit = 64 * 1024
    padded = FIGURE_3 + b" " * (limit - len(FIGURE_3))
    assert outcomes.parse_request(padded).sourced_id == "3124567"
    with pytest.raises(errors.BadRequest, match="64 kB"):
        outcomes.parse_request(padded + b" ")


@pytest.mark.spec("SECP-03")
@pytest.mark.parametrize(
    "body",
    [
        FIGURE_3.decode().encode("utf-16"),
        FIGURE_3.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        FIGURE_3.decode().encode("utf-16-le"),
        FIGURE_3.decode().encode("utf-32-be"),
        FIGURE_3.replace(b"UTF-8", b"UTF-16"),
        FIGURE_3.replace(b"UTF-8", b"utf-7"),
        FIGURE_3.replace(b"UTF-8", b"ISO-8859-1"),
        FIGURE_3.replace(b"UTF-8", b"US-ASCII"),
        b"\xef\xbb\xbf" + FIGURE_3.replace(b"UTF-8", b"IBM037"),
        FIGURE_3.replace(b'encoding="UTF-8"', b"encoding = 'cp1252' standalone='yes'"),
        FIGURE_3.replace(b"3124567", b"312\x004567"),
        FIGURE_3.replace(b"3124567", b"&#0;"),
        FIGURE_3.replace(b"3124567", b"\xe4"),
        FIGURE_3.replace(b"3124567", b"\xc0\xaf"),
        FIGURE_3 + b"\x00",
    ],
)
def test_encoding_tricks_are_refused(body: bytes) -> None:
    with pytest.raises(errors.BadRequest):
        outcomes.parse_request(body)


@pytest.mark.spec("SECP-03")
@pytest.mark.parametrize("where", [b"imsx_POXBody", b"3124567", b"</imsx_POXEnvelopeRequest>"])
def test_nul_is_refused_before_the_parser_sees_it(where: bytes) -> None:
    with pytest.raises(errors.BadRequest, match="NUL"):
        outcomes.parse_request(FIGURE_3.replace(where, where + b"\x00"))


@pytest.mark.spec("SECP-03")
def test_a_byte_order_mark_or_no_declaration_is_read_once() -> None:
    named = FIGURE_3.replace(b"3124567", "ä-€".encode())
    assert outcomes.parse_request(b"\xef\xbb\xbf" + named).sourced_id == "ä-€"
    assert outcomes.parse_request(named.removeprefix(DECLARATION.encode())).sourced_id == "ä-€"
    with pytest.raises(errors.BadRequest):
        outcomes.parse_request(b"\xef\xbb\xbf" * 2 + named)


OTHER = "https://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p0"
TWO_IDS = "<sourcedGUID><sourcedId>1</sourcedId><sourcedId>2</sourcedId></sourcedGUID>"


@pytest.mark.spec("SECP-04")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(envelope(operation(RECORD + SCORE), ns=OTHER), id="wrong namespace"),
        pytest.param(
            envelope(operation(RECORD + SCORE).replace("Request>", 'Request xmlns="">', 1)),
            id="operation without namespace",
        ),
        *(
            pytest.param(
                FIGURE_3.replace(f"<{name}>".encode(), f'<{name} xmlns="{OTHER}">'.encode()),
                id=f"{name} in a wrong namespace",
            )
            for name in (
                *("imsx_POXHeader", "imsx_messageIdentifier", "imsx_POXBody", "resultRecord"),
                *("sourcedGUID", "sourcedId", "result", "resultScore", "textString"),
            )
        ),
        pytest.param(
            envelope(
                operation(RECORD + SCORE)
                .replace("<replaceResultRequest", f'<o:replaceResultRequest xmlns:o="{OTHER}"')
                .replace("</replace", "</o:replace")
            ),
            id="operation in a wrong namespace",
        ),
        pytest.param(
            envelope(operation(RECORD + SCORE + SCORE.replace("<result>", '<result xmlns="">'))),
            id="two results, one elsewhere",
        ),
        pytest.param(envelope(operation(RECORD + SCORE) + "<x/>"), id="something after"),
        pytest.param(envelope(operation(TWO_IDS + SCORE)), id="two sourcedIds"),
        pytest.param(
            envelope(operation(TWO_IDS.replace("<sourcedId>", '<sourcedId xmlns="">', 1) + SCORE)),
            id="two sourcedIds, one elsewhere",
        ),
        pytest.param(
            envelope(operation(RECORD + SCORE + "<x><sourcedId>9</sourcedId></x>")),
            id="a second sourcedId in an extension",
        ),
        pytest.param(envelope(operation(RECORD + RECORD + SCORE)), id="two sourcedGUIDs"),
        pytest.param(envelope(operation(RECORD + SCORE + SCORE)), id="two results"),
        pytest.param(envelope(operation(RECORD + SCORE) * 2), id="two operations"),
        pytest.param(
            envelope(operation(RECORD + SCORE) + operation(RECORD, "deleteResult")),
            id="two different operations",
        ),
        pytest.param(envelope(operation(RECORD), header=HEADER * 2), id="two headers"),
        pytest.param(
            envelope(operation(RECORD.replace("4567", "<!-- -->4567"))), id="split by a comment"
        ),
        pytest.param(
            envelope(operation(RECORD + SCORE.replace("0.92", "<b>0.92</b>"))), id="nested score"
        ),
    ],
)
def test_ambiguous_documents_are_refused(body: bytes) -> None:
    assert etree.fromstring(body) is not None  # well-formed: it is our reader that refuses
    with pytest.raises(errors.BadRequest):
        outcomes.parse_request(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no xml",
        FIGURE_3[:-1],
        FIGURE_3 + FIGURE_3,
        b"<a/>",
        envelope(""),
        envelope("text"),
        envelope(operation("")),
        envelope(operation("<sourcedGUID/>")),
        envelope(operation(RECORD), header=""),
        envelope(operation(RECORD + "&e;")),
        FIGURE_3.replace(b"imsx_POXEnvelopeRequest", b"imsx_POXEnvelopeResponse"),
    ],
)
def test_malformed_requests_are_refused(body: bytes) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        outcomes.parse_request(body)
    assert "3124567" not in caught.value.detail
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_readers(body: bytes) -> None:
    with pytest.raises(errors.BadRequest):
        outcomes.parse_request(body)
    with pytest.raises(errors.DeliveryFailed):
        outcomes.parse_response(body)


STATUS = ".//p:imsx_POXResponseHeaderInfo/p:imsx_statusInfo/p:imsx_"


@pytest.mark.spec("P11O-14")
def test_a_response_is_the_envelope_of_the_guide() -> None:
    answer = outcomes.build_response(
        "success", "status", "Score for 3124567 is now 0.92", "4560", "999999123", "replaceResult"
    )
    root = etree.fromstring(answer)
    assert root.tag == f"{{{outcomes.NAMESPACE}}}imsx_POXEnvelopeResponse"
    assert answer.startswith(DECLARATION.encode())
    assert find(answer, "p:imsx_POXHeader/p:imsx_POXResponseHeaderInfo/p:imsx_version") == ["V1.0"]
    assert find(answer, ".//p:imsx_messageIdentifier") == ["4560"]
    assert find(answer, STATUS + "codeMajor") == ["success"]
    assert find(answer, STATUS + "severity") == ["status"]
    assert find(answer, STATUS + "description") == ["Score for 3124567 is now 0.92"]
    assert find(answer, STATUS + "messageRefIdentifier") == ["999999123"]
    assert find(answer, STATUS + "operationRefIdentifier") == ["replaceResult"]
    assert find(answer, "p:imsx_POXBody/p:replaceResultResponse") == [None]
    assert len(root[-1]) == 1


@pytest.mark.spec("P11O-14")
@pytest.mark.parametrize("name", outcomes.OPERATIONS)
def test_the_body_of_a_response_names_the_operation(name: str) -> None:
    answer = outcomes.build_response("failure", "error", "", "1", "2", name)
    assert find(answer, f"p:imsx_POXBody/p:{name}Response") == [None]


@pytest.mark.spec("P11O-14")
def test_the_answer_to_an_unknown_operation_has_an_empty_body() -> None:
    answer = outcomes.build_response("unsupported", "error", "", "1", "2", "fooRequest")
    assert find(answer, "p:imsx_POXBody/*") == []
    assert find(answer, "p:imsx_POXBody") == [None]


@pytest.mark.parametrize(("score", "text"), [("0.91", "0.91"), ("", None)])
def test_a_read_answer_carries_the_score_or_an_empty_text(score: str, text: str | None) -> None:
    answer = outcomes.build_response("success", "status", "", "1", "2", "readResult", score=score)
    path = "p:imsx_POXBody/p:readResultResponse/p:result/p:resultScore/p:"
    assert find(answer, path + "language") == ["en"]
    assert find(answer, path + "textString") == [text]
    assert outcomes.parse_response(answer).score_text == score


@pytest.mark.spec("P11O-16")
def test_echoed_values_are_escaped() -> None:
    evil = '</x><y>&"]]>'
    answer = outcomes.build_response("failure", "error", evil, "1", evil, evil)
    assert find(answer, STATUS + "messageRefIdentifier") == [evil]
    assert find(answer, STATUS + "description") == [evil]
    assert find(answer, STATUS + "operationRefIdentifier") == [evil]
    assert b"<y>" not in answer


def lms_answer(status: str, body: str = "<replaceResultResponse/>", ns: str = "") -> bytes:
    return (
        f"<imsx_POXEnvelopeResponse{ns}><imsx_POXHeader><imsx_POXResponseHeaderInfo>"
        "<imsx_version>V1.0</imsx_version><imsx_messageIdentifier>4560</imsx_messageIdentifier>"
        f"<imsx_statusInfo>{status}</imsx_statusInfo></imsx_POXResponseHeaderInfo>"
        f"</imsx_POXHeader><imsx_POXBody>{body}</imsx_POXBody></imsx_POXEnvelopeResponse>"
    ).encode()


FULL_STATUS = (
    "<imsx_codeMajor>success</imsx_codeMajor><imsx_severity>status</imsx_severity>"
    "<imsx_codeMinor/><imsx_description>Grade replace response</imsx_description>"
    "<imsx_messageRefIdentifier>999999123</imsx_messageRefIdentifier>"
    "<imsx_operationRefIdentifier>replaceResultRequest</imsx_operationRefIdentifier>"
)


@pytest.mark.parametrize(
    "ns", ["", f' xmlns="{outcomes.NAMESPACE}"', f' xmlns="{OTHER}"', ' xmlns="x"']
)
def test_an_lms_answer_is_read_whatever_its_namespace(ns: str) -> None:
    assert outcomes.parse_response(lms_answer(FULL_STATUS, ns=ns)) == outcomes.OutcomeResponse(
        "success", "status", "", "Grade replace response", "999999123", None
    )


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("processing", "processing"),
        ("failure", "failure"),
        ("unsupported", "unsupported"),
        ("unimplemented", "unsupported"),
        (" Success\n", "success"),
        ("strange", "strange"),
    ],
)
@pytest.mark.spec("AMB-12")
def test_codes_are_read(sent: str, read: str) -> None:
    answer = outcomes.parse_response(lms_answer(f"<imsx_codeMajor>{sent}</imsx_codeMajor>"))
    assert answer.code_major == read
    assert answer.message_ref == ""


@pytest.mark.spec("T11O-08")
@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("<textString>0.91</textString>", "0.91"),
        ("<textString> 0 </textString>", "0"),
        ("<textString></textString>", ""),
        ("<textString/>", ""),
        ("", None),
    ],
)
def test_no_grade_is_not_zero(text: str, score: str | None) -> None:
    body = (
        "<readResultResponse><result><resultTotalScore><textString>5</textString>"
        f"</resultTotalScore><resultScore><language>en</language>{text}</resultScore></result>"
        "</readResultResponse>"
    )
    assert outcomes.parse_response(lms_answer(FULL_STATUS, body)).score_text == score


def test_a_sloppy_answer_is_read() -> None:
    sloppy = lms_answer(FULL_STATUS.replace("Grade", "Note für")).decode().encode("latin-1")
    declared = b"\r\n\n<?xml version='1.0' encoding='ISO-8859-1'?>" + sloppy + b"\n\n"
    wrongly = b'<?xml version="1.0" encoding="utf-16"?>' + lms_answer(FULL_STATUS)
    for body in (declared, b"\xef\xbb\xbf" + declared, sloppy, wrongly):
        assert outcomes.parse_response(body).code_major == "success"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b"<html><body>error</body></html>",
        b"<!DOCTYPE html><html></html>",
        lms_answer(""),
        lms_answer("<imsx_codeMajor/>"),
        lms_answer(FULL_STATUS)[:-3],
        lms_answer(FULL_STATUS) + b"<p>notice</p>",
        lms_answer(FULL_STATUS, "x" * 70000),
    ],
)
def test_what_is_no_answer_is_tried_again_later(body: bytes) -> None:
    with pytest.raises(errors.DeliveryFailed) as caught:
        outcomes.parse_response(body)
    assert caught.value.retry
