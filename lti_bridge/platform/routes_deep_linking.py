"""The address at which tools answer after an instructor chose there."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, request

from lti_bridge.core.tool.choices import ToolAnswer
from lti_bridge.errors import ToolAnswerRefused, TooLarge
from lti_bridge.lti import oauth1
from lti_bridge.platform.deep_linking import ToolAnswers

DEEP_LINK_PATH = "/platform/deep-link"
MAX_BODY = 512 * 1024  # bytes


def blueprint(answers: ToolAnswers, show: Callable[[ToolAnswer], Response]) -> Blueprint:
    """The address. `show` takes a verified answer, for the browser that it came from."""
    routes = Blueprint("deep_link", __name__)

    @routes.post(DEEP_LINK_PATH, defaults={"data": ""})
    @routes.post(f"{DEEP_LINK_PATH}/<data>")
    def deep_link(data: str) -> Response:
        """A deep linking response or a ContentItemSelection; key, cookie and data decide."""
        if request.mimetype != oauth1.FORM_TYPE:
            raise ToolAnswerRefused(f"the Content-Type is not {oauth1.FORM_TYPE}")
        body = request.get_data(cache=False)
        if len(body) > MAX_BODY:
            raise TooLarge("an answer above the limit")
        query = request.query_string.decode("ascii", "replace")
        return show(answers.read(oauth1.parse_form(body), query, data))

    return routes
