"""The pretend Isograd's LTI 1.3: the same address and actions, with an id_token for a signature."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox.isograd.grades import Grade
from lti_bridge.sandbox.isograd.state import State
from lti_bridge.sandbox.tools import tool13_grades
from lti_bridge.sandbox.tools.tool13_oidc import BASIC_OUTCOME, CLAIM, Door, Platform, ToolKey

# What the actions need to know, by the name that LTI 1.1 has for it: claim and member.
_NAMES = {
    "user_id": ("sub", ""),
    "lis_person_contact_email_primary": ("email", ""),
    "lis_person_name_given": ("given_name", ""),
    "lis_person_name_family": ("family_name", ""),
    "resource_link_id": (f"{CLAIM}resource_link", "id"),
    "context_title": (f"{CLAIM}context", "title"),
    "launch_presentation_return_url": (f"{CLAIM}launch_presentation", "return_url"),
    "lis_result_sourcedid": (BASIC_OUTCOME, "lis_result_sourcedid"),
}


class Isograd13:
    """Isograd's side of LTI 1.3 for one platform."""

    def __init__(self, platform: Platform, base_url: str) -> None:
        address = f"{base_url}/public/lti.php"
        self.platform = platform
        self.key = ToolKey()
        self._door = Door(platform, address, lambda url: url == address)

    def install(self, door: Blueprint, state: State) -> None:
        """Publish the keys, and return the grades of 1.3 launches."""
        state.tell13 = lambda claims, grade: self.tell(state, claims, grade)

        @door.get("/public/jwks.php")
        def jwks() -> Response:
            return jsonify(self.key.key_set())

    def is_login(self) -> bool:
        """Whether this request begins a login."""
        return "login_hint" in request.form

    def is_launch(self) -> bool:
        """Whether this request brings what a login asked for."""
        return "id_token" in request.form or "error" in request.form

    def login(self) -> AnyResponse:
        """Send the browser to the platform. Raises LaunchRefused."""
        return self._door.login(request.form.to_dict())

    def launch(self) -> dict[str, Any]:
        """The claims of this request's id_token. Raises LaunchRefused."""
        return self._door.launch(request.form.to_dict(), request.cookies)

    def tell(self, state: State, claims: Mapping[str, Any], grade: Grade) -> str:
        """Return a grade, as a share of one; what the candidate reads about it."""
        try:
            float(grade.outcome)
        except ValueError:
            return "Your result is no number, so it was not sent."
        sent = tool13_grades.report(self.platform, self.key, claims, grade.outcome, "1")
        if sent is None:
            return "Your course did not ask for a grade, so none was sent."
        row = {"url": sent.url, "request": sent.body, "status": sent.status, "answer": sent.answer}
        with state.lock:
            state.outcomes.append(row)
        return sent.in_words


def parameters(claims: Mapping[str, Any]) -> dict[str, str]:
    """The claims of a launch by the names that the actions know."""
    found = {"lti_message_type": "basic-lti-launch-request", "lti_version": "LTI-1p0"}
    for name, (claim, member) in _NAMES.items():
        value = claims.get(claim, {}).get(member) if member else claims.get(claim)
        if value:
            found[name] = value
    found["roles"] = ",".join(claims[f"{CLAIM}roles"])
    custom = claims.get(f"{CLAIM}custom", {})
    return {**found, **{f"custom_{name}": value for name, value in custom.items()}}
