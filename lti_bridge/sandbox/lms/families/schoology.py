"""Schoology, as developers.schoology.com and the reports of others have it; not seen live."""

from flask import Response

from lti_bridge.sandbox.lms.course import LinkSpec
from lti_bridge.sandbox.lms.families.plain import Json, Plain

_LONGEST_HISTORY = 5


class Schoology(Plain):
    """A new line item may have no id, a page of members has 100, histories are short."""

    code = "schoology"
    version = "1.0"
    ext = "schoology"
    members_page = most_on_page = 100

    def variables(self, link: LinkSpec) -> dict[str, str]:
        """The last five, of courses and of links."""
        former = self.lms.history_of(link)[:_LONGEST_HISTORY]
        return {"$Context.id.history": ",".join(former), "$ResourceLink.id.history": ""}

    def unfit_item(self, sent: Json, link: LinkSpec | None) -> Response | None:
        """One with an id is refused."""
        if "id" in sent:
            return Response('{"message": "id is not allowed"}', 400)
        return super().unfit_item(sent, link)
