"""What Prov and its customers tell each other, as Prov's public description lists it.

The description (Postman collection CustomerAPI, 2020) gives the facts but no names and no wire.
"""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import Annotated

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from lti_bridge.core.grade.scores import Score

Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Code = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,100}$")]
HIGHEST = 1_000_000
Number = Annotated[Decimal, Field(allow_inf_nan=False, ge=-HIGHEST, le=HIGHEST)]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True
    )


class Candidate(_Model):
    """Who takes an exam. `candidate_id` is unique in the customer's database."""

    candidate_id: Code
    given_name: str = ""
    family_name: str = ""
    email: str = ""
    address: str = ""

    @property
    def name(self) -> str:
        """The whole name."""
        return f"{self.given_name} {self.family_name}".strip()


class Centre(_Model):
    """A testing centre of the customer's own. `seats` 0: as many as come."""

    code: Code
    name: Text
    address: Text
    seats: int = Field(0, ge=0, le=100_000)


class Proctor(_Model):
    """Somebody who may supervise exams at these centres."""

    name: Text
    user_name: Text
    password: SecretStr = Field(min_length=1)
    centre_codes: tuple[Code, ...] = Field(min_length=1)


class Event(_Model):
    """An exam of one candidate: which, where and when."""

    exam_code: Code
    exam_name: str = ""
    location_code: str = ""
    starts_at: AwareDatetime

    @property
    def moment(self) -> str:
        """The start in UTC: equal for equal moments."""
        return self.starts_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Scale(_Model):
    """The lowest and the highest score that an exam can have."""

    score_min: Number
    score_max: Number

    @model_validator(mode="after")
    def _rises(self) -> Scale:
        if self.score_max <= self.score_min:
            raise ValueError("score_max must be above score_min")
        return self

    def score(self, overall: Decimal) -> Score | None:
        """The score for an overall score; None outside the scale."""
        if not self.score_min <= overall <= self.score_max:
            return None
        return Score(overall - self.score_min, self.score_max - self.score_min)


class Registration(_Model):
    """An attempt as Prov has to know it, and how its result is read."""

    attempt_id: str
    candidate: Candidate
    event: Event
    scale: Scale


class DomainScore(_Model):
    """The score in one domain (topic) of an exam."""

    domain: str
    score: Number | None = None


class Result(_Model):
    """What Prov tells after an exam. `overall_score` None: nothing yet."""

    event_id: str = ""
    candidate_id: str = ""
    candidate_name: str = ""
    exam_code: str = ""
    exam_name: str = ""
    overall_score: Number | None = None
    domains: tuple[DomainScore, ...] = ()
