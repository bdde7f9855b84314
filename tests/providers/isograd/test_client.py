"""Isograd's actions, one by one, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

from lti_bridge.errors import AnswerLost, BridgeError, ProviderError
from lti_bridge.providers.isograd import errors as named
from lti_bridge.providers.isograd.api import IsogradApi
from lti_bridge.providers.isograd.client import CandidateTest, Client, Credit
from lti_bridge.providers.isograd.wire import ONCE
from tests.providers.isograd.account import Account

WHO: dict[str, Any] = {
    "ema": "ann@example.org",
    "fst_nam": "Änn & Co",
    "lst_nam": "O’Neil",
    "gen_id": "3",
}
ANN = WHO["ema"]


@pytest.fixture
def client(provider: IsogradApi) -> Client:
    return provider.client


def give_test(client: Client, **more: Any) -> CandidateTest:
    return client.create_and_add_test(**WHO, tst_frm_id="363", **more)


# Actions


def test_candidates(client: Client, account: Account) -> None:
    made = client.create_candidate(**WHO, more={"lan_id": "1", "ext_dep_id": "Group A"})
    (row,) = account.state()["candidates"]
    assert (row["can_id"], row["fst_nam"], row["group"]) == (
        int(made.can_id),
        "Änn & Co",
        "Group A",
    )
    assert made.lgn_url.startswith(account.running.url)
    with pytest.raises(named.CandidateExists) as caught:
        client.create_candidate(**WHO)
    assert caught.value.can_id == made.can_id
    client.update_candidate(made.can_id, {"fst_nam": "Anne"})
    assert account.state()["candidates"][0]["fst_nam"] == "Anne"
    assert client.candidate_url(ANN).startswith(account.running.url)
    client.anonymise_candidate(ANN)
    with pytest.raises(named.CandidateUnknown):
        client.delete_candidate(ema=ANN)
    client.delete_candidate(can_id=made.can_id)
    assert account.state()["candidates"] == []


def test_tests(client: Client, account: Account) -> None:
    first = give_test(client)
    assert client.add_test(ema=ANN, tst_frm_id="363") == first
    second = client.add_test(ema=ANN, tst_frm_id="363", always_new=True, more={"add_pro": "1"})
    assert second != first
    with pytest.raises(named.SittingsUsedUp):
        client.add_test(ema=ANN, tst_frm_id="363", always_new=True, more={"max_num_tst": "2"})
    client.remove_proctoring(second.pla_tst_id)
    client.add_proctoring(first.pla_tst_id)
    with pytest.raises(named.NoProctoringCredits):
        client.add_proctoring(second.pla_tst_id)
    client.delete_test(second.pla_tst_id)
    with pytest.raises(named.SittingStarted):
        client.delete_test(second.pla_tst_id)
    account.control("finish", pla_tst_id=first.pla_tst_id)
    assert client.add_confirmation_test(first.pla_tst_id).startswith(account.running.url)
    with pytest.raises(named.FormNotAllowed):
        client.add_test(ema=ANN, tst_frm_id="1")
    for _ in range(3):
        client.add_test(ema=ANN, tst_frm_id="364", always_new=True)
    with pytest.raises(named.NoCredits):
        client.add_test(ema=ANN, tst_frm_id="364", always_new=True)


def test_results(client: Client, account: Account) -> None:
    given = give_test(client)
    assert client.status(given.pla_tst_id) == 1
    which: dict[str, Any] = {"ema": ANN, "tst_frm_id": "363", "pla_tst_id": given.pla_tst_id}
    with pytest.raises(named.NotFinished):
        client.result(**which)
    account.control("finish", pla_tst_id=given.pla_tst_id, num_val=750.5)
    assert client.status(given.pla_tst_id) == 3
    result = client.result(**which)
    assert (result.gra_typ_id, str(result.num_val), result.max_val) == (2, "750.5", 1000)
    assert result.txt_des == "750.5/1000"
    assert result.no_sto_tim_spe == 0
    details = client.result_details(**which, des_lan_id="2")
    assert details["103"]["level"] == -1
    assert details["101"]["des"] == "Formulas"
    assert client.report_url(**which, lan_id="1").endswith(".pdf")
    with pytest.raises(named.SittingUnknown):
        client.status("1")
    account.fault(act_id=5, body='{"success": true, "des_lan_id": 2, "result_details": []}')
    assert client.result_details(**which) == {}


def test_mail_and_administration(client: Client, account: Account) -> None:
    given = give_test(client)
    other = client.add_test(ema=ANN, tst_frm_id="364")
    client.send_registration_mail(
        mai_tem_id="7",
        pla_tst_ids=[given.pla_tst_id, other.pla_tst_id],
        sen_dat=date(2026, 1, 5),
        for_sen=True,
        ema_sen="office@example.org",
    )
    assert account.state()["mails"] == [
        {
            "mai_tem_id": "7",
            "pla_tst_ids": f"{given.pla_tst_id},{other.pla_tst_id}",
            "sen_dat": "2026-01-05",
            "for_sen": "1",
            "ema_sen": "office@example.org",
        }
    ]
    begin, end = datetime(2026, 1, 5, 9, 5), datetime(2026, 1, 5, 17)
    ses_id = client.create_session(des="Room 1", sta_dat=begin, end_dat=end)
    assert account.state()["sessions"][ses_id] == {
        "des": "Room 1",
        "sta_dat": "2026-01-05 09:05",
        "end_dat": "2026-01-05 17:00",
    }
    assert "363" in client.tests("2")
    assert client.credits() == [Credit("Assessment", 3), Credit("Remote proctoring", 1)]
    assert client.administrator_url().endswith("account=master")


CALLS: dict[int, Callable[[Client], object]] = {
    1: lambda c: c.create_candidate(**WHO),
    2: lambda c: c.add_test(ema=ANN, tst_frm_id="363"),
    4: lambda c: c.result(ema=ANN, tst_frm_id="363", pla_tst_id="1"),
    5: lambda c: c.result_details(ema=ANN, tst_frm_id="363", pla_tst_id="1"),
    6: lambda c: c.report_url(ema=ANN, tst_frm_id="363"),
    8: give_test,
    9: lambda c: c.add_test(ema=ANN, tst_frm_id="363", always_new=True),
    10: lambda c: c.status("1"),
    11: lambda c: c.create_session(des="x", sta_dat=datetime.min, end_dat=datetime.max),
    12: lambda c: c.anonymise_candidate(ANN),
    13: lambda c: c.administrator_url(),
    14: lambda c: c.tests(),
    15: lambda c: c.credits(),
    16: lambda c: c.add_proctoring("1"),
    17: lambda c: c.remove_proctoring("1"),
    23: lambda c: c.delete_test("1"),
    24: lambda c: c.delete_candidate(ema=ANN),
    38: lambda c: c.candidate_url(ANN),
    42: lambda c: c.send_registration_mail(mai_tem_id="7", can_id="1"),
    51: lambda c: c.update_candidate("1", {"lan_id": "1"}),
    58: lambda c: c.add_confirmation_test("1"),
}


@pytest.mark.parametrize("act_id", CALLS)
def test_a_lost_answer_matters_where_twice_is_worse_than_once(
    client: Client, account: Account, act_id: int
) -> None:
    for fault in ({"drop": True}, {"status": 500, "body": "{}"}):
        account.fault(act_id=act_id, **fault)
        with pytest.raises(BridgeError) as caught:
            CALLS[act_id](client)
        assert isinstance(caught.value, AnswerLost) is (act_id in ONCE)
        assert isinstance(caught.value, ProviderError) is (act_id not in ONCE)


@pytest.mark.parametrize("act_id", CALLS)
def test_every_action_knows_a_refusal(client: Client, account: Account, act_id: int) -> None:
    account.refuse(act_id, 103)
    with pytest.raises(named.ActionUnknown):
        CALLS[act_id](client)


@pytest.mark.parametrize("act_id", [13, 38])
@pytest.mark.parametrize("fault", [{"status": 302}, {"body": '{"success": true}'}])
def test_a_login_without_an_address(
    client: Client, account: Account, act_id: int, fault: dict[str, Any]
) -> None:
    account.fault(act_id=act_id, **fault)
    with pytest.raises(ProviderError):
        CALLS[act_id](client)


@pytest.mark.parametrize(
    ("act_id", "members"),
    [(14, {"tests": {"1": 2}}), (15, {"credits": None}), (6, {"pdf_url": "file:///etc/x"})],
)
def test_an_answer_of_another_shape(
    client: Client, account: Account, act_id: int, members: dict[str, Any]
) -> None:
    account.fault(act_id=act_id, body=json.dumps({"success": True, **members}))
    with pytest.raises(ProviderError):
        CALLS[act_id](client)


def test_odd_rows_are_left_out(client: Client, account: Account) -> None:
    rows = [{"des": "A", "amount": "7"}, {"des": "B"}, 3, {"des": "C", "amount": 1.5}]
    account.fault(act_id=15, body=json.dumps({"success": True, "credits": rows}))
    assert client.credits() == [Credit("A", 7)]
