"""Instructors set tests up from inside their LMS: for a link they opened, or for new links."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Protocol, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic import Field as Described

from lti_bridge.core import form_fields as forms
from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.provider import Choice, Connection
from lti_bridge.core.course import migration
from lti_bridge.core.course.catalogue import Catalogue
from lti_bridge.core.course.choices import Choosing
from lti_bridge.core.course.links import belongs, course_of
from lti_bridge.core.course.rosters import members_url
from lti_bridge.core.grade.scores import GradePolicy
from lti_bridge.core.launch import held_launch, once
from lti_bridge.core.launch.handoff import Form
from lti_bridge.core.launch.message import DEEP_LINKING, LEARNER, Launch, Person
from lti_bridge.core.launch.variables import Bindings, Resolved, resolve
from lti_bridge.core.records import Activity, Picking
from lti_bridge.core.store import Store, Transaction
from lti_bridge.core.tool.launches import digest
from lti_bridge.errors import NotConfigured, PageExpired, StaffOnly

HELD_FOR = timedelta(hours=2)
MAX_ITEMS = 20
SETTING = "set."  # before the name of a provider's own setting in a form
NEW_ID = re.compile(r"[A-Za-z0-9_-]{22}")
SAMPLE = Person(
    id="sample",
    given_name="Sam",
    family_name="Sample",
    middle_name="",
    full_name="Sam Sample",
    email="sam.sample@example.edu",
    username="sam.sample",
    sourced_id="S-1000",
)


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
_Label = Annotated[str, StringConstraints(strip_whitespace=True, max_length=255)]
_Moment = Annotated[datetime, AfterValidator(_in_utc)]


class Terms(BaseModel):
    """What every activity has, whoever provides its test."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    title: _Title = Described(title="Title", description="What students see in the course.")
    maximum: Decimal = Described(
        Decimal(100),
        gt=0,
        le=10_000,
        decimal_places=2,
        title="Points",
        description="What the gradebook column counts to.",
    )
    label: _Label = Described(
        "", title="Name of the column", description="In the gradebook; the title when left empty."
    )
    ungraded: bool = Described(
        False, title="Without a grade", description="No grade, and no column in the gradebook."
    )
    grade: GradePolicy = Described(
        "best", title="Which attempt counts", description="For the grade in the course."
    )
    attempts: int = Described(
        0, ge=0, le=100, title="Attempts allowed", description="For each student; 0: no limit."
    )
    days_between: int = Described(
        0, ge=0, le=365, title="Days between attempts", description="From one to the next."
    )
    opens_at: _Moment | None = Described(
        None, title="Opens", description="No attempt begins before. Time in UTC."
    )
    closes_at: _Moment | None = Described(
        None, title="Closes", description="No attempt begins after. Time in UTC."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.opens_at and self.closes_at and self.closes_at <= self.opens_at:
            raise ValueError("the test closes before it opens")
        return self


TERMS = forms.fields_of(Terms)


class Setups(Catalogue, Protocol):
    """The catalogue, with what instructors choose from."""

    def connections(self) -> list[Connection]:
        """All connections, in the order of the file."""

    def forms(self, connection: str) -> tuple[type[BaseModel], ...]:
        """The models that the form is drawn from: one per way to set a test up."""


class Answers(Protocol):
    """How LMSs that ask for links are answered, whatever their version of LTI."""

    def picking(self, launch: Launch) -> Picking:
        """What the LMS accepts. Raises MessageRefused when that is no link of ours."""

    def answer(self, launch: Launch, activities: list[Activity]) -> Form:
        """The signed form that puts links to these activities into the course; none: cancel."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to set a test up: a connection, and which of its forms."""

    connection: str
    number: int
    label: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A form as it was filled in, checked: `activity` is None as long as there are problems.

    `values` are the texts of all inputs, `problems` what is wrong, by input.
    """

    activity_id: str
    way: Way
    fields: tuple[forms.Field, ...]
    values: Mapping[str, str]
    problems: Mapping[str, str] = field(default_factory=dict)
    activity: Activity | None = None


@dataclass(frozen=True, slots=True)
class Placing:
    """Everything behind the instructor's pages. `new_id` returns a fresh unguessable id."""

    store: Store
    catalogue: Setups
    answers: Answers
    choosing: Choosing
    new_id: Callable[[], str]
    clock: Callable[[], datetime]

    def begin(self, launch: Launch) -> str:
        """Use a launch for setting tests up; the token under which that goes on.

        Raises StaffOnly, MessageRefused, and OpenedAlready for a message that was used before.
        """
        self._require_staff(launch)
        if launch.message == DEEP_LINKING:
            self.answers.picking(launch)
        with self.store.transaction() as tx:
            once.first(tx, launch)
            if members := members_url(launch):
                tx.save_memberships_url(launch, members)
        return self.token_for(launch)

    def token_for(self, launch: Launch) -> str:
        """Keep a launch for the pages to come; a new token for it."""
        token = self.new_id()
        until = launch.received_at + HELD_FOR
        self.store.hold_launch(digest(token), held_launch.to_json(launch), until)
        return token

    def kept(self, token: str) -> Launch:
        """The launch of a token. Raises PageExpired, and StaffOnly for anybody else's."""
        return self.kept_under(digest(token))

    def kept_under(self, kept: str) -> Launch:
        """The launch of a token whose digest was kept. Raises as `kept`."""
        text = self.store.held_launch(kept)
        if text is None:
            raise PageExpired("no held launch")
        launch = held_launch.from_json(text)
        with self.store.transaction() as tx:
            launch = migration.at_home(launch, migration.find_link(tx, launch))
        self._require_staff(launch)
        return launch

    def picking(self, launch: Launch) -> Picking | None:
        """What the LMS accepts that asks for links; None for the launch of a link."""
        return self.answers.picking(launch) if launch.message == DEEP_LINKING else None

    def ways(self, launch: Launch) -> list[Way]:
        """The connections that are open to this LMS, each with its forms."""
        found = []
        for one in self.catalogue.connections():
            if one.registrations and not launch.is_of(one.registrations):
                continue
            models = self.catalogue.forms(one.name)
            for number, model in enumerate(models):
                more = f": {forms.title_of(model)}" if len(models) > 1 else ""
                found.append(Way(one.name, number, one.name + more))
        return found

    def existing(self, launch: Launch) -> list[Activity]:
        """The activities of this course."""
        with self.store.transaction() as tx:
            return tx.activities_of(course_of(launch))

    def choices(self, connection: str) -> list[Choice] | None:
        """What the provider lists; None when it has not said."""
        return self.choosing.choices(self.catalogue.connection(connection))

    def new_draft(self, launch: Launch, connection: str, number: int) -> Draft:
        """An empty form. Raises NotConfigured for a connection that is not open to this LMS."""
        way = self._way(launch, connection, number)
        fields = forms.fields_of(self.catalogue.forms(connection)[number])
        values = {one.name: one.default for one in TERMS}
        values |= {SETTING + one.name: one.default for one in fields}
        if capabilities.can(self.catalogue.connection(connection), capabilities.COSTS):
            values["attempts"] = "1"
        wanted = launch.extra.get("title", "") or launch.resource_link.title
        values["title"] = str(wanted)[:255]
        return Draft(self.new_id(), way, fields, values)

    def draft_of(self, launch: Launch, activity_id: str, *, copy: bool = False) -> Draft:
        """The form of an activity of this course, to change it or to make another of it."""
        activity = self.own(launch, activity_id)
        way, fields = self._form_of(launch, activity)
        values = forms.shown(TERMS, {name: getattr(activity, name) for name in Terms.model_fields})
        typed = forms.shown(fields, activity.settings)
        values |= {SETTING + name: text for name, text in typed.items()}
        if copy:
            values["title"] = f"{activity.title} (copy)"[:255]
        return Draft(self.new_id() if copy else activity_id, way, fields, values)

    def fill(self, launch: Launch, form: Mapping[str, str]) -> Draft:
        """The form that was sent, with what is wrong in it."""
        number = form.get("form", "")[:4]  # int() takes no text of thousands of digits
        way = self._way(
            launch, form.get("connection", ""), int(number) if number.isdecimal() else -1
        )
        fields = forms.fields_of(self.catalogue.forms(way.connection)[way.number])
        names = [one.name for one in TERMS] + [SETTING + one.name for one in fields]
        values = {name: form.get(name, "")[: forms.MAX_TEXT] for name in names}
        draft = Draft(form.get("activity", "")[:80], way, fields, values)
        problems: dict[str, str] = {}
        terms = _terms(values, problems)
        typed = forms.typed(fields, values, SETTING)
        try:
            self.catalogue.settings(way.connection, typed)
        except ValidationError as error:
            problems |= forms.problems(error, SETTING)
        except NotConfigured as error:
            problems[""] = error.detail
        if problems or terms is None:
            return replace(draft, problems=problems)
        activity = Activity(
            id=draft.activity_id,
            connection=way.connection,
            settings=typed,
            course=course_of(launch),
            **{**terms.model_dump(), "maximum": str(terms.maximum)},
        )
        return replace(draft, activity=activity)

    def save(self, launch: Launch, activity: Activity, beside: Collection[str] = ()) -> str:
        """Keep an activity of this course; its id, by which links are made.

        One that is in every way like another that was saved and never placed is that other one:
        whoever gives a selection up and begins anew leaves no twin. Those chosen `beside` it are
        not. Raises PageExpired for the id of another course, or of an activity that is retired.
        """
        with self.store.transaction() as tx:
            stored = tx.stored_activity(activity.id)
            if stored is None and not NEW_ID.fullmatch(activity.id):
                raise PageExpired("no such activity")
            kept = activity
            if stored is None:
                kept = replace(activity, id=_twin_of(activity, beside, tx) or activity.id)
            elif belongs(stored, launch):
                kept = replace(activity, origin=stored.origin, course=stored.course)
            if not tx.save_course_activity(kept, self._who(tx, launch), self.clock()):
                raise PageExpired("the activity belongs elsewhere or is retired")
        return kept.id

    def link(self, launch: Launch, activity_id: str) -> None:
        """Let the link that was opened lead to an activity of its course."""
        self.own(launch, activity_id)
        with self.store.transaction() as tx:
            self._point(tx, launch, activity_id)

    def retire(self, launch: Launch, activity_id: str) -> None:
        """Let nobody begin an activity of this course again. Raises PageExpired for any other."""
        activity = self.own(launch, activity_id)
        with self.store.transaction() as tx:
            who = self._who(tx, launch)
            course = activity.course or course_of(launch)
            if not tx.retire_activity(activity_id, course, who, self.clock()):
                raise PageExpired("the activity is retired")

    def own(self, launch: Launch, activity_id: str) -> Activity:
        """An activity of this course. Raises PageExpired for any other."""
        with self.store.transaction() as tx:
            found = tx.stored_activity(activity_id)
        if found is None or found.retired or not belongs(found, launch):
            raise PageExpired("no such activity in this course")
        return found

    def count_attempts(self, activity_id: str) -> int:
        """How many attempts were made at an activity."""
        with self.store.transaction() as tx:
            return tx.count_attempts(activity_id)

    def answer(self, launch: Launch, activity_ids: list[str]) -> Form:
        """The form that brings links to activities of this course to the LMS, in this order."""
        wanted = list(dict.fromkeys(activity_ids))[:MAX_ITEMS]
        return self.answers.answer(launch, [self.own(launch, one) for one in wanted])

    def sample(self, launch: Launch, activity: Activity) -> Resolved:
        """What the provider would be sent for a student who does not exist."""
        connection = self.catalogue.connection(activity.connection)
        settings = self.catalogue.settings(activity.connection, activity.settings)
        student = replace(launch, person=SAMPLE, roles=(LEARNER,), mentor_scope=())
        bindings = Bindings(
            privacy=connection.privacy,
            user_id="(an id for this student)",
            resource_link_id="(an id for this link)",
            context_id="(an id for this course)",
            sourced_id="(an id for the grade)",
            return_url="(the way back)",
        )
        found = resolve(connection.provider.custom(settings), student, bindings)
        shown = {k: "(not shown)" if k in connection.hidden else v for k, v in found.values.items()}
        return replace(found, values=shown)

    def _require_staff(self, launch: Launch) -> None:
        """Whom the LMS sends to choose links may, if staff; a link's settings need more."""
        unsaid = not launch.roles and launch.main_role == "guest"  # an LMS may leave them out
        picks = launch.message == DEEP_LINKING and (launch.main_role == "staff" or unsaid)
        if not (picks or launch.may_configure):
            raise StaffOnly(f"the main role is {launch.main_role}")

    def _way(self, launch: Launch, connection: str, number: int) -> Way:
        for way in self.ways(launch):
            if (way.connection, way.number) == (connection, number):
                return way
        raise NotConfigured(f"connection {connection[:80]!r} is not open to this LMS")

    def _form_of(self, launch: Launch, activity: Activity) -> tuple[Way, tuple[forms.Field, ...]]:
        """The form that an activity was made with, told by the names of its settings."""
        models = self.catalogue.forms(activity.connection)
        settings = self.catalogue.settings(activity.connection, activity.settings)
        number = next((n for n, model in enumerate(models) if type(settings) is model), 0)
        return self._way(launch, activity.connection, number), forms.fields_of(models[number])

    def _point(self, tx: Transaction, launch: Launch, activity_id: str) -> None:
        link = migration.find_link(tx, launch)
        if link is None:
            tx.save_link(launch, activity_id, self.new_id())
        else:
            tx.point_link(link.id, activity_id)

    def _who(self, tx: Transaction, launch: Launch) -> str:
        if not launch.person.id:
            return ""
        return migration.learner(tx, launch, self.new_id())


def _twin_of(activity: Activity, beside: Collection[str], tx: Transaction) -> str:
    for one in tx.unplaced(activity.course) if activity.course else []:
        if one.id not in beside and replace(one, id=activity.id) == activity:
            return one.id
    return ""


def _terms(values: Mapping[str, str], problems: dict[str, str]) -> Terms | None:
    try:
        return Terms.model_validate(forms.typed(TERMS, values))
    except ValidationError as error:
        problems.update(forms.problems(error))
        return None
