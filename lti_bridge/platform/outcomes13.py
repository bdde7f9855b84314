"""Basic Outcomes of LTI 1.3 tools: an access token instead of a signature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lti_bridge.core.tool.line_items import ToolGrades
from lti_bridge.platform.access_tokens import AccessTokens
from lti_bridge.platform.outcomes import Caller

SCOPE = "https://purl.imsglobal.org/spec/lti-bo/scope/basicoutcome"


@dataclass(frozen=True, slots=True)
class BearerOutcomes:
    """Finds the caller of a message with an access token of scope basicoutcome.

    There is no nonce, so every message is an event of its own; saying the same grade again
    changes nothing.
    """

    tokens: AccessTokens
    grades: ToolGrades
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    def caller(self, authorization: str) -> Caller:
        """The caller of this Authorization header. Raises ServiceRefused."""
        grant = self.tokens.read(authorization)
        grant.need(SCOPE)
        return Caller(
            [grant.tool.connection],
            self.new_id(),
            self.grades.read,
            lambda attempt_id, name, incoming: self.grades.record(
                attempt_id, name, incoming, self.clock()
            ),
        )
