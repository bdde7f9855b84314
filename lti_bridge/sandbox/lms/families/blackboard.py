"""Blackboard Learn, as its documents and the reports of tools' makers have it; not seen live."""

from typing import TYPE_CHECKING

from lti_bridge.sandbox.lms.families.plain import Json, Plain

if TYPE_CHECKING:
    from lti_bridge.sandbox.lms.state import Grade, Item


class Blackboard(Plain):
    """A score without a comment wipes the feedback, a teacher's too, and results tell none."""

    code = "BlackboardLearn"
    version = "3900.0.0"
    ext = "blackboard"

    def result(self, item: "Item", grade: "Grade") -> Json | None:
        """Without the comment."""
        found = super().result(item, grade)
        return found and {name: value for name, value in found.items() if name != "comment"}
