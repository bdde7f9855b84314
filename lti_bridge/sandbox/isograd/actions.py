"""The actions of the pretend Isograd that create, change and remove candidates and tests."""

import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

from lti_bridge.sandbox.isograd.grades import FORMS
from lti_bridge.sandbox.isograd.state import (
    COMPLETED,
    NOT_STARTED,
    STARTED,
    Candidate,
    Sitting,
    State,
)

Fields = Mapping[str, str]

LOGIN_LIFETIME_S = 1800

_ERRORS = {
    103: "This act_id is not valid.",
    105: 'Property "{}" is requested.',
    106: "This tst_frm_id is not allowed.",
    107: "There is no such candidate.",
    201: "The candidate could not be created.",
    202: "A candidate with this email exists already.",
    203: "This dep_id is not in the account.",
    301: "No credits are left for this test.",
    303: "No proctoring credits are left.",
    304: "The test has started or does not exist.",
    402: "The candidate has taken this test as often as allowed.",
    501: "The candidate has not taken this test.",
    502: "The test is not finished.",
    601: "The test must be an assessment.",
}


class ActionError(Exception):
    """A refused action: the documented code, a short message, and members for the answer."""

    def __init__(self, code: int, detail: str = "", **members: Any) -> None:
        super().__init__(_ERRORS[code].format(detail))
        self.code = code
        self.members = members


class Desk:
    """One account at one address: what every action works on. Calls hold `state.lock`."""

    def __init__(self, state: State, base_url: str) -> None:
        self.state = state
        self.base_url = base_url

    def candidate(self, fields: Fields) -> Candidate:
        """The candidate a request names by e-mail."""
        found = self.state.candidate_by_email(sub_com_id(fields), need(fields, "ema"))
        if not found:
            raise ActionError(107)
        return found

    def candidate_by_either(self, fields: Fields) -> Candidate:
        """The candidate a request names by can_id or, without one, by e-mail."""
        if not fields.get("can_id"):
            return self.candidate(fields)
        found = self.state.candidates.get(number(fields["can_id"]))
        if not found or found.sub_com_id != sub_com_id(fields):
            raise ActionError(107)
        return found

    def sitting(self, fields: Fields, code: int = 501) -> Sitting:
        """The test a request names by pla_tst_id, of the same (sub-)account."""
        found = self.state.sittings.get(number(need(fields, "pla_tst_id")))
        owner = found and self.state.candidates.get(found.can_id)
        if not found or not owner or owner.sub_com_id != sub_com_id(fields):
            raise ActionError(code)
        return found

    def test_url(self, sitting: Sitting) -> str:
        """Where the test starts without any password."""
        return f"{self.base_url}/test/{sitting.token}"

    def login_url(self, candidate: Candidate) -> str:
        """A fresh address that logs the candidate in for half an hour."""
        token = secrets.token_urlsafe(24)
        self.state.logins[token] = (time.time() + LOGIN_LIFETIME_S, candidate.can_id)
        return f"{self.base_url}/continuelogin/{token}"


def need(fields: Fields, name: str) -> str:
    """A required field. Raises ActionError 105."""
    value = fields.get(name, "").strip()
    if not value:
        raise ActionError(105, name)
    return value


def number(text: str) -> int:
    """An id as a number; -1, which nobody has, for anything else."""
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else -1


def sub_com_id(fields: Fields) -> str:
    """The sub-account a distributor acts for; empty for the own account."""
    return fields.get("sub_com_id", "").strip()


def create_candidate(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 1."""
    needed = {name: need(fields, name) for name in ("gen_id", "ema", "fst_nam", "lst_nam")}
    known = desk.state.candidate_by_email(sub_com_id(fields), needed["ema"])
    if known:
        raise ActionError(202, can_id=known.can_id)
    group, outside_group = fields.get("dep_id", ""), fields.get("ext_dep_id", "")
    extra_time = fields.get("xtr_tim_fac", "")
    _check_person(fields)
    if (group and outside_group) or not re.fullmatch(r"([0-9]+(\.[0-9]+)?)?", extra_time):
        raise ActionError(201)
    if group and group not in desk.state.settings.groups:
        raise ActionError(203)
    candidate = Candidate(
        can_id=desk.state.next_id(),
        sub_com_id=sub_com_id(fields),
        lan_id=fields.get("lan_id") or "2",
        ext_id=fields.get("ext_id", ""),
        group=group or outside_group,
        **needed,
    )
    desk.state.candidates[candidate.can_id] = candidate
    return {"can_id": candidate.can_id, "lgn_url": desk.login_url(candidate)}


def _check_person(fields: Fields) -> None:
    email, language = fields.get("ema"), fields.get("lan_id")
    if fields.get("gen_id") not in (None, "", "1", "2", "3"):
        raise ActionError(201)
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise ActionError(201)
    if language and not re.fullmatch("[1-8]", language):
        raise ActionError(201)


def continue_or_add_test(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 2: the unfinished test of this form when there is one."""
    form_id = form_of(fields)
    candidate = desk.candidate(fields)
    for sitting in desk.state.sittings_of(candidate, form_id):
        if sitting.sta_id in (NOT_STARTED, STARTED) and sitting.confirms is None:
            return {"tst_url": desk.test_url(sitting), "pla_tst_id": sitting.pla_tst_id}
    return add_test(desk, fields)


def add_test(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 9: always a new test."""
    form_id = form_of(fields)
    candidate = desk.candidate(fields)
    _check_limit(desk, candidate, form_id, fields)
    proctored = fields.get("add_pro") == "1"
    if proctored and desk.state.proctoring_credits < 1:
        raise ActionError(303)
    sitting = _new_sitting(desk, candidate, form_id)
    sitting.rtn_pag = fields.get("rtn_pag", "")
    sitting.cal_bac_pag = fields.get("cal_bac_pag", "")
    sitting.ses_id = fields.get("ses_id", "")
    sitting.proctored = proctored
    desk.state.proctoring_credits -= int(proctored)
    return {"tst_url": desk.test_url(sitting), "pla_tst_id": sitting.pla_tst_id}


def form_of(fields: Fields) -> int:
    """The form a request names, by the new name only: the old one ended with 2025."""
    form_id = number(need(fields, "tst_frm_id"))
    if form_id not in FORMS:
        raise ActionError(106)
    return form_id


def _check_limit(desk: Desk, candidate: Candidate, form_id: int, fields: Fields) -> None:
    limit = number(fields.get("max_num_tst", ""))
    days = number(fields.get("max_num_tst_per", ""))
    since = time.time() - days * 86400 if days >= 0 else 0
    taken = [s for s in desk.state.sittings_of(candidate, form_id) if s.created >= since]
    if 0 <= limit <= len(taken):
        raise ActionError(402)


def _new_sitting(desk: Desk, candidate: Candidate, form_id: int) -> Sitting:
    if desk.state.credits < 1:
        raise ActionError(301)
    desk.state.credits -= 1
    sitting = Sitting(desk.state.next_id(), secrets.token_urlsafe(24), candidate.can_id, form_id)
    desk.state.sittings[sitting.pla_tst_id] = sitting
    return sitting


def create_and_add(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 8: action 1, to which a known candidate is no obstacle, then action 2."""
    try:
        made = create_candidate(desk, fields)
    except ActionError as error:
        if error.code != 202:
            raise
        made = error.members
    return {**continue_or_add_test(desk, fields), "can_id": made["can_id"]}


def add_confirmation(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 58: a second test for a completed one."""
    first = desk.sitting(fields)
    if first.sta_id != COMPLETED:
        raise ActionError(502)
    sitting = _new_sitting(desk, desk.state.candidates[first.can_id], first.tst_frm_id)
    sitting.confirms = first.pla_tst_id
    return {"tst_url": desk.test_url(sitting)}


def add_proctoring(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 16."""
    sitting = desk.sitting(fields)
    if not sitting.proctored and desk.state.proctoring_credits < 1:
        raise ActionError(303)
    desk.state.proctoring_credits -= int(not sitting.proctored)
    sitting.proctored = True
    return {}


def remove_proctoring(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 17: gives the proctoring credit back."""
    sitting = desk.sitting(fields)
    desk.state.proctoring_credits += int(sitting.proctored)
    sitting.proctored = False
    return {}


def delete_test(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 23: a test that has not started; its credits come back."""
    sitting = desk.sitting(fields, code=304)
    if sitting.sta_id != NOT_STARTED:
        raise ActionError(304)
    del desk.state.sittings[sitting.pla_tst_id]
    desk.state.credits += 1
    desk.state.proctoring_credits += int(sitting.proctored)
    return {}


def update_candidate(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 51."""
    need(fields, "can_id")
    candidate = desk.candidate_by_either(fields)
    _check_person(fields)
    other = desk.state.candidate_by_email(candidate.sub_com_id, fields.get("ema", ""))
    if other and other is not candidate:
        raise ActionError(202, can_id=other.can_id)
    for name in ("gen_id", "ema", "fst_nam", "lst_nam", "lan_id"):
        if fields.get(name):
            setattr(candidate, name, fields[name])
    return {}


def delete_candidate(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 24: the person and their tests."""
    candidate = desk.candidate_by_either(fields)
    for sitting in desk.state.sittings_of(candidate):
        del desk.state.sittings[sitting.pla_tst_id]
    del desk.state.candidates[candidate.can_id]
    return {}


def anonymise_candidate(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Action 12: names and address become numbers."""
    candidate = desk.candidate(fields)
    candidate.fst_nam = candidate.lst_nam = candidate.ema = str(candidate.can_id)
    return {}
