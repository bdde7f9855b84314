"""Isograd as a provider, called through its REST API; results are asked for."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from lti_bridge.core.attempt.provider import Callback, Choice, Report, Session, Sitting, Started
from lti_bridge.core.launch.handoff import Handoff, Redirect
from lti_bridge.core.launch.variables import variable_in
from lti_bridge.core.records import AttemptState
from lti_bridge.errors import BadRequest, ConfigurationError
from lti_bridge.providers.addresses import address_of
from lti_bridge.providers.contract import Tools, check_facts
from lti_bridge.providers.isograd.client import Client, NewCandidate, Result
from lti_bridge.providers.isograd.connections import ApiConnection
from lti_bridge.providers.isograd.credits import CreditWatch
from lti_bridge.providers.isograd.errors import CandidateExists, CandidateUnknown
from lti_bridge.providers.isograd.grades import SCALES
from lti_bridge.providers.isograd.settings import AddTest, CreateCandidate, custom_parameters
from lti_bridge.providers.isograd.wire import Wire

log = logging.getLogger("lti_bridge.isograd")

CREATE, REPORT, WITH_CANDIDATE, ALWAYS_NEW, AREA, CONFIRM = 1, 6, 8, 9, 38, 58
PAGES = frozenset({CREATE, REPORT, AREA})
COMPLETED = 3
STATES: Mapping[int | None, AttemptState] = MappingProxyType({2: "started", 4: "awaiting-marks"})
# The core takes a start for lost after 45 seconds, so that a call which buys must have ended by
# then: it is not begun later than this after the click.
HURRY = timedelta(seconds=20)
# What a callback might say about whom it is, by the names under which an attempt has it.
NAMING: Mapping[str, str] = MappingProxyType(
    {"pla_tst_id": "reference", "can_id": "can_id", "ema": "ema"}
)
_BY_BRIDGE = frozenset({"act_id", "sub_com_id", "redirect", "html", "rtn_pag", "cal_bac_pag"})
CANDIDATE_FIELDS = frozenset(CreateCandidate.model_fields) - _BY_BRIDGE
TEST_FIELDS = frozenset(AddTest.model_fields) - _BY_BRIDGE


@dataclass(frozen=True, slots=True)
class IsogradApi:
    """One account at Isograd, called through its API."""

    settings: ApiConnection
    tools: Tools
    client: Client
    credits: CreditWatch

    @classmethod
    def connect(cls, settings: ApiConnection, tools: Tools) -> IsogradApi:
        """The provider of a connection; nothing is sent yet."""
        client = Client(Wire(settings, tools))
        return cls(settings, tools, client, CreditWatch(client, tools, settings.low_credits))

    def custom(self, settings: Any) -> Mapping[str, str]:
        """The action and its parameters, by Isograd's own names."""
        return custom_parameters(settings)

    def start(self, session: Session) -> Started:
        """Give the learner a test, or open one of their pages."""
        action, data = session.settings.act_id, _known(session)
        self.tools.claim(session, *self.known_as(data))
        if action in PAGES:
            return Started(Redirect(self._page(session)), data=data, expects_result=False)
        if action == CONFIRM:
            return self._confirmation(session, data)
        latest = self.tools.clock() + HURRY
        if action == WITH_CANDIDATE:
            data["can_id"] = self._create(session)[0]
        elif session.extra_time_percent:
            self._warn_of_time(session)
        more = {**_chosen(session, TEST_FIELDS), "rtn_pag": session.return_url}
        test = self._account(data).add_test(
            ema=session.person.email,
            tst_frm_id=more.pop("tst_frm_id", ""),
            always_new=action == ALWAYS_NEW,
            more={**more, "cal_bac_pag": session.callback_url},
            latest=latest,
        )
        data["tst_frm_id"] = session.custom["tst_frm_id"]
        data["tst_url"] = test.tst_url
        return Started(Redirect(test.tst_url), reference=test.pla_tst_id, data=data)

    def builds_on(self, settings: Any) -> str:
        """The activity whose test is confirmed (58) or shown (6)."""
        return getattr(settings, "of_activity", None) or ""

    def resume(self, session: Session) -> Handoff:
        """Back to the test, by the address it has: action 2 would buy one if it were finished."""
        return Redirect(session.data.get("tst_url") or self._page(session))

    def known_as(self, data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """A candidate is an e-mail address of the account or sub-account, and has an id."""
        place = f"{self.settings.place} {data.get('sub_com_id', '')}"
        names = {"ema": data.get("ema"), "can_id": data.get("can_id")}
        return tuple((f"{place} {name}", str(value)) for name, value in names.items() if value)

    def read_callback(self, callback: Callback) -> list[Report]:
        """The call says nothing but when; the guide knows no signature and no parameters."""
        if not callback.attempt_id:
            raise BadRequest("the address names no attempt")
        said = {**callback.query, **callback.form}
        named = {name: said[own] for own, name in NAMING.items() if said.get(own)}
        return [Report(attempt_id=callback.attempt_id, hint=True, named=named)]

    def fetch(self, sitting: Sitting) -> Report:
        """Ask for the status of the test, then for its result."""
        self.credits.look_sometimes()
        if not sitting.reference:
            return Report()
        account = self._account(sitting.data)
        status = account.status(sitting.reference)
        if status != COMPLETED:
            return _report(sitting, STATES.get(status), {"sta_id": status})
        result = account.result(
            ema=sitting.data["ema"],
            tst_frm_id=sitting.data["tst_frm_id"],
            pla_tst_id=sitting.reference,
        )
        return self._graded(sitting, result)

    def choices(self) -> list[Choice]:
        """The tests that the account may use; Isograd tells their ids only."""
        return [Choice(test, f"Test {test}", "tst_frm_id") for test in self.client.tests()]

    def check(self) -> str:
        """Ask for the credits that are left."""
        left = ", ".join(f"{credit.des} {credit.amount}" for credit in self.credits.look())
        return f"Isograd answers. Credits left: {left or 'none listed'}."

    def forget(self, sitting: Sitting) -> None:
        """Anonymise or delete the candidate, as the connection is set; all their tests at once."""
        ema = sitting.data.get("ema")
        if not ema:
            return
        account = self._account(sitting.data)
        try:
            if self.settings.forget == "delete":
                account.delete_candidate(can_id=sitting.data.get("can_id", ""), ema=ema)
            else:
                account.anonymise_candidate(ema)
        except CandidateUnknown:  # forgotten before, with another attempt
            return

    def adopt(self, sitting: Sitting, facts: Mapping[str, str]) -> Mapping[str, Any]:
        """Results are asked for by the candidate's address, which the bridge keeps with a test."""
        set_ = custom_parameters(sitting.settings) if sitting.settings else {}
        own = {name: set_.get(name, "") for name in ("tst_frm_id", "sub_com_id")}
        known = {name: value for name, value in own.items() if value and not variable_in(value)}
        needed = {"ema": "the candidate's e-mail address at Isograd", "tst_frm_id": "the test"}
        missing = {name: what for name, what in needed.items() if name not in known}
        check_facts(facts, missing, {**needed, "sub_com_id": "", "tst_url": "", "can_id": ""})
        if facts.get("tst_url") and not address_of(facts["tst_url"]):
            raise ConfigurationError("tst_url must be an https:// address")
        return {**known, **{name: value for name, value in facts.items() if value}}

    def administrator_url(self, email: str, sub_account: str) -> str:
        """Action 13: without `sub_account` a distributor becomes the master account's."""
        return replace(self.client, sub_com_id=sub_account).administrator_url(email)

    def _account(self, names: Mapping[str, Any]) -> Client:
        return replace(self.client, sub_com_id=names.get("sub_com_id", ""))

    def _create(self, session: Session) -> tuple[str, str]:
        """The candidate's id and, for a new one, the address that logs them in."""
        more = {"ext_id": session.learner_id, **_chosen(session, CANDIDATE_FIELDS)}
        extra = max(int(more.get("xtr_tim_fac", 0)), session.extra_time_percent)
        more["xtr_tim_fac"] = str(extra or "")
        person = session.person
        try:
            made = self._account(session.custom).create_candidate(
                ema=person.email,
                fst_nam=person.given_name,
                lst_nam=person.family_name,
                gen_id=more.pop("gen_id"),
                more=more,
            )
        except CandidateExists as error:
            if session.extra_time_percent:
                self._warn_of_time(session)
            made = NewCandidate(error.can_id, "")
        # an address may have been given to another learner's candidate, in Isograd's console
        self.tools.claim(session, *self.known_as({**_known(session), "can_id": made.can_id}))
        return made.can_id, made.lgn_url

    def _warn_of_time(self, session: Session) -> None:
        # Isograd takes extra time with a new candidate only; no action reads or changes it.
        facts = {"connection": self.tools.connection, "attempt": session.attempt_id}
        log.warning("isograd.extra-time-unsure", extra=facts)

    def _confirmation(self, session: Session, data: dict[str, Any]) -> Started:
        latest = self.tools.clock() + HURRY
        account = self._account(data)
        data["tst_url"] = account.add_confirmation_test(session.earlier, latest)
        # Isograd names no id for it, so that nobody can be asked how it went.
        return Started(Redirect(data["tst_url"]), data=data, expects_result=False)

    def _page(self, session: Session) -> str:
        """The address of one of the learner's pages; costs nothing."""
        action, account = session.settings.act_id, self._account(session.custom)
        if action == REPORT:
            names = _chosen(session, frozenset({"tst_frm_id", "lan_id"}))
            earlier = session.earlier or session.data.get("pla_tst_id", "")
            return account.report_url(ema=session.person.email, pla_tst_id=earlier, **names)
        login = self._create(session)[1] if action == CREATE else ""
        return login or account.candidate_url(session.person.email)

    def _graded(self, sitting: Sitting, result: Result) -> Report:
        raw = {
            "sta_id": COMPLETED,
            "gra_typ_id": result.gra_typ_id,
            "num_val": str(result.num_val)[:100],
            "max_val": str(result.max_val)[:100],
            "txt_des": result.txt_des,
        }
        score = SCALES[self.settings.grade_scale](result)
        if score is None:
            facts = {"connection": self.tools.connection, "attempt": sitting.attempt_id}
            log.error("isograd.grade-unusable", extra={**facts, "kind": result.gra_typ_id})
            return _report(sitting, "finished", raw)
        return replace(_report(sitting, "graded", raw), score=score)


def _known(session: Session) -> dict[str, Any]:
    """What later actions need to name the candidate: results are asked for by address."""
    known = {
        "ema": session.person.email,
        "sub_com_id": session.custom.get("sub_com_id", ""),
        "pla_tst_id": session.earlier,
    }
    return {name: value for name, value in known.items() if value}


def _chosen(session: Session, names: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in session.custom.items() if name in names and value}


def _report(sitting: Sitting, state: AttemptState | None, raw: Mapping[str, Any]) -> Report:
    said = "\n".join([sitting.reference, *(f"{name}={value}" for name, value in raw.items())])
    event = hashlib.sha256(said.encode(errors="backslashreplace")).hexdigest()[:32]
    return Report(sitting.attempt_id, sitting.reference, state, event=event, raw=raw)
