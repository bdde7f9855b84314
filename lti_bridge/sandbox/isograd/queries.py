"""The actions of the pretend Isograd that report, mail and log in, and the table of all actions."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from lti_bridge.sandbox.isograd import actions as actions
from lti_bridge.sandbox.isograd.actions import ActionError, Desk, Fields, need
from lti_bridge.sandbox.isograd.grades import FORMS, details
from lti_bridge.sandbox.isograd.state import COMPLETED, Sitting

Action = Callable[[Desk, Fields], dict[str, Any]]


def test_status(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 10."""
    return {"sta_id": desk.sitting(fields).sta_id}


def result(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 4."""
    sitting = _finished(desk, fields)
    grade = sitting.grade
    spent = (sitting.ended or 0) - (sitting.started or 0)
    return {
        "gra_typ_id": grade and grade.gra_typ_id,
        "num_val": grade and grade.num_val,
        "max_val": grade and grade.max_val,
        "txt_des": grade and grade.txt_des,
        "no_sto_tim_spe": round(spent),
    }


def result_details(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 5; descriptions exist in English only."""
    sitting = _finished(desk, fields)
    skills = details(FORMS[sitting.tst_frm_id], sitting.grade) if sitting.grade else {}
    return {"des_lan_id": 2, "result_details": skills}


def report(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 6."""
    sitting = _finished(desk, fields)
    if not FORMS[sitting.tst_frm_id].assessment:
        raise ActionError(601)
    return {"pdf_url": f"{desk.base_url}/report/{sitting.token}.pdf"}


def _finished(desk: Desk, fields: Fields) -> Sitting:
    """The completed test a result request means: the named one, else the last one."""
    form_id = actions.form_of(fields)
    candidate = desk.candidate(fields)
    mine = desk.state.sittings_of(candidate, form_id)
    if fields.get("pla_tst_id"):
        mine = [s for s in mine if s.pla_tst_id == actions.number(fields["pla_tst_id"])]
    if not mine:
        raise ActionError(501)
    if mine[-1].sta_id != COMPLETED:
        raise ActionError(502)
    return mine[-1]


def send_mail(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 42: only notes that a mail would go out."""
    need(fields, "mai_tem_id")
    tests = fields.get("pla_tst_ids") or fields.get("pla_tst_id") or ""
    if tests:
        for one in re.split(r"[,;\s]+", tests.strip("[] ")):
            desk.sitting({**fields, "pla_tst_id": one})
    else:
        need(fields, "can_id")
        desk.candidate_by_either(fields)
    day = fields.get("sen_dat", "")
    if day and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", day):
        raise ActionError(105, "sen_dat")
    desk.state.mails.append({k: v for k, v in fields.items() if k != "act_id"})
    return {}


def create_session(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 11."""
    names = ("des", "sta_dat", "end_dat")
    session = {name: need(fields, name) for name in names}
    for name in names[1:]:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}", session[name]):
            raise ActionError(105, name)
    ses_id = desk.state.next_id()
    desk.state.sessions[ses_id] = session
    return {"ses_id": ses_id}


def log_in_admin(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 13: the master account's console, or that of the sub-account when one is named."""
    if fields.get("use_ema_for_adm") == "1":
        need(fields, "ema")
    query = urlencode({"account": actions.sub_com_id(fields) or "master"})
    return {"location": f"{desk.base_url}/administration?{query}"}


def log_in_candidate(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 38."""
    return {"location": desk.login_url(desk.candidate(fields))}


def list_tests(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 14."""
    return {"tests": sorted(FORMS)}


def list_credits(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 15."""
    state = desk.state
    return {
        "credits": [
            {"des": "Assessment", "amount": state.credits},
            {"des": "Remote proctoring", "amount": state.proctoring_credits},
        ]
    }


ACTIONS: dict[str, Action] = {
    "1": actions.create_candidate,
    "2": actions.continue_or_add_test,
    "4": result,
    "5": result_details,
    "6": report,
    "8": actions.create_and_add,
    "9": actions.add_test,
    "10": test_status,
    "11": create_session,
    "12": actions.anonymise_candidate,
    "13": log_in_admin,
    "14": list_tests,
    "15": list_credits,
    "16": actions.add_proctoring,
    "17": actions.remove_proctoring,
    "23": actions.delete_test,
    "24": actions.delete_candidate,
    "38": log_in_candidate,
    "42": send_mail,
    "51": actions.update_candidate,
    "58": actions.add_confirmation,
}


def perform(desk: Desk, fields: Fields, allowed: frozenset[str]) -> dict[str, Any]:
    """Carry out the action a request names, one at a time. Raises ActionError."""
    act_id = need(fields, "act_id")
    with desk.state.lock:
        desk.state.calls[act_id] += 1
        if act_id not in allowed:
            raise ActionError(103)
        return ACTIONS[act_id](desk, fields)
