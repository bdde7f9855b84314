"""The pages on which instructors set tests up, from inside their LMS.

Nothing is kept in the browser, whose cookies a frame may not have: every page posts the token of
the launch, which is the proof of who sent the instructor, together with all that was typed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Response

from lti_bridge.core.course.copies import Copying, Offer
from lti_bridge.core.course.placements import MAX_ITEMS, Draft, Placing
from lti_bridge.core.launch.handoff import Form
from lti_bridge.core.launch.message import Launch
from lti_bridge.core.tool.deep_linking import AtTools, Picked
from lti_bridge.errors import BadRequest, NotConfigured
from lti_bridge.web import forms
from lti_bridge.web.rendering import Pages

PLACE_PATH = "/course/place"
SAVED = {
    "stay": "Attempts that begin from now on follow it. Those that have begun keep what they began "
    "with.",
    "copy": "No link opens it yet. You find it when you add a test to the course, or open a link "
    "that is not set up.",
}
RETIRED = "The activity is retired. When you open its link again, you can choose another."
ASK_BACK = (
    "The copies of tests that nobody has begun, and that were not changed, are taken away again:"
    " their links are not ready until you say anew what they open. All others stay, with grades."
)
TAKEN_BACK = "You can say anew what each link opens: open it as you did this one."
FIRST = {"do": "begin"}
GRADES = {"best": "the best", "last": "the last", "first": "the first", "mean": "their mean"}


Shown = Mapping[str, str]
"""A page and what is on it, as texts: `do` is its name, the rest as its form sends it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One request: the launch that it goes on from, and what was sent with it."""

    token: str
    launch: Launch
    form: Mapping[str, str]
    frame_ancestors: tuple[str, ...]
    framed: bool = False

    @property
    def chosen(self) -> list[str]:
        """The activities that were chosen so far, by id."""
        return self.form.get("chosen", "").split()[:MAX_ITEMS]


@dataclass(frozen=True, slots=True)
class Picker:
    """Answers every step. `action` is the address that the pages post to.

    `overview` makes the instructor's page of the link that a token's launch came by.
    """

    pages: Pages
    placing: Placing
    copying: Copying
    at_tools: AtTools
    action: str
    overview: Callable[[str], Response]

    def begin(self, launch: Launch) -> str:
        """Use a launch that asks for links, or whose link opens nothing yet; its token."""
        return self.placing.begin(launch)

    def go_on(
        self,
        token: str,
        launch: Launch,
        sent: Mapping[str, str],
        frame_ancestors: tuple[str, ...],
        *,
        framed: bool = False,
    ) -> Response | Shown:
        """Do what was asked for by whatever button was pressed; `launch` is the one of the token.

        Returns what is to be shown then, or the answer itself where it leads elsewhere.
        """
        step = Step(token, launch, forms.sent(sent), frame_ancestors, framed)
        doing: dict[str, Callable[[Step], Response | Shown]] = {
            "tool": self._leave,
            "save": self._save,
            "use": lambda step: self._taken(step, [step.form.get("use", "")]),
            "finish": lambda step: self._answer(step, step.chosen),
            "cancel": lambda step: self._answer(step, []),
            "adopt": self._adopt,
            "adopt-all": lambda step: self._adopt(step, whole=True),
            "take-back-now": self._take_back,
            "separate": self._separate,
            "retire-now": self._retire,
        }
        done = doing.get(step.form.get("do", "start"))
        if done is not None:
            return done(step)
        return {name: value for name, value in step.form.items() if name != "token"}

    def show(
        self, token: str, launch: Launch, shown: Shown, frame_ancestors: tuple[str, ...]
    ) -> Response:
        """A page of these; changes nothing."""
        step = Step(token, launch, shown, frame_ancestors)
        pages: dict[str, Callable[[Step], Response]] = {
            "begin": self._first,
            "start": self._start,
            "form": self._new_form,
            "preview": lambda step: self._fill(step, preview=True),
            "check": lambda step: self._fill(step, preview=False),
            "edit": self._edit,
            "copy": self._edit,
            "retire": self._ask_to_retire,
            "take-back": self._ask_to_take_back,
            "chosen": self._chosen,
            "overview": lambda step: self.overview(step.token),
            "saved": lambda step: self._note(step, "Saved", SAVED[step.form["then"]]),
            "retired": lambda step: self._note(step, "Retired", RETIRED),
            "taken-back": lambda step: self._note(step, "Taken back", TAKEN_BACK),
            "nothing": self._nothing,
        }
        page = pages.get(step.form.get("do", "start"))
        if page is None:
            raise BadRequest("no such step")
        return page(step)

    def _first(self, step: Step) -> Response:
        launch = step.launch
        ways = self.placing.ways(launch)
        if not ways:
            raise NotConfigured("no connection is open to this LMS")
        if len(ways) == 1 and not self.placing.existing(launch) and not self._offer(step):
            draft = self.placing.new_draft(launch, ways[0].connection, ways[0].number)
            return self._form(step, draft)
        return self._start(step)

    def _start(self, step: Step) -> Response:
        return self._page(
            "place_start",
            step,
            ways=self.placing.ways(step.launch),
            existing=[
                one for one in self.placing.existing(step.launch) if one.id not in step.chosen
            ],
            offer=self._offer(step),
        )

    def _offer(self, step: Step) -> Offer | None:
        """What the opened link may be a copy of; links that are yet to be made are of nothing."""
        if self.placing.picking(step.launch) is not None:
            return None
        return self.copying.offered(step.launch)

    def _new_form(self, step: Step) -> Response:
        number, _, connection = step.form.get("way", "").partition(" ")
        if not number.isdecimal() or len(number) > 3:
            raise BadRequest("no such form")
        return self._form(step, self.placing.new_draft(step.launch, connection, int(number)))

    def _edit(self, step: Step) -> Response:
        copy = step.form["do"] == "copy"
        activity_id = step.form.get("use", "")
        draft = self.placing.draft_of(step.launch, activity_id, copy=copy)
        return self._form(
            step,
            draft,
            then="copy" if copy else "stay",
            attempts=self.placing.count_attempts(draft.activity_id),
        )

    def _fill(self, step: Step, *, preview: bool) -> Response:
        draft = self.placing.fill(step.launch, step.form)
        return self._form(step, draft, then=step.form.get("then", ""), preview=preview)

    def _save(self, step: Step) -> Response | Shown:
        draft = self.placing.fill(step.launch, step.form)
        if draft.activity is None:
            return {**step.form, "do": "check"}
        saved = self.placing.save(step.launch, draft.activity, step.chosen)
        then = step.form.get("then", "")
        if then in SAVED:
            return {"do": "saved", "then": then}
        return self._taken(step, [saved])

    def _leave(self, step: Step) -> Response:
        """To the provider's own tool, which answers at an address of its own."""
        connection = step.form.get("connection", "")
        form = self.at_tools.leave(step.token, step.launch, connection, step.chosen)
        elsewhere = None
        if step.framed:  # a window's cookies may be others than those of the frame
            fields = {**step.form, "token": self.placing.token_for(step.launch)}
            elsewhere = Form(self.action, tuple(fields.items()))
        return self.pages.handoff(
            form,
            frame_ancestors=step.frame_ancestors,
            to="tool",
            elsewhere=elsewhere,
        )

    def back(
        self, picked: Picked, said: tuple[str, str], frame_ancestors: tuple[str, ...]
    ) -> Response | Shown:
        """The answer of a provider's tool was taken; `said` are its message and its error."""
        step = Step(picked.token, picked.launch, {"chosen": picked.chosen}, frame_ancestors)
        if picked.activities:
            return self._taken(step, [one.id for one in picked.activities], said[0])
        return {"do": "nothing", "chosen": picked.chosen, "said": said[1] or said[0]}

    def _nothing(self, step: Step) -> Response:
        return self._page(
            "place_note",
            step,
            title="Nothing was chosen",
            text=step.form.get("said") or "The test provider sent you back without a test.",
            button=("start", "Choose again", ""),
        )

    def _taken(self, step: Step, activity_ids: list[str], said: str = "") -> Response | Shown:
        """Activities are decided upon: for the opened link, or as more of those to place."""
        picking = self.placing.picking(step.launch)
        if picking is None:
            self.placing.link(step.launch, activity_ids[0])
            return {"do": "overview"}
        if not picking.multiple:
            return self._answer(step, activity_ids)
        chosen = [self.placing.own(step.launch, one).id for one in activity_ids]
        return {"do": "chosen", "chosen": " ".join([*step.chosen, *chosen]), "said": said}

    def _chosen(self, step: Step) -> Response:
        chosen = step.form.get("chosen", "").split()
        return self._page(
            "place_chosen",
            step,
            chosen=" ".join(chosen),
            activities=[self.placing.own(step.launch, one) for one in dict.fromkeys(chosen)],
            full=len(chosen) >= MAX_ITEMS,
            said=step.form.get("said", ""),
        )

    def _answer(self, step: Step, chosen: list[str]) -> Response:
        form = self.placing.answer(step.launch, chosen)
        return self.pages.handoff(
            form, frame_ancestors=step.frame_ancestors, onward=None, to="course"
        )

    def _adopt(self, step: Step, *, whole: bool = False) -> Shown:
        self.copying.adopt(step.launch, step.form.get("use", ""), whole=whole)
        return {"do": "overview"}

    def _ask_to_take_back(self, step: Step) -> Response:
        return self._page(
            "place_note",
            step,
            title="Is this course no copy?",
            text=ASK_BACK,
            button=("take-back-now", "Take it back", ""),
        )

    def _take_back(self, step: Step) -> Shown:
        self.copying.take_back(step.launch)
        return {"do": "taken-back"}

    def _separate(self, step: Step) -> Shown:
        self.copying.separate(step.launch)
        return {"do": "overview"}

    def _ask_to_retire(self, step: Step) -> Response:
        activity = self.placing.own(step.launch, step.form.get("use", ""))
        attempts = self.placing.count_attempts(activity.id)
        return self._page(
            "place_note",
            step,
            title=f"Retire “{activity.title}”?",
            text="Its links open nothing any more, for nobody "
            f"({attempts} attempt{'s were' if attempts != 1 else ' was'} made). "
            "Grades stay as they are, and what was handed in is still graded.",
            button=("retire-now", "Retire it", activity.id),
        )

    def _retire(self, step: Step) -> Shown:
        self.placing.retire(step.launch, step.form.get("use", ""))
        return {"do": "retired"}

    def _note(self, step: Step, title: str, text: str) -> Response:
        return self._page("place_note", step, title=title, text=text)

    def _form(
        self,
        step: Step,
        draft: Draft,
        *,
        then: str = "",
        attempts: int = 0,
        preview: bool = False,
    ) -> Response:
        choices = self.placing.choices(draft.way.connection)
        terms, needed, more = forms.inputs(draft, choices or ())
        resolved = None
        if preview and draft.activity is not None:
            resolved = self.placing.sample(step.launch, draft.activity)
        return self._page(
            "place_form",
            step,
            draft=draft,
            terms=terms,
            needed=needed,
            more=more,
            unlisted=choices is None,
            then=then,
            attempts=attempts,
            resolved=resolved,
            grades=GRADES,
            at_tool=not then and self.at_tools.offered(draft.way.connection),
        )

    def _page(self, name: str, step: Step, **values: object) -> Response:
        view = {"chosen": " ".join(step.chosen), "token": step.token, "button": None, **values}
        return self.pages.placing(
            name,
            self.action,
            frame_ancestors=step.frame_ancestors,
            back_url=step.launch.presentation.return_url,
            picking=self.placing.picking(step.launch),
            course=step.launch.context.title,
            **view,
        )
