"""The pretend Isograd's LTI tool: POST /public/lti.php."""

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox.isograd import lti13 as isograd_lti13
from lti_bridge.sandbox.isograd.actions import ActionError, Desk, need
from lti_bridge.sandbox.isograd.api import respond
from lti_bridge.sandbox.isograd.lti13 import Isograd13
from lti_bridge.sandbox.isograd.queries import perform
from lti_bridge.sandbox.page import web_address
from lti_bridge.sandbox.tools.oauth import LaunchRefused, Pairs, Verifier, body_pairs
from lti_bridge.sandbox.tools.tool13_oidc import LaunchRefused as LaunchRefused13

# Logging in as an administrator (13) is not among them, whoever asks.
_ALLOWED = frozenset(("1", "2", "6", "8", "9", "38", "58"))

_PERSON = {
    "ema": "lis_person_contact_email_primary",
    "fst_nam": "lis_person_name_given",
    "lst_nam": "lis_person_name_family",
}
_MISSING = {
    "ema": "Your course did not say your e-mail address.",
    "fst_nam": "Your course did not say your given name.",
    "lst_nam": "Your course did not say your family name.",
}


def install(door: Blueprint, desk: Desk, lti13: Isograd13 | None = None) -> None:
    """Add the launch endpoint; with `lti13` it takes LTI 1.3 as well."""
    settings = desk.state.settings
    verifier = Verifier(settings.consumer_key, settings.shared_secret)

    @door.post("/public/lti.php")
    def launch() -> AnyResponse | tuple[str, int]:
        query = request.query_string.decode()
        url = f"{desk.base_url}{request.path}" + (f"?{query}" if query else "")
        parameters: dict[str, str] = {}
        row: dict[str, Any] = {"parameters": parameters, "pla_tst_id": None, "error": None}
        try:
            pairs = _form_pairs()
            if lti13 and lti13.is_login():
                return lti13.login()
            if lti13 and lti13.is_launch():
                row["claims"] = lti13.launch()
                parameters.update(isograd_lti13.parameters(row["claims"]))
            else:
                parameters.update([*body_pairs(query), *pairs])
            with desk.state.lock:
                desk.state.launches.append(row)
                if "claims" not in row:
                    verifier.verify(url, pairs)
                return _carry_out(desk, row, len(desk.state.launches) - 1)
        except (LaunchRefused, LaunchRefused13) as error:
            row["error"] = str(error)
            return _refusal(str(error), "401", {}), 401
        except ActionError as error:
            row["error"] = error.code
            status = 400 if error.code in (103, 105) else 403
            return _refusal(str(error), str(error.code), parameters), status


def _form_pairs() -> Pairs:
    if request.mimetype != "application/x-www-form-urlencoded":
        raise LaunchRefused("A launch is a form.")
    try:
        return body_pairs(request.get_data(cache=True).decode())
    except UnicodeDecodeError as error:
        raise LaunchRefused("A launch is UTF-8 text.") from error


def _carry_out(desk: Desk, row: dict[str, Any], index: int) -> AnyResponse:
    parameters = row["parameters"]
    fields = _fields(parameters)
    members = perform(desk, fields, _ALLOWED)
    if "tst_url" in members:
        sitting = desk.state.sitting_by_token(members["tst_url"].rpartition("/")[2])
        if sitting:
            row["pla_tst_id"] = sitting.pla_tst_id
            sitting.launch = index
    return respond(members, fields)


def _fields(parameters: dict[str, str]) -> dict[str, str]:
    """The action's fields: the custom parameters, and the person the launch is for."""
    if parameters.get("lti_message_type") != "basic-lti-launch-request":
        raise ActionError(105, "lti_message_type")
    if parameters.get("lti_version") != "LTI-1p0":
        raise ActionError(105, "lti_version")
    for name in ("resource_link_id", "user_id", *_PERSON.values()):
        need(parameters, name)
    fields = {
        name.removeprefix("custom_"): value
        for name, value in parameters.items()
        if name.startswith("custom_")
    }
    fields.setdefault("ext_id", parameters["user_id"])
    return {**fields, **{name: parameters[source] for name, source in _PERSON.items()}}


def _refusal(message: str, code: str, parameters: dict[str, str]) -> str:
    """A page that says why, with the way back only when the launch is believed."""
    back = web_address(parameters.get("launch_presentation_return_url", ""))
    if back:
        glue = "&" if "?" in back else "?"
        back += glue + urlencode({"lti_errormsg": f"The test could not be opened: {message}"})
    missing = [text for name, text in _MISSING.items() if not parameters.get(_PERSON[name])]
    return render_template(
        "isograd/refusal.html",
        message=message,
        code=code,
        back=back,
        missing=missing if parameters else [],
    )
