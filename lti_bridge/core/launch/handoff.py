"""A handoff: what the student's browser gets after a launch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie for the way on: Secure, HttpOnly, SameSite=None, Partitioned."""

    name: str
    value: str
    path: str
    max_age_s: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A provider's tool is shown within a page of the bridge.

    `origins` may send that page browser messages; `allow` names what the tool may use of the
    browser (Permissions Policy: "camera").
    """

    origins: tuple[str, ...]
    allow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """A form that submits itself by POST: to a provider's tool, or back to an LMS.

    Without its cookies it leads nowhere, so a browser that refuses them has to be asked to open
    another window.
    """

    action: str
    fields: tuple[tuple[str, str], ...]
    cookies: tuple[Cookie, ...] = ()
    frame: Frame | None = None


@dataclass(frozen=True, slots=True)
class Storage:
    """What a page keeps with an LMS, or reads back from it (LTI postMessage Storage 0.1).

    `origin` alone may answer; `frame` is the LMS's frame, "_parent" the page around. A `value` is
    kept and the browser goes on to `onward`; without one, the value found goes with the form.
    """

    origin: str
    frame: str
    key: str
    value: str = ""
    onward: str = ""
    form: Form | None = None


@dataclass(frozen=True, slots=True)
class NewWindowPage:
    """A page for a browser that keeps no cookie in a frame: a button for a window of its own.

    `again` begins the login anew there, first-party. With `storage`, that is tried before.
    """

    again: Form | None
    storage: Storage | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """The browser goes to this address by GET."""

    url: str


@dataclass(frozen=True, slots=True)
class InfoPage:
    """A page of the bridge: a headline, sentences, and label/value pairs to show or copy."""

    title: str
    paragraphs: tuple[str, ...] = ()
    details: tuple[tuple[str, str], ...] = ()
    link: str = ""
    link_label: str = ""


@dataclass(frozen=True, slots=True)
class ConfirmPage:
    """A page of the bridge with one button, which posts `token` back to where it was made.

    `reload_s` presses the button by itself after so many seconds (0: never). `number` is the
    attempt that the button begins; 0 where it begins none.
    """

    title: str
    paragraphs: tuple[str, ...]
    button: str
    token: str
    reload_s: float = 0
    number: int = 0


Handoff = Form | Redirect | InfoPage | ConfirmPage

REVIEWED = InfoPage(
    title="Your result is being looked at",
    paragraphs=(
        "Your test is over. A person looks at its result before it counts; ask your teacher if"
        " you hear nothing.",
    ),
)
"""For a test whose result is held for a person."""

MARKING = InfoPage(
    title="Your test is being marked",
    paragraphs=("You have handed in your test. Your grade will appear in your course by itself.",),
)
"""For a test that is over. The provider that returns it is asked for the result at once."""
