"""Every page that people see, rendered without the Flask app so that a page costs microseconds.

What each response says to the browser:

- `Cache-Control: no-store`: a signed form shown again from a cache would repeat its nonce.
- `Referrer-Policy: no-referrer`. The instructor's page has `same-origin` instead, because with
  `no-referrer` browsers send `Origin: null` even to ourselves, which no check could tell apart.
- `Content-Security-Policy` with nothing allowed but our stylesheet and, on a handoff, one script
  by nonce. `frame-ancestors` names 'self' and the LMS where it is known, and is left out where it
  is not: a student inside a frame must be able to read an error about an unknown LMS.
- `form-action`: Chromium and Safari apply it to redirects after the POST too. A tool whose launch
  address redirects to another host of its own would leave the student on a dead page, with the
  launch already used up. So unless the caller knows where the receiver goes on to (`onward`), any
  web address is allowed; the page has one form whose action was checked, no foreign markup and
  no base address, so there is nothing else that could be submitted.
"""

from __future__ import annotations

import html
import secrets
from functools import cache
from typing import Any, Literal

from flask import Response
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from lti_bridge.core.launch.handoff import ConfirmPage, Form, InfoPage, NewWindowPage, Redirect
from lti_bridge.errors import BadRequest, BridgeError, NotAvailable
from lti_bridge.web.addresses import require_web_address, shorten
from lti_bridge.web.responses import (
    ANY,
    NOBODY,
    POLICY,
    ancestors_policy,
    error_as_json,
    form_targets,
    make_response,
    own_targets,
    safe_return,
    set_cookie,
)
from lti_bridge.web.stylesheet import load_alone_script, load_frame_script, load_stylesheet
from lti_bridge.web.views import InstructorView, PeopleView


class _Templates(dict[str, Template]):
    """Pages by name, each compiled when it is first shown: all of them take a tenth of a second."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def __missing__(self, name: str) -> Template:
        self[name] = self._env.get_template(f"{name}.html")
        return self[name]


@cache
def _templates(root: str) -> _Templates:
    env = Environment(
        autoescape=True,
        auto_reload=False,
        loader=PackageLoader("lti_bridge.web"),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    env.globals.update(css_url=root + load_stylesheet().path, root=root, lang="en")
    env.globals.update(frame_js_url=root + load_frame_script().path)
    env.globals.update(alone_js_url=root + load_alone_script().path)
    return _Templates(env)


MARK = "\ue000"  # a character of nobody's, around what is put into a blank page


@cache
def _blank(root: str, to: str, lang: str) -> list[str]:
    """The page of a form as pieces: every second one is the name of what belongs there."""
    named = {name: Markup(MARK + name + MARK) for name in ("action", "inputs", "nonce")}  # noqa: S704
    template = _templates(root)["form"]
    return template.render(**named, to=to, lang=lang, elsewhere=None).split(MARK)


class Pages:
    """Makes the responses. `root` is the path part of public_url, without a slash at its end."""

    def __init__(self, root: str = "") -> None:
        self._root, self._templates = root, _templates(root)

    def handoff(
        self,
        handoff: Form | Redirect | InfoPage,
        *,
        frame_ancestors: tuple[str, ...] = (),
        onward: tuple[str, ...] | None = None,
        to: Literal["test", "course", "tool"] = "test",
        lang: str = "en",
        back_url: str = "",
        elsewhere: Form | None = None,
    ) -> Response:
        """The answer to a launch: a form that submits itself, a redirect, or a note.

        `onward` are further origins the receiver of a form redirects to; () when it stays on its
        own, None when that is not known. `to` chooses the words beside a form; a note leads back
        to `back_url`, the LMS's return URL. `elsewhere` asks for the same again in a window of
        its own, where the browser refuses the cookies that a form needs. Raises BadRequest
        for another address that is not http(s) and for a field that a browser cannot submit
        unchanged.
        """
        if isinstance(handoff, Form):
            response = self._form(handoff, frame_ancestors, onward, to, lang, elsewhere)
            for cookie in handoff.cookies:
                set_cookie(response, cookie)
            return response
        if isinstance(handoff, Redirect):
            url = require_web_address(handoff.url)
            response = self._page("redirect", frame_ancestors, status=302, url=url, lang=lang)
            response.headers["Location"] = url
            return response
        if handoff.link:
            require_web_address(handoff.link)
        back = safe_return(back_url)
        return self._page("info", frame_ancestors, note=handoff, lang=lang, back_url=back)

    def new_window(
        self,
        new_window: NewWindowPage,
        *,
        frame_ancestors: tuple[str, ...] = (),
        back_url: str = "",
        refusal: BridgeError | None = None,
        reference: str = "",
    ) -> Response:
        """A button that opens the test in a window of its own, after the LMS's storage was tried.

        `refusal` is why a launch was not opened: its status, code and `reference` are shown.
        """
        storage = new_window.storage
        response = self._page(
            "new_window",
            frame_ancestors,
            status=refusal.status if refusal else 200,
            form_targets=ANY,  # from the login on to whatever the LMS signs people in by
            nonce=secrets.token_urlsafe(16),
            again=new_window.again,
            again_inputs=_inputs(new_window.again) if new_window.again else "",
            storage=storage,
            kept_inputs=_inputs(storage.form) if storage and storage.form else "",
            back_url=safe_return(back_url),
            refusal=refusal,
            reference=reference,
        )
        response.headers["Referrer-Policy"] = "same-origin"  # or the form would tell no origin
        return response

    def confirm(
        self,
        ask: ConfirmPage,
        action: str,
        *,
        frame_ancestors: tuple[str, ...] = (),
        back_url: str = "",
    ) -> Response:
        """A page with one button that posts the ask's token to `action`, and the way back."""
        nonce = secrets.token_urlsafe(16)
        return self._page(
            "confirm",
            frame_ancestors,
            form_targets=own_targets(action, onward=True),
            nonce=nonce,
            ask=ask,
            action=action,
            back_url=safe_return(back_url),
        )

    def error(
        self,
        error: BridgeError,
        *,
        reference: str,
        back_url: str = "",
        frame_ancestors: tuple[str, ...] = (),
        as_json: bool = False,
    ) -> Response:
        """What happened, what to do, and the reference id; never the error's own text.

        `back_url` is the LMS's return URL, only from a verified launch; it gets lti_errormsg and
        lti_errorlog, unless the error is none to tell (`BridgeError.tells_lms`). One that is not
        http(s) is left out, because an error page must not fail.
        """
        if as_json:
            return error_as_json(error, reference)
        log = f"{error.code} {reference}"
        told = {"lti_errormsg": error.sentence, "lti_errorlog": log} if error.tells_lms else {}
        back = safe_return(back_url, **told)
        return self._page(
            "error",
            frame_ancestors,
            status=error.status,
            error=error,
            said=error.said if isinstance(error, NotAvailable) else "",
            reference=reference,
            back_url=back,
        )

    def returned(
        self,
        *,
        title: str,
        message: str,
        back_url: str = "",
        lti_msg: str = "",
        lti_errormsg: str = "",
        frame_ancestors: tuple[str, ...] = (),
        course_elsewhere: bool = False,
    ) -> Response:
        """For a student who comes back from a provider, with what the provider wants to say.

        The provider's messages are shown as plain text. Only an error is passed on: an LMS that is
        told anything may print it and stop there, and without it leads to the course (Moodle,
        mod/lti/return.php). The log values of a return (lti_log, lti_errorlog) never come here.
        `course_elsewhere`: the course is open in another window, which this one came from.
        """
        told = {"lti_msg": lti_msg, "lti_errormsg": lti_errormsg} if lti_errormsg else {}
        back = "" if course_elsewhere else safe_return(back_url, **told)
        return self._page(
            "returned",
            frame_ancestors,
            title=title,
            message=message,
            provider_message=shorten(lti_msg),
            provider_error=shorten(lti_errormsg),
            back_url=back,
            course_elsewhere=course_elsewhere,
        )

    def instructor(
        self, view: InstructorView, *, frame_ancestors: tuple[str, ...] = ()
    ) -> Response:
        """What students get from this link, and a button for a preview that is never graded."""
        targets = own_targets(view.preview.action, onward=True) if view.preview else "'none'"
        response = self._page(
            "instructor",
            frame_ancestors,
            form_targets=targets,
            view=view,
            back_url=safe_return(view.back_url),
        )
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    def registered(self, name: str, issuer: str, *, active: bool) -> Response:
        """The end of a dynamic registration, which tells the LMS to close its frame or window."""
        nonce = secrets.token_urlsafe(16)
        return self._page(
            "registered", (), nonce=nonce, registration=name, issuer=issuer, active=active
        )

    def people(self, view: PeopleView, *, frame_ancestors: tuple[str, ...] = ()) -> Response:
        """The learners of one link, with a button that asks again."""
        response = self._page(
            "people",
            frame_ancestors,
            form_targets=own_targets(view.again.action),
            view=view,
            back_url=safe_return(view.back_url),
        )
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    def placing(
        self,
        name: str,
        action: str,
        *,
        frame_ancestors: tuple[str, ...],
        back_url: str,
        **values: Any,
    ) -> Response:
        """A page on which an instructor sets a test up; all its forms post to `action`."""
        response = self._page(
            name,
            frame_ancestors,
            form_targets=own_targets(action),
            action=action,
            back_url=safe_return(back_url),
            **values,
        )
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    def front(self) -> Response:
        """What this site is, and where its public documents are."""
        return self._page("front", NOBODY)

    def admin(self, name: str, **values: object) -> Response:
        """A page for admins, which no site may frame; its forms lead to ourselves.

        `same-origin`, so that browsers say of those forms where they come from.
        """
        page = self._templates[name].render(nonce="", **values)
        response = _response(page, 200, _policy(NOBODY, "'self'", ""))
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    def _form(
        self,
        form: Form,
        frame_ancestors: tuple[str, ...],
        onward: tuple[str, ...] | None,
        to: str,
        lang: str,
        elsewhere: Form | None,
    ) -> Response:
        nonce, inputs = secrets.token_urlsafe(16), _inputs(form)
        # a tool may go on to other hosts of its own
        frames = "https: http:" if form.frame else ""
        policy = _policy(frame_ancestors, form_targets(form.action, onward), nonce, frames)
        if form.frame is None and elsewhere is None:
            filled = {"action": html.escape(form.action), "inputs": inputs, "nonce": nonce}
            pieces = _blank(self._root, to, lang)
            page = "".join([filled.get(piece, piece) for piece in pieces])
            return _response(page, 200, policy)
        page = self._templates["frame" if form.frame else "form"].render(
            nonce=nonce,
            action=form.action,
            inputs=inputs,
            frame=form.frame,
            to=to,
            lang=lang,
            elsewhere=elsewhere,
            elsewhere_inputs=_inputs(elsewhere) if elsewhere else "",
        )
        return _response(page, 200, policy)

    def _page(
        self,
        name: str,
        frame_ancestors: tuple[str, ...],
        *,
        status: int = 200,
        form_targets: str = "'none'",
        nonce: str = "",
        **values: object,
    ) -> Response:
        page = self._templates[name].render(nonce=nonce, **values)
        return _response(page, status, _policy(frame_ancestors, form_targets, nonce))


def _policy(frame_ancestors: tuple[str, ...], targets: str, nonce: str, frames: str = "") -> str:
    policy = f"{POLICY}; form-action {targets}"
    if frames:
        policy += f"; frame-src {frames}"
    if nonce:
        policy += f"; script-src 'nonce-{nonce}'"
    if frame_ancestors:
        policy += f"; frame-ancestors {ancestors_policy(frame_ancestors)}"
    return policy


def _response(page: str, status: int, policy: str) -> Response:
    try:
        body = page.encode()
    except UnicodeEncodeError as err:
        raise BadRequest("a value cannot be written as UTF-8") from err
    return make_response(body, "text/html; charset=utf-8", status, policy)


def _inputs(form: Form) -> Markup:
    """The hidden fields, escaped here, all at once: one by one they take ten times as long.

    Raises BadRequest for NUL, which HTML has no way to write: a browser reads it as U+FFFD and
    the signature breaks.
    """
    texts = [text for pair in form.fields for text in pair]
    escaped = html.escape("\0".join(texts)).split("\0")
    if texts and len(escaped) != len(texts):
        raise BadRequest("a form field holds a NUL character")
    pairs = iter(escaped)
    inputs = [
        f'<input type="hidden" name="{name}" value="{value}">'
        for name, value in zip(pairs, pairs, strict=False)
    ]
    return Markup("\n".join(inputs))  # noqa: S704 - escaped above
