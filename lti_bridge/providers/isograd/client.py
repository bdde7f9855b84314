"""Isograd's actions as a typed client; parameters keep the names of the integration guide.

Ids are texts of digits. `more` are further parameters of the action. All methods raise as
`wire.Wire` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from lti_bridge.providers.addresses import address_of
from lti_bridge.providers.answers import decimal_of
from lti_bridge.providers.isograd.answers import id_of
from lti_bridge.providers.isograd.wire import Wire, broken, other

Fields = Mapping[str, str]
_NOTHING: Fields = MappingProxyType({})
NAMES = ("ema", "can_id", "pla_tst_id", "ext_id")  # of persons and their tests
_MINUTES = "%Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True)
class NewCandidate:
    """A created candidate; `lgn_url` logs them in, for 30 minutes."""

    can_id: str
    lgn_url: str


@dataclass(frozen=True, slots=True)
class CandidateTest:
    """One test of one candidate; `tst_url` starts it without a password."""

    tst_url: str
    pla_tst_id: str


@dataclass(frozen=True, slots=True)
class Result:
    """A grade as Isograd tells it, its numbers unchecked; `no_sto_tim_spe` in seconds."""

    gra_typ_id: int | None
    num_val: Any
    max_val: Any
    txt_des: str
    no_sto_tim_spe: int | None


@dataclass(frozen=True, slots=True)
class Credit:
    """How many credits of one type are left."""

    des: str
    amount: int


@dataclass(frozen=True, slots=True)
class Client:
    """The actions, for the account itself or for one of its sub-accounts."""

    wire: Wire
    sub_com_id: str = ""

    def create_candidate(
        self, *, ema: str, fst_nam: str, lst_nam: str, gen_id: str, more: Fields = _NOTHING
    ) -> NewCandidate:
        """Action 1. Raises CandidateExists, with the id, for a known address."""
        person = {"ema": ema, "fst_nam": fst_nam, "lst_nam": lst_nam, "gen_id": gen_id}
        answer = self._call(1, {**more, **person})
        return NewCandidate(id_of(answer.get("can_id")), address_of(answer.get("lgn_url")))

    def add_test(
        self,
        *,
        ema: str,
        tst_frm_id: str,
        always_new: bool = False,
        more: Fields = _NOTHING,
        latest: datetime | None = None,
    ) -> CandidateTest:
        """Action 2, which gives an unfinished test back, or 9, which always takes a credit."""
        fields = {**more, "ema": ema, "tst_frm_id": tst_frm_id}
        return self._test(9 if always_new else 2, fields, latest)

    def create_and_add_test(
        self,
        *,
        ema: str,
        fst_nam: str,
        lst_nam: str,
        gen_id: str,
        tst_frm_id: str,
        more: Fields = _NOTHING,
    ) -> CandidateTest:
        """Action 8. The guide leaves open what it does with a known candidate."""
        person = {"ema": ema, "fst_nam": fst_nam, "lst_nam": lst_nam, "gen_id": gen_id}
        return self._test(8, {**more, **person, "tst_frm_id": tst_frm_id}, None)

    def add_confirmation_test(self, pla_tst_id: str, latest: datetime | None = None) -> str:
        """Action 58: the address of the test that confirms a completed one."""
        answer = self._call(58, {"pla_tst_id": pla_tst_id}, latest)
        return _needed(58, "tst_url", address_of(answer.get("tst_url")))

    def add_proctoring(self, pla_tst_id: str) -> None:
        """Action 16; costs a proctoring credit."""
        self._call(16, {"pla_tst_id": pla_tst_id})

    def remove_proctoring(self, pla_tst_id: str) -> None:
        """Action 17."""
        self._call(17, {"pla_tst_id": pla_tst_id})

    def delete_test(self, pla_tst_id: str) -> None:
        """Action 23. Raises SittingStarted when it is too late."""
        self._call(23, {"pla_tst_id": pla_tst_id})

    def update_candidate(self, can_id: str, changes: Fields) -> None:
        """Action 51: changes may be gen_id, ema, fst_nam, lst_nam and lan_id."""
        self._call(51, {**changes, "can_id": can_id})

    def delete_candidate(self, *, can_id: str = "", ema: str = "") -> None:
        """Action 24; one of the two names the candidate."""
        self._call(24, {"can_id": can_id} if can_id else {"ema": ema})

    def anonymise_candidate(self, ema: str) -> None:
        """Action 12: names and address become numbers, on diplomas too."""
        self._call(12, {"ema": ema})

    def send_registration_mail(
        self,
        *,
        mai_tem_id: str,
        pla_tst_ids: Iterable[str] = (),
        can_id: str = "",
        sen_dat: date | None = None,
        for_sen: bool = False,
        ema_sen: str = "",
    ) -> None:
        """Action 42, about these tests or all pending ones of a candidate.

        The guide does not say how several ids are written; commas are a guess.
        """
        fields = {
            "mai_tem_id": mai_tem_id,
            "pla_tst_ids": ",".join(pla_tst_ids),
            "can_id": can_id,
            "sen_dat": sen_dat.isoformat() if sen_dat else "",
            "for_sen": "1" if for_sen else "",
            "ema_sen": ema_sen,
        }
        self._call(42, fields)

    def report_url(
        self, *, ema: str, tst_frm_id: str, pla_tst_id: str = "", lan_id: str = ""
    ) -> str:
        """Action 6: the address of the PDF; without pla_tst_id that of the last test."""
        names = {"ema": ema, "tst_frm_id": tst_frm_id, "pla_tst_id": pla_tst_id, "lan_id": lan_id}
        return _needed(6, "pdf_url", address_of(self._call(6, names).get("pdf_url")))

    def result(self, *, ema: str, tst_frm_id: str, pla_tst_id: str) -> Result:
        """Action 4, always for one test: without pla_tst_id a retake would be mixed up."""
        names = {"ema": ema, "tst_frm_id": tst_frm_id, "pla_tst_id": pla_tst_id}
        answer = self._call(4, names)
        return Result(
            gra_typ_id=_int(answer.get("gra_typ_id")),
            num_val=answer.get("num_val"),
            max_val=answer.get("max_val"),
            txt_des=str(answer.get("txt_des") or "")[:200],
            no_sto_tim_spe=_int(answer.get("no_sto_tim_spe")),
        )

    def result_details(
        self, *, ema: str, tst_frm_id: str, pla_tst_id: str, des_lan_id: str = ""
    ) -> dict[str, dict[str, Any]]:
        """Action 5: per skill its des and level or successrate; -1 means not tested."""
        names = {"ema": ema, "tst_frm_id": tst_frm_id, "pla_tst_id": pla_tst_id}
        details = self._call(5, {**names, "des_lan_id": des_lan_id}).get("result_details")
        if not isinstance(details, dict):
            return {}  # PHP writes an empty array like a list
        return {skill: values for skill, values in details.items() if isinstance(values, dict)}

    def status(self, pla_tst_id: str) -> int | None:
        """Action 10: 1 not started, 2 started, 3 completed, 4 marking pending."""
        return _int(self._call(10, {"pla_tst_id": pla_tst_id}).get("sta_id"))

    def create_session(
        self, *, des: str, sta_dat: datetime, end_dat: datetime, psw: str = ""
    ) -> str:
        """Action 11: its id. The guide names no time zone; the times are sent as they are."""
        fields = {
            "des": des,
            "sta_dat": sta_dat.strftime(_MINUTES),
            "end_dat": end_dat.strftime(_MINUTES),
            "psw": psw,
        }
        return _needed(11, "ses_id", id_of(self._call(11, fields).get("ses_id")))

    def administrator_url(self, ema: str = "") -> str:
        """Action 13: logs in as an administrator. Never for a student, never by a link.

        On a distributor's account it is the master account's unless sub_com_id is set.
        """
        return self._location(13, {"use_ema_for_adm": "1" if ema else "", "ema": ema})

    def candidate_url(self, ema: str) -> str:
        """Action 38: the candidate's own pages."""
        return self._location(38, {"ema": ema})

    def tests(self, lan_id: str = "") -> list[str]:
        """Action 14: the ids of the tests that the account may use."""
        tests = self._call(14, {"lan_id": lan_id}).get("tests")
        if not isinstance(tests, list):
            raise broken(14, "no tests")
        return [str(test) for test in tests if isinstance(test, int | str)]

    def credits(self) -> list[Credit]:
        """Action 15: what is left, by type."""
        rows = self._call(15, {}).get("credits")
        if not isinstance(rows, list):
            raise broken(15, "no credits")
        known = [row for row in rows if isinstance(row, dict)]
        amounts = [(str(row.get("des"))[:100], _int(row.get("amount"))) for row in known]
        return [Credit(des, amount) for des, amount in amounts if amount is not None]

    def _test(self, act_id: int, fields: Fields, latest: datetime | None) -> CandidateTest:
        answer = self._call(act_id, fields, latest)
        return CandidateTest(
            _needed(act_id, "tst_url", address_of(answer.get("tst_url"))),
            _needed(act_id, "pla_tst_id", id_of(answer.get("pla_tst_id"))),
        )

    def _call(self, act_id: int, fields: Fields, latest: datetime | None = None) -> dict[str, Any]:
        sent = self._sent(fields)
        answer = self.wire.call(act_id, sent, latest)
        if told := next((name for name in NAMES if _differs(sent, answer, name)), ""):
            raise other(act_id, f"an answer about another {told}")
        return answer

    def _location(self, act_id: int, fields: Fields) -> str:
        return self.wire.location(act_id, self._sent(fields))

    def _sent(self, fields: Fields) -> dict[str, str]:
        everything = {**fields, "sub_com_id": self.sub_com_id}
        return {name: value for name, value in everything.items() if value}


def _differs(sent: Mapping[str, str], answer: Mapping[str, Any], name: str) -> bool:
    """Whether an answer names somebody else than was asked for; the guide lets it name nobody."""
    told = answer.get(name)
    if told in (None, "") or not sent.get(name):
        return False
    return str(told).strip().casefold() != sent[name].strip().casefold()


def _needed(act_id: int, name: str, value: str) -> str:
    if not value:
        raise broken(act_id, f"no usable {name}")
    return value


def _int(value: object) -> int | None:
    number = decimal_of(value)
    if number is None or number.adjusted() > 15 or number % 1:
        return None
    return int(number)
