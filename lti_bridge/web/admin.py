"""The pages for admins: what is wrong now, whom the bridge knows, and what became of each click.

They change nothing but who is signed in. A session is a cookie that no other site's page can send.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response, request

from lti_bridge.core.journal.kinds import CLICKS
from lti_bridge.core.journal.story import advice, kind_of, picture, when, words
from lti_bridge.core.journal.traces import Question, Traces
from lti_bridge.core.matters import Matter
from lti_bridge.core.staff.admins import SESSION_FOR, Admin, Admins
from lti_bridge.core.tool.launches import digest
from lti_bridge.errors import AdminsOnly, NotFound
from lti_bridge.web.rendering import Pages

ADMIN_PATH = "/admin/"
COOKIE = "__Host-lti-admin"
SHOWN = 100  # clicks of one page
RECENT = 10
DAY = timedelta(days=1)
KEPT = timedelta(hours=2)  # a search for a user, whose id is in no address
FIELDS = ("since", "until", "activity", "course", "lms", "code")
MAX_FIELD = 255


@dataclass(frozen=True, slots=True)
class Party:
    """An LMS or a connection, for the list of all."""

    name: str
    what: str


@dataclass(frozen=True, slots=True)
class AdminSources:
    """What the pages show, and where a search for a user is kept meanwhile."""

    traces: Traces
    matters: Callable[[], list[Matter]]
    lmss: Callable[[], list[Party]]
    connections: Callable[[], list[Party]]
    addresses: Mapping[str, str]
    hold: Callable[[str, str, datetime], None]
    held: Callable[[str], str | None]
    clock: Callable[[], datetime]
    new_id: Callable[[], str]


def blueprint(pages: Pages, root: str, admins: Admins, sources: AdminSources) -> Blueprint:
    """The routes below /admin/; `root` is the path of public_url."""
    routes = Blueprint("admin", __name__, url_prefix=ADMIN_PATH.rstrip("/"))
    home = root + ADMIN_PATH

    @routes.get("/enter/<link>")
    def link(link: str) -> Response:
        """A button: whoever only looks at an address, as mail programs do, uses no link up."""
        return pages.admin("admin_enter", link=link, action=f"{home}enter")

    @routes.post("/enter")
    def enter() -> Response:
        secret = admins.enter(request.form.get("link", ""))
        response = _see(home)
        response.set_cookie(
            COOKIE,
            secret,
            max_age=SESSION_FOR,
            path="/",
            secure=True,
            httponly=True,
            samesite="Strict",
        )
        return response

    @routes.get("/")
    def overview() -> Response:
        admin = _signed_in(admins)
        asked = Question(since=sources.clock() - DAY, failed=True, logins=True, limit=RECENT)
        return pages.admin(
            "admin_home",
            admin=admin,
            matters=sources.matters(),
            failed=sources.traces.find(asked),
            lmss=sources.lmss(),
            connections=sources.connections(),
            addresses=sources.addresses,
            story=STORY,
        )

    @routes.get("/launches")
    def search() -> Response:
        return listed(
            _signed_in(admins), {name: request.args.get(name, "") for name in FORM} | {"user": ""}
        )

    @routes.post("/launches")
    def ask() -> Response:
        """A search; one for a user is kept, so that the id stands in no address."""
        _signed_in(admins, acts=True)
        handle = sources.new_id()
        asked = {name: request.form.get(name, "")[:MAX_FIELD].strip() for name in (*FORM, "user")}
        sources.hold(_key(handle), json.dumps(asked), sources.clock() + KEPT)
        return _see(f"{home}launches/found/{handle}")

    @routes.get("/launches/found/<handle>")
    def found(handle: str) -> Response:
        admin = _signed_in(admins)
        text = sources.held(_key(handle))
        if text is None:
            raise NotFound("a search that is over")
        return listed(admin, json.loads(text))

    @routes.get("/launches/<ref>")
    def trace(ref: str) -> Response:
        admin = _signed_in(admins)
        found = sources.traces.trace(ref)
        if found is None:
            raise NotFound("no such reference")
        return pages.admin(
            "admin_trace",
            admin=admin,
            trace=found,
            first=found.hops[0],
            picture="\n".join(picture(found.all)),
            words="\n".join(words(found.all)),
            story=STORY,
        )

    @routes.post("/leave")
    def leave() -> Response:
        admins.store.end(_signed_in(admins, acts=True).id)
        response = pages.admin("admin_left")
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
        return response

    def listed(admin: Admin, asked: Mapping[str, str]) -> Response:
        wrong, question = _question(asked)
        hops = [] if wrong else sources.traces.find(question)
        return pages.admin(
            "admin_launches",
            admin=admin,
            asked=asked,
            wrong=wrong,
            hops=hops,
            more=len(hops) == question.limit,
            story=STORY,
        )

    return routes


FORM = (*FIELDS, "failed", "all")
STORY = {"advice": advice, "kind_of": kind_of, "when": when}


def _signed_in(admins: Admins, *, acts: bool = False) -> Admin:
    """Whose session it is. Raises AdminsOnly, also for a form that a page of others has sent."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if acts and site not in ("same-origin", "none"):
        raise AdminsOnly("a form of another site")
    return admins.session(request.cookies.get(COOKIE, ""))


def _key(handle: str) -> str:
    """Under which a search is kept: another session does not find it."""
    return "admin:" + digest(f"{request.cookies.get(COOKIE, '')} {handle}")


def _see(address: str) -> Response:
    response = Response(status=303, headers={"Location": address})
    response.headers["Cache-Control"] = "no-store"
    return response


def _question(asked: Mapping[str, str]) -> tuple[str, Question]:
    """What a form asks for, and what is wrong with it, in words."""
    texts = {name: asked.get(name, "")[:MAX_FIELD].strip() for name in (*FIELDS, "user")}
    since, until = _moment(texts["since"]), _moment(texts["until"])
    for text, moment in ((texts["since"], since), (texts["until"], until)):
        if text and moment is None:
            return f"“{text}” is no time: write it as 2026-11-29 08:00, in UTC.", Question()
    everything = bool(asked.get("all"))
    return "", Question(
        since=since,
        until=until,
        user=texts["user"],
        activity=texts["activity"],
        course=texts["course"],
        lms=texts["lms"],
        code=texts["code"],
        failed=bool(asked.get("failed")),
        kinds=() if everything else (*CLICKS, "start"),
        logins=everything,
        limit=SHOWN,
    )


def _moment(text: str) -> datetime | None:
    """The time that a text tells, in UTC where it names no zone; None where it tells none."""
    try:
        made = datetime.fromisoformat(text)
        return (made if made.tzinfo else made.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
