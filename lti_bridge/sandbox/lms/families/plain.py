"""What every family is made of: strict where the specifications are, else as Moodle 4.5 is."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from flask import Response, g, request
from werkzeug.wrappers import Response as BaseResponse

from lti_bridge.sandbox.lms import scores
from lti_bridge.sandbox.lms.course import LinkSpec, User

if TYPE_CHECKING:
    from lti_bridge.sandbox.lms.state import Grade, Item, Lms

Json = dict[str, Any]


class Plain:
    """No family in particular. What another one does in its own way, it does by a method here.

    `code`, `version` and `ext` are what launches say of the LMS. `items_page` and `members_page`
    are how many line items and members stand on a page where nobody asks; `most_on_page` how many
    at most, whatever is asked; 0: all of them.
    """

    code: ClassVar[str] = "moodle"
    version: ClassVar[str] = "2024100706"
    ext: ClassVar[str] = "moodle-2"
    items_page: ClassVar[int] = 0
    members_page: ClassVar[int] = 0
    most_on_page: ClassVar[int] = 0
    audience_error: ClassVar[str] = "invalid_client"  # about an audience that is another's
    no_keys_status: ClassVar[int] = 400  # of a token request when the tool's keys cannot be had
    knows_jti: ClassVar[bool] = True  # whether an assertion counts once
    keeps_custom: ClassVar[bool] = True  # whether a chosen link keeps its custom parameters
    all_scopes_or_none: ClassVar[bool] = False  # of a token; else those that may be had
    results_of_one: ClassVar[bool] = True  # where a user is asked for; else everybody's
    item_filters: ClassVar[dict[str, str]] = {  # of a list of line items, with the members' names
        "resource_link_id": "resourceLinkId",
        "resource_id": "resourceId",
        "tag": "tag",
    }

    def __init__(self, lms: "Lms") -> None:
        self.lms = lms

    def enter(self) -> Response | None:
        """What answers a call of a service in its stead, such as that there were too many."""
        return None

    def leave(self) -> None:
        """A call of a service has been answered."""

    def audience(self) -> str | None:
        """What a token request has to be for; None: anything."""
        return f"{self.lms.issuer}/lti/token"

    def configuration(self, said: Json) -> Json:
        """What the LMS says of itself to a tool that registers itself."""
        return said

    def claims(self, said: Json, user: User) -> Json:
        """The claims of a launch."""
        return said

    def variables(self, link: LinkSpec) -> dict[str, str]:
        """More variables that it fills; those that nobody fills stay as written."""
        return {}

    def launch11(self, fields: dict[str, str]) -> dict[str, str]:
        """The parameters of a launch by LTI 1.1, before they are signed."""
        return fields

    def member(self, said: dict[str, object]) -> dict[str, object]:
        """What the list says of somebody."""
        return said

    def refused_token(self, *, known: bool) -> Response:
        """The answer to a token without the scope, or one that is not `known`: Moodle says 401."""
        error = "insufficient_scope" if known else "invalid_token"
        return Response("", 401, {"WWW-Authenticate": f'Bearer error="{error}"'})

    def return_values(self, target: str) -> dict[str, str]:
        """What its return address says beside course and link, by where the tool is shown."""
        return {}

    def way_back(self) -> str | BaseResponse:
        """What somebody gets who comes back: a template, or another answer; "" is the course."""
        # the course has to leave the frame
        return "lms/return.html" if request.headers.get("Sec-Fetch-Dest") == "iframe" else ""

    def is_listed(self, user: User) -> bool:
        """Whether the members' list has this person."""
        return True

    def lists(self, item: "Item") -> bool:
        """Whether the list of line items has this one."""
        return True

    def no_item(self, item_id: str) -> Response:
        """The answer about a line item that is not there."""
        return Response("No such line item", 404)

    def unfit_item(self, sent: Json, link: LinkSpec | None) -> Response | None:
        """Why a line item is not made, by its members and the link it names; None: it is."""
        wrong = "resourceLinkId" in sent and (link is None or link.lti != "1.3")
        return Response("[]", 400) if wrong else None

    def may_delete(self, item: "Item") -> Response | None:
        """Why a tool may not delete a line item; None: it may."""
        return None

    def score(self, item: "Item", body: bytes) -> Response:
        """Take one score message."""
        try:
            score = scores.read(body, self.lms.find_user)
        except ValueError as error:
            g.log_value = str(error)
            return Response("[]", 400)
        g.log_user, g.log_value = score.user_id, score.logged
        with self.lms.state.lock:
            old = item.grades.get(score.user_id)
            if old and score.stamp <= old.stamp:
                return Response("The score is not later than the one that is kept", 409)
            points = None if score.part is None else score.part * item.maximum
            cell = (item, score.user_id, points, score.comment, score.stamp)
            self.lms.state.put_grade(*cell, pending=score.pending)
        return Response("", 200)

    def result(self, item: "Item", grade: "Grade") -> Json | None:
        """What the result of a cell says of its grade; None: there is no result."""
        if grade.points is None:
            return None
        score = float(grade.points or Decimal(0))
        return {
            "resultScore": score,
            "resultMaximum": float(item.maximum),
            "comment": grade.comment,
        }

    def sourcedid(self, link_id: str, user_id: str) -> str:
        """The name of a cell of Basic Outcomes."""
        return self.lms.new_sourcedid(link_id, user_id)

    def cell(self, sourcedid: str) -> tuple[str, str]:
        """The link and the user that such a name is of. Raises ValueError saying what is wrong."""
        return self.lms.read_sourcedid(sourcedid)

    def outcome_refusal(self, item: "Item", user_id: str) -> str | None:
        """Why a Basic Outcomes message changes nothing, which may be in no words; None: it does."""
        return None

    def outcome_score(self, item: "Item", user_id: str, score: Decimal | None) -> None:
        """Take the score of a Basic Outcomes message; None clears."""
        with self.lms.state.lock:
            old = item.grades.get(user_id)
            points = None if score is None else score * item.maximum
            comment = old.comment if old else ""
            self.lms.state.put_grade(item, user_id, points, comment, self.lms.now())

    def outcome_answer(self, text: str, major: str) -> Response:
        """The answer to a Basic Outcomes message: only imsx_codeMajor tells."""
        return Response(text, 200, content_type="text/html; charset=utf-8")

    def by_hand(self, item: "Item", user_id: str, points: Decimal | None, comment: str) -> None:
        """A teacher enters a grade, or takes it away."""
        with self.lms.state.lock:
            old = item.grades.get(user_id)
            stamp = old.stamp if old else 0
            self.lms.state.put_grade(item, user_id, points, comment, stamp)

    def page(self, found: Sequence[Json], size: int) -> tuple[Sequence[Json], str]:
        """The page that `limit` and `from` ask for, and its `Link` header or ""."""
        start, limit = request.args.get("from", 0, type=int), self.page_size(size)
        if limit <= 0 or start + limit >= len(found):
            return found[start:], ""
        return found[start : start + limit], self.link_header(start + limit)

    def page_size(self, size: int) -> int:
        """How many stand on a page: as many as are asked for, and no more than may."""
        asked = request.args.get("limit", 0, type=int) or size
        return min(asked, self.most_on_page) if asked and self.most_on_page else asked

    def link_header(self, following: int) -> str:
        """The `Link` header of a page that another one follows."""
        return f'<{self.page_url(following)}>; rel="next"'

    def page_url(self, start: int) -> str:
        """The address of the page that starts there."""
        query = {**request.args.to_dict(), "from": str(start)}
        return f"{self.lms.issuer}{request.path}?{urlencode(query)}"


def read_object(body: bytes) -> Json | None:
    """A JSON object with exact numbers; None for anything else."""
    try:
        sent = json.loads(body, parse_float=Decimal)
    except ValueError:
        return None
    return sent if isinstance(sent, dict) else None
