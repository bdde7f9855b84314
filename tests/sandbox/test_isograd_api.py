"""The pretend Isograd's API keeps the documented envelope, codes and states."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from lti_bridge.sandbox import isograd, serving

PERSON = {"gen_id": "3", "ema": "ann@example.org", "fst_nam": "Ann", "lst_nam": "Example"}
FORM = {"tst_frm_id": "363", "ema": "ann@example.org"}


class Api:
    """A client of one running pretend Isograd."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.bearer = self.token().json()["access_token"]

    def token(self, query: str = "grant_type=client_credentials&scopes=usage", **more: str) -> Any:
        fields = {"client_id": "cid", "client_secret": "csecret", **more}
        return self.post(f"/oauth2/token?{query}", fields)

    def post(self, path: str, fields: dict[str, Any], **headers: str) -> Any:
        return urllib3.request(
            "POST",
            self.url + path,
            body=urlencode(fields),
            headers={"Content-Type": "application/x-www-form-urlencoded", **headers},
            redirect=False,
            retries=False,
            timeout=60,
        )

    def act(self, act_id: int, **fields: str) -> Any:
        sent = {"act_id": str(act_id), **fields}
        return self.post("/api/usage", sent, Authorization=f"Bearer {self.bearer}")

    def code(self, act_id: int, **fields: str) -> int | None:
        answer = self.act(act_id, **fields).json()
        assert answer["success"] is (answer["error_message"] is None)
        return answer.get("error_code")

    def control(self, name: str, asked: dict[str, Any] | None = None) -> Any:
        method = "GET" if asked is None else "POST"
        body = {} if asked is None else {"json": asked}
        return urllib3.request(method, f"{self.url}/control/{name}", timeout=60, **body).json()


@pytest.fixture(name="api")
def fixture_api() -> Iterator[Api]:
    settings = isograd.IsogradSettings(
        api_client_id="cid", api_client_secret="csecret", credits=5, proctoring_credits=1
    )
    running = serving.start(isograd.make_app(settings))
    yield Api(running.url)
    running.stop()


def test_token_needs_the_client_and_its_own_parameter_name(api: Api) -> None:
    assert api.token().json()["expires_in"] == 3600
    assert api.token(client_secret="wrong").status == 401
    assert api.token("grant_type=client_credentials&scope=usage").status == 400


def test_usage_needs_a_live_token(api: Api) -> None:
    assert api.post("/api/usage", {"act_id": "15"}).status == 401
    assert api.code(15) is None
    api.control("clear", {"tokens": True})
    assert api.act(15).status == 401


def test_general_and_candidate_errors(api: Api) -> None:
    assert api.act(99).json()["error_code"] == 103
    assert "gen_id" in api.act(1, ema="a@example.org").json()["error_message"]
    made = api.act(1, **PERSON).json()
    assert api.act(1, **PERSON).json() | {"error_message": ""} == {
        "success": False,
        "error_code": 202,
        "error_message": "",
        "can_id": made["can_id"],
    }
    assert api.code(1, **{**PERSON, "dep_id": "99", "ema": "b@example.org"}) == 203
    assert api.code(1, **{**PERSON, "ema": "no address"}) == 201
    assert api.code(1, **PERSON, sub_com_id="7") is None
    assert "Hello Ann" in urllib3.request("GET", made["lgn_url"]).data.decode()


def test_adding_tests_uses_credits(api: Api) -> None:
    assert api.code(2, **FORM) == 107
    first = api.act(8, **PERSON, tst_frm_id="363").json()
    assert api.act(2, **FORM).json()["pla_tst_id"] == first["pla_tst_id"]
    assert api.code(9, **FORM, max_num_tst="1") == 402
    assert api.code(9, **{**FORM, "tst_frm_id": "13"}) == 106
    for _ in range(4):
        assert api.code(9, **FORM) is None
    assert api.code(9, **FORM) == 301
    assert api.act(15).json()["credits"][0]["amount"] == 0
    assert api.code(23, pla_tst_id=str(first["pla_tst_id"])) is None
    assert api.code(23, pla_tst_id=str(first["pla_tst_id"])) == 304
    assert api.code(9, **FORM) is None


def test_concurrent_act_2_makes_one_test(api: Api) -> None:
    api.act(1, **PERSON)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.act(2, **FORM).json()["pla_tst_id"], range(16)))
    assert len(set(answers)) == 1


def test_proctoring(api: Api) -> None:
    one = str(api.act(8, **PERSON, tst_frm_id="363").json()["pla_tst_id"])
    two = str(api.act(9, **FORM).json()["pla_tst_id"])
    assert [api.code(16, pla_tst_id=one), api.code(16, pla_tst_id=two)] == [None, 303]
    assert [api.code(17, pla_tst_id=one), api.code(16, pla_tst_id=two)] == [None, None]
    assert api.code(9, **FORM, add_pro="1") == 303


def test_redirect_and_html(api: Api) -> None:
    api.act(1, **PERSON)
    answer = api.act(2, **FORM, redirect="1")
    assert answer.status == 302
    assert answer.headers["Location"].startswith(f"{api.url}/test/")
    assert b'class="isograd_start_test_button"' in api.act(2, **FORM, html="1").data
    assert api.act(38, ema=FORM["ema"]).status == 302
    master = api.act(13).headers["Location"]
    assert "master" in urllib3.request("GET", master).data.decode()


@pytest.mark.parametrize(
    ("form", "kind", "num", "top"),
    [
        ("363", 2, 1000 * 2 / 3, 1000),
        ("364", 1, 4, 5),
        ("365", 4, 2, 3),
        ("366", 5, 525, 1000),
        ("367", 15, 66.67, 100),
        ("369", 3, 1000 * 2 / 3, 1000),
    ],
)
def test_result_of_each_scale(api: Api, form: str, kind: int, num: float, top: int) -> None:
    asked = {**FORM, "tst_frm_id": form}
    assert api.code(4, **asked) == 107
    made = api.act(8, **PERSON, tst_frm_id=form).json()
    assert api.code(4, **asked) == 502
    api.post(made["tst_url"].removeprefix(api.url), {"q1": "1", "q2": "0", "q3": "1"})
    result = api.act(4, **asked, pla_tst_id=str(made["pla_tst_id"])).json()
    assert (result["gra_typ_id"], result["num_val"], result["max_val"]) == (kind, num, top)
    assert api.code(4, **asked, pla_tst_id="1") == 501
    assert api.act(10, pla_tst_id=str(made["pla_tst_id"])).json()["sta_id"] == 3
    assert len(api.act(5, **asked).json()["result_details"]) == 3
    pdf = urllib3.request("GET", api.act(6, **asked).json()["pdf_url"])
    assert pdf.headers["Content-Type"] == "application/pdf"


def test_without_pla_tst_id_the_last_test_answers(api: Api) -> None:
    first = api.act(8, **PERSON, tst_frm_id="363").json()["pla_tst_id"]
    second = api.act(9, **FORM).json()["pla_tst_id"]
    api.control("finish", {"pla_tst_id": second, "num_val": 850})
    api.control("finish", {"pla_tst_id": first, "num_val": 200})
    assert api.act(4, **FORM).json()["num_val"] == 850
    assert api.act(4, **FORM, pla_tst_id=str(first)).json()["num_val"] == 200


def test_marking_by_a_person_and_the_way_back(api: Api) -> None:
    pages = {"rtn_pag": f"{api.url}/back", "cal_bac_pag": f"{api.url}/ping?x=1"}
    made = api.act(8, **PERSON, tst_frm_id="368", **pages).json()
    pla_tst_id = str(made["pla_tst_id"])
    assert api.act(10, pla_tst_id=pla_tst_id).json()["sta_id"] == 1
    answer = api.post(made["tst_url"].removeprefix(api.url), {"q1": "1"})
    assert (answer.status, answer.headers["Location"]) == (303, f"{api.url}/back")
    assert [call["url"] for call in api.control("state")["callbacks"]] == [f"{api.url}/ping?x=1"]
    assert api.act(10, pla_tst_id=pla_tst_id).json()["sta_id"] == 4
    assert api.code(4, tst_frm_id="368", ema=FORM["ema"]) == 502
    assert api.code(58, pla_tst_id=pla_tst_id) == 502
    api.control("finish", {"pla_tst_id": made["pla_tst_id"], "num_val": 700})
    assert api.act(10, pla_tst_id=pla_tst_id).json()["sta_id"] == 3
    assert len(api.control("state")["callbacks"]) == 1
    assert api.act(58, pla_tst_id=pla_tst_id).json()["tst_url"] != made["tst_url"]


def test_people_and_mail(api: Api) -> None:
    can_id = str(api.act(1, **PERSON).json()["can_id"])
    assert api.code(51, can_id=can_id, ema="eve@example.org") is None
    assert api.code(42, mai_tem_id="3", can_id=can_id) is None
    assert api.code(42, mai_tem_id="3") == 105
    assert api.code(12, ema="eve@example.org") is None
    assert api.control("state")["candidates"][0]["fst_nam"] == can_id
    assert api.code(24, can_id=can_id) is None
    assert api.code(24, can_id=can_id) == 107
    assert api.code(11, des="x", sta_dat="2030-01-01 10:00", end_dat="tomorrow") == 105
    assert api.code(11, des="x", sta_dat="2030-01-01 10:00", end_dat="2030-01-01 12:00") is None
    assert "363" in json.dumps(api.act(14).json()["tests"])


def test_practice_has_no_report(api: Api) -> None:
    made = api.act(8, **PERSON, tst_frm_id="370").json()
    api.control("finish", {"pla_tst_id": made["pla_tst_id"]})
    assert api.code(6, tst_frm_id="370", ema=FORM["ema"]) == 601


def test_dropped_answer_was_carried_out(api: Api) -> None:
    api.act(1, **PERSON)
    api.control("fault", {"act_id": 9, "drop": True})
    with pytest.raises(urllib3.exceptions.ProtocolError):
        api.act(9, **FORM)
    assert len(api.control("state")["tests"]) == 1
    assert api.code(9, **FORM) is None


def test_fault_answers_in_place_of_the_action(api: Api) -> None:
    api.control("fault", {"path": "/api/usage", "status": 503, "times": 1, "body": "<h1>no</h1>"})
    answer = api.act(1, **PERSON)
    assert (answer.status, answer.data) == (503, b"<h1>no</h1>")
    assert api.code(1, **PERSON) is None
