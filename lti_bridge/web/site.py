"""What people get: the answer to a launch, the preview, the way back, and every error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, g, request

from lti_bridge.core.course.copies import Copying
from lti_bridge.core.course.links import belongs
from lti_bridge.core.grade.submission_review import review
from lti_bridge.core.journal import hop as hops
from lti_bridge.core.journal.facts import kind_of, of_handoff, of_opened
from lti_bridge.core.launch import once
from lti_bridge.core.launch.dispatch import Choice, Review, dispatch
from lti_bridge.core.launch.handoff import ConfirmPage, Form, Handoff, NewWindowPage, Redirect
from lti_bridge.core.launch.launches import Launching, Preview
from lti_bridge.core.launch.message import Launch
from lti_bridge.core.launch.opened import Opened
from lti_bridge.core.tool.choices import ToolAnswer
from lti_bridge.core.tool.deep_linking import AtTools
from lti_bridge.errors import BadRequest, BrowserRefused, LaunchRefused, LoginFailed, PageExpired
from lti_bridge.store.health import Health
from lti_bridge.store.rosters import Rosters
from lti_bridge.store.store import Store
from lti_bridge.web import visitors
from lti_bridge.web.errors import ErrorPages
from lti_bridge.web.overview import GO_ON_PATH, PEOPLE_PATH, instructor_view
from lti_bridge.web.picker import FIRST, PLACE_PATH, Picker
from lti_bridge.web.rendering import Pages
from lti_bridge.web.responses import forget_cookie
from lti_bridge.web.routes import make_blueprint
from lti_bridge.web.views import Manage
from lti_bridge.web.visitors import PAGE_PATH

log = logging.getLogger("lti_bridge.site")

MAX_MESSAGE = 2000
MAX_QUERY = 8192  # bytes; with it an address fits into what servers and proxies read
REVIEW = "review"
SAID = ("lti_msg", "lti_errormsg", "lti_log", "lti_errorlog")
View = Callable[[str, Launch, tuple[str, ...]], Response]


class Site:
    """The pages around the launch core."""

    def __init__(
        self,
        pages: Pages,
        launching: Launching,
        store: Store,
        errors: ErrorPages,
        at_tools: AtTools,
    ) -> None:
        self.pages = pages
        self.launching = launching
        self.store = store
        self.health = Health(store.database)
        self.troubles = Rosters(store.database).troubles
        self.errors = errors
        self.at_tools = at_tools
        root = urlsplit(launching.public_url).path
        # Forms lead to the host that the browser is at: its cookie is kept there.
        self.go_on_path, self.people_path = root + GO_ON_PATH, root + PEOPLE_PATH
        action = root + PLACE_PATH
        self.views: dict[str, View] = {REVIEW: self._review}
        placing = at_tools.placing
        self.copying = Copying(placing.store, placing.catalogue, placing.new_id, placing.clock)
        self.picker = Picker(pages, placing, self.copying, at_tools, action, self._overview)

    def launched(self, launch: Launch) -> Response:
        """Answer a verified launch; from here on an error page knows the way back."""
        frame_ancestors = self.errors.remember(launch)
        g.launch = launch
        hops.note(kind=kind_of(launch))
        framed = request.headers.get("Sec-Fetch-Dest") != "document"  # or nobody knows
        opened = dispatch(self.launching, launch, framed=framed)
        if isinstance(opened, Choice):
            return self._set_up(launch)
        if isinstance(opened, Review):
            return self.shown(launch, {"do": REVIEW})
        hops.note(**of_opened(opened))
        stays = visitors.keeps_cookies() and self.launching.stays(opened)
        handoff = None if stays else self.launching.hand_off(opened)
        log.info(
            "launch.opened",
            extra={
                "ref": self.errors.reference(),
                "registration": launch.registration,
                "activity": opened.activity.id,
                "connection": opened.connection.name,
                "attempt": opened.attempt.id if opened.attempt else "",
                "kind": launch.main_role,
                "roles": launch.roles_in_words,
            },
        )
        if handoff is None:
            return self._see(launch)
        return self._answered(opened, handoff, frame_ancestors, framed)

    def shown(self, launch: Launch, step: Mapping[str, str]) -> Response:
        """Answer a form with a page that shows this step: at once, or at an address of its own."""
        if visitors.keeps_cookies():
            return self._see(launch, step)
        token = self.launching.new_id()
        self.launching.keep(launch, token, step)
        return self._step(token, launch, step)

    def sent_token(self) -> str:
        """The token of the form that was sent. Raises PageExpired for another browser's page."""
        token = request.form.get("token", "")
        if not visitors.may_use(token):
            launch, _ = self.launching.kept(token)
            self.errors.remember(launch)
            raise PageExpired("the page was shown to another browser")
        return token

    def _see(self, launch: Launch, step: Mapping[str, str] | None = None) -> Response:
        """Send the browser to the address of a page, so that it can be read again (RFC 9110 303).

        The address is one of the host that the browser is at: the cookie is kept there.
        """
        handle = self.launching.new_id()
        self.launching.keep(launch, once.page_token(visitors.secret(), handle), step)
        root = urlsplit(self.launching.public_url).path
        response = Response(status=303, headers={"Location": f"{root}{PAGE_PATH}{handle}"})
        response.headers["Cache-Control"] = "no-store"
        return response

    def _step(self, token: str, launch: Launch, step: Mapping[str, str]) -> Response:
        frame_ancestors = self.errors.remember(launch)
        view = self.views.get(step.get("do", ""))
        if view is not None:
            return view(token, launch, frame_ancestors)
        return self.picker.show(token, launch, step, frame_ancestors)

    def _review(self, _: str, launch: Launch, frame_ancestors: tuple[str, ...]) -> Response:
        note, back_url = review(self.store, launch), launch.presentation.return_url
        return self.pages.handoff(note, frame_ancestors=frame_ancestors, back_url=back_url)

    def _answered(
        self,
        opened: Opened,
        handoff: Handoff | Preview,
        frame_ancestors: tuple[str, ...],
        framed: bool,
        *,
        page: bool = False,
    ) -> Response:
        """The answer to a form, or a `page`: what stays there gets an address of its own.

        A page that waits goes on from where it is: its form counts as often as it is sent.
        """
        hops.note(**of_opened(opened))
        if not isinstance(handoff, Preview):
            hops.note(said=of_handoff(handoff))
        leaves = isinstance(handoff, Form | Redirect)
        waits = isinstance(handoff, ConfirmPage) and handoff.reload_s and opened.held
        if waits:
            hops.note(kept=False)  # the page has come back by itself
        if not page and not leaves and not waits and visitors.keeps_cookies():
            return self._see(opened.launch)
        if isinstance(handoff, Preview):
            return self._instructor(handoff, frame_ancestors)
        return self._handed_off(opened, handoff, frame_ancestors, framed)

    def _handed_off(
        self, opened: Opened, handoff: Handoff, frame_ancestors: tuple[str, ...], framed: bool
    ) -> Response:
        if isinstance(handoff, ConfirmPage):
            back_url = g.get("back_url", "")
            return self.pages.confirm(
                handoff, self.go_on_path, frame_ancestors=frame_ancestors, back_url=back_url
            )
        elsewhere = None
        if framed and isinstance(handoff, Form) and handoff.cookies:
            token = self.launching.token_for_window(opened)
            elsewhere = Form(self.launching.public_url + GO_ON_PATH, (("token", token),))
        return self.pages.handoff(
            handoff,
            frame_ancestors=frame_ancestors,
            back_url=g.get("back_url", ""),
            elsewhere=elsewhere,
        )

    def new_window(self, new_window: NewWindowPage) -> Response:
        """For a login in a frame where the browser keeps no cookies; who may frame is unknown."""
        way = "storage" if new_window.storage else "window"
        log.info("login.alone", extra={"ref": self.errors.reference(), "kind": way})
        return self.pages.new_window(new_window)

    def unproved(
        self, launch: Launch, new_window: NewWindowPage, refusal: BrowserRefused
    ) -> Response:
        """For a good launch that nothing ties to this browser: it is not opened.

        Raises the refusal where no other window could help.
        """
        frame_ancestors = self.errors.remember(launch)
        if new_window.storage:
            return self.pages.new_window(
                new_window, frame_ancestors=frame_ancestors, back_url=g.back_url
            )
        return self._anew(new_window, refusal, frame_ancestors)

    def unconfirmed(
        self, registration: str, new_window: NewWindowPage, home: str, refusal: LoginFailed
    ) -> Response:
        """For a login of ours that the LMS answered with an error; `home` is the way back.

        Raises as `unproved` does.
        """
        if not self.errors.trusted(registration):
            raise refusal
        return self._anew(new_window, refusal, self.errors.remember_lms(registration, home))

    def _anew(
        self, new_window: NewWindowPage, refusal: LaunchRefused, frame_ancestors: tuple[str, ...]
    ) -> Response:
        if new_window.again is None:
            raise refusal
        self.errors.log_refusal(refusal)
        return self.pages.new_window(
            new_window,
            frame_ancestors=frame_ancestors,
            back_url=g.get("back_url", ""),
            refusal=refusal,
            reference=self.errors.reference(),
        )

    def to_tool(self, form: Form) -> Response:
        """The page that brings an answer to a tool, and to no other address."""
        return self.pages.handoff(form, onward=())

    def to_lms(self, form: Form, frame_ancestors: tuple[str, ...]) -> Response:
        """The page that brings a signed form back to an LMS, and to no other address."""
        return self.pages.handoff(form, frame_ancestors=frame_ancestors, onward=(), to="course")

    def chosen(self, answer: ToolAnswer) -> Response:
        """What an instructor gets who comes back from choosing at a provider's tool."""
        picked = self.at_tools.come_back(answer, request.cookies)
        frame_ancestors = self.errors.remember(picked.launch)
        done = self.picker.back(picked, (answer.message, answer.error), frame_ancestors)
        response = done if isinstance(done, Response) else self.shown(picked.launch, done)
        forget_cookie(response, picked.cookie, urlsplit(self.at_tools.return_url).path)
        return response

    def registered(self, name: str, issuer: str, active: bool) -> Response:
        """The page at the end of a dynamic registration."""
        hops.note(registration=name, proved=True)
        return self.pages.registered(name, issuer, active=active)

    def returned(self, handle: str) -> Response:
        """The page for a student who comes back from a provider (LTI 1.1.1 §3, return URL)."""
        found = self.store.launch(handle)
        if found is None:
            raise PageExpired("no such launch")
        hops.note(registration=found.registration, proved=True, click=handle)
        said = urlencode({name: request.form[name] for name in SAID if name in request.form})
        if request.method == "POST" and len(said) <= MAX_QUERY:
            # the same page by GET, which F5 and Back read again
            return Response(status=303, headers={"Location": f"{request.path}?{said}"})
        for name in ("lti_log", "lti_errorlog"):
            if text := request.values.get(name, "")[:MAX_MESSAGE]:
                log.info(
                    "provider.returned", extra={"ref": self.errors.reference(), "reason": text}
                )
        return self.pages.returned(
            title="Welcome back",
            message=(
                "If you have handed in your test, your grade goes to your course by itself, "
                "as soon as it is known."
            ),
            back_url=found.return_url,
            lti_msg=request.values.get("lti_msg", "")[:MAX_MESSAGE],
            lti_errormsg=request.values.get("lti_errormsg", "")[:MAX_MESSAGE],
            frame_ancestors=self.errors.framing(found.registration, found.return_url),
            # what leads out of a frame leads nowhere without one (docs/lms.md, Moodle)
            course_elsewhere=bool(found.framed) and _alone(),
        )

    def blueprint(self) -> Blueprint:
        """The routes of this site."""
        routes = Blueprint("site", __name__)
        routes.register_blueprint(make_blueprint(self.pages))

        @routes.post(GO_ON_PATH)
        def go_on() -> Response:
            """The second click of a launch; the token is the proof of the first, not long ago."""
            number = _number(request.form.get("number", ""))
            opened = self.launching.go_on(self.sent_token(), number)
            frame_ancestors = self.errors.remember(opened.launch)
            handoff = self.launching.proceed(opened, number)
            return self._answered(opened, handoff, frame_ancestors, _framed())

        @routes.get(f"{PAGE_PATH}<handle>")
        def page(handle: str) -> Response:
            """A page that answers a form, to read again; only the browser that sent it may."""
            token = once.page_token(visitors.kept_secret(), handle)
            launch, step = self.launching.kept(token)
            if step:
                return self._step(token, launch, step)
            frame_ancestors = self.errors.remember(launch)
            opened = self.launching.look(token)
            handoff = self.launching.hand_off(opened)
            return self._answered(opened, handoff, frame_ancestors, _framed(), page=True)

        @routes.post(PLACE_PATH)
        def place() -> Response:
            """A step of setting a test up; the token is the proof of a launch by staff."""
            token = self.sent_token()
            launch = self.picker.placing.kept(token)
            ancestors = self.errors.remember(launch)
            done = self.picker.go_on(token, launch, request.form, ancestors, framed=_framed())
            if isinstance(done, Response):
                return done
            if visitors.keeps_cookies():
                return self._see(launch, done)
            return self.picker.show(token, launch, done, ancestors)

        @routes.get("/healthz")
        def healthz() -> Response:
            """Whether the process answers."""
            return Response("ok\n", content_type="text/plain")

        @routes.get("/readyz")
        def readyz() -> Response:
            """Whether launches and grades can be served."""
            trouble = self.health.trouble()
            said, status = (self.health.told(trouble), 503) if trouble else ("ready", 200)
            return Response(f"{said}\n", status, content_type="text/plain")

        return routes

    def _set_up(self, launch: Launch) -> Response:
        """The first of the pages on which an instructor sets a test up."""
        token = self.picker.begin(launch)
        if visitors.keeps_cookies():
            response = self._see(launch, FIRST)
        else:
            response = self.picker.show(token, launch, FIRST, self.errors.remember(launch))
        told = {"ref": self.errors.reference(), "registration": launch.registration}
        log.info("launch.set-up", extra={**told, "kind": launch.message})
        return response

    def _overview(self, token: str) -> Response:
        """The instructor's page of the link that a token's launch came by."""
        opened = self.launching.go_on(token)
        handoff = self.launching.hand_off(opened)
        frame_ancestors = self.errors.remember(opened.launch)
        return self._answered(opened, handoff, frame_ancestors, framed=False, page=True)

    def _instructor(self, preview: Preview, frame_ancestors: tuple[str, ...]) -> Response:
        manage = self._manage(preview.opened, preview.token)
        troubles = self.troubles(preview.opened.link.id)
        view = instructor_view(preview, self.go_on_path, self.people_path, manage, troubles)
        return self.pages.instructor(view, frame_ancestors=frame_ancestors)

    def _manage(self, opened: Opened, token: str) -> Manage | None:
        """What can be done about an activity of this course, by those who may."""
        if not opened.launch.may_configure or not belongs(opened.activity, opened.launch):
            return None
        attempts = self.picker.placing.count_attempts(opened.activity.id)
        story = self.copying.story(opened.launch, opened.activity, opened.link)
        return Manage(
            self.picker.action,
            token,
            opened.activity.id,
            attempts,
            story.shared,
            story.separable,
            story.copied,
        )


def _framed() -> bool:
    return request.headers.get("Sec-Fetch-Dest", "document") != "document"


def _alone() -> bool:
    return request.headers.get("Sec-Fetch-Dest") == "document"


def _number(text: str) -> int:
    """The attempt that was asked for; 0 for none. Raises BadRequest for no number."""
    if text and not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise BadRequest("no number of an attempt")
    return int(text or 0)
