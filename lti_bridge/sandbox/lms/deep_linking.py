"""Asking the bridge for links, and putting those that it answers with into the course."""

import hmac
import json
import time
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

import jwt
from flask import Blueprint, Response, abort, redirect, render_template, request
from flask.typing import ResponseReturnValue

from lti_bridge.sandbox.lms import claims as lms_claims
from lti_bridge.sandbox.lms import launch, launch11, oauth1
from lti_bridge.sandbox.lms.course import LinkSpec, User
from lti_bridge.sandbox.lms.state import Asked, Hint, Lms
from lti_bridge.sandbox.lms.token import BridgeKeys, Refused

_DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
_LTI = lms_claims.LTI
_NO_LINK = LinkSpec("", "", "1.3", grades="none")
_LD_CONTEXT = "http://purl.imsglobal.org/ctx/lti/v1/ContentItem"
_MEDIA_TYPE = "application/vnd.ims.lti.v1.ltilink"
_WINDOW_S = 300


class _Wrong(Exception):
    """An answer that must not be believed; the text says why."""


def blueprint(lms: Lms) -> Blueprint:
    """`/add/<lti>` for teachers, and `/lti/picked`, where the answer comes to."""
    bp = Blueprint("deep_linking", __name__)
    keys = BridgeKeys(lms)

    @bp.get("/add/<lti>")
    def add(lti: str) -> ResponseReturnValue:
        user = lms.find_user(request.cookies.get(lms.cookie, ""))
        if lti not in ("1.1", "1.3"):
            abort(404, "There is no such version")
        if user is None:
            return redirect("/")
        if request.args.get("target") == "iframe":
            tool = launch.tool_origin(lms)
            query = request.query_string.decode()
            return render_template("lms/add.html", lti=lti, query=query, tool=tool)
        data = lms.state.ask(Asked(user.id, lti, "single" not in request.args))
        target = "iframe" if "framed" in request.args else "window"
        kept = request.args.get("storage", "")
        return _ask(lms, lti, user, Hint("", user.id, target, data, kept))

    @bp.post("/lti/picked")
    def picked() -> Response:
        try:
            links = _believe(lms, keys, request.form.to_dict())
        except (_Wrong, Refused) as wrong:
            abort(400, f"The answer is refused: {wrong}")
        return Response(render_template("lms/picked.html", links=links))

    return bp


def claims(lms: Lms, user: User, hint: Hint) -> dict[str, Any]:
    """The claims of a deep linking request, without those of the token itself."""
    asked = lms.state.asked(hint.data)
    found = lms_claims.build(lms, _NO_LINK, user, hint.target)
    for name in (f"{_LTI}resource_link", f"{_LTI}custom", f"{_LTI}target_link_uri"):
        found.pop(name)
    found[f"{_LTI}message_type"] = "LtiDeepLinkingRequest"
    found[f"{_DL}deep_linking_settings"] = {
        "accept_types": ["ltiResourceLink"],
        "accept_presentation_document_targets": ["frame", "iframe", "window"],
        "accept_multiple": asked is not None and asked.multiple,
        "accept_lineitem": True,
        "auto_create": False,
        "deep_link_return_url": _return_url(lms),
        "data": hint.data,
    }
    return found


def _return_url(lms: Lms) -> str:
    return f"{lms.issuer}/lti/picked?course={lms.settings.course_id}"


def _ask(lms: Lms, lti: str, user: User, hint: Hint) -> str:
    if lti == "1.1":
        return _post(launch.launch_url(lms), _request11(lms, user, hint.data, hint.target))
    key = lms.state.add_hint(hint)
    fields = {
        "iss": lms.called,
        "target_link_uri": launch.launch_url(lms),
        "login_hint": user.id,
        "lti_message_hint": json.dumps({"launchid": key}),
        "client_id": lms.settings.client_id,
        "lti_deployment_id": lms.settings.deployment_id,
    }
    if hint.storage:
        fields["lti_storage_target"] = hint.storage
    return _post(launch.login_url(lms), fields)


def _post(action: str, fields: dict[str, str]) -> str:
    return render_template("lms/post.html", action=action, fields=fields, title="the picker")


def _request11(lms: Lms, user: User, data: str, target: str) -> dict[str, str]:
    asked = lms.state.asked(data)
    fields = launch11.build(lms, _NO_LINK, user, target)
    dropped = ("resource_link_id", "resource_link_title", "resource_link_description")
    for name in (*dropped, "oauth_signature"):
        fields.pop(name, None)
    fields |= {
        "lti_message_type": "ContentItemSelectionRequest",
        "accept_media_types": _MEDIA_TYPE,
        "accept_presentation_document_targets": "frame,iframe,window",
        "accept_multiple": "true" if asked and asked.multiple else "false",
        "accept_unsigned": "false",
        "accept_copy_advice": "false",
        "auto_create": "false",
        "content_item_return_url": _return_url(lms),
        "data": data,
    }
    url, secret = launch.launch_url(lms), lms.settings.shared_secret
    fields["oauth_signature"] = oauth1.signature("POST", url, fields.items(), secret)
    return fields


def _believe(lms: Lms, keys: BridgeKeys, form: dict[str, str]) -> list[LinkSpec]:
    """Put what a verified answer asks for into the course. Raises _Wrong or Refused."""
    lti = "1.3" if set(form) == {"JWT"} else "1.1"
    told = _told13(lms, keys, form["JWT"]) if lti == "1.3" else _told11(lms, form)
    data, items = told
    asked = lms.state.asked(data, take=True)
    if asked is None or asked.lti != lti:
        raise _Wrong("data is not that of an open request")
    if len(items) > 1 and not asked.multiple:
        raise _Wrong("more than one item")
    read = [_item13(lms, item) if lti == "1.3" else _item11(lms, item) for item in items]
    return [_place(lms, lti, *item) for item in read]


def _told13(lms: Lms, keys: BridgeKeys, token: str) -> tuple[str, list[Any]]:
    try:
        header = jwt.get_unverified_header(token)
        if header.get("typ") != "JWT" or not isinstance(header.get("kid"), str):
            raise _Wrong("typ or kid")
        said = jwt.decode(
            token,
            keys.find(header["kid"]),
            algorithms=["RS256"],
            audience=lms.called,
            issuer=lms.settings.client_id,
            leeway=1,
            options={"require": ["iss", "aud", "iat", "exp", "nonce"]},
        )
    except jwt.PyJWTError as error:
        raise _Wrong(str(error)) from error
    must = {
        f"{_LTI}message_type": "LtiDeepLinkingResponse",
        f"{_LTI}version": "1.3.0",
        f"{_LTI}deployment_id": lms.settings.deployment_id,
    }
    if unsound := [name for name, value in must.items() if said.get(name) != value]:
        raise _Wrong(", ".join(unsound))
    if not lms.state.once("dl-nonce", str(said["nonce"])):
        raise _Wrong("nonce was used")
    items = said.get(f"{_DL}content_items", [])
    if not isinstance(items, list):
        raise _Wrong("content_items is no list")
    return str(said.get(f"{_DL}data", "")), items


def _item13(lms: Lms, item: Any) -> tuple[tuple[str, str], dict[str, str], dict[str, Any] | None]:
    known = {"type", "url", "title", "text", "icon", "thumbnail", "window", "iframe", "custom"}
    known |= {"lineItem", "available", "submission"}
    if item.get("type") != "ltiResourceLink" or set(item) - known:
        raise _Wrong("an item of another type, or with unknown members")
    line = item.get("lineItem")
    if line is not None and set(line) - {
        "scoreMaximum",
        "label",
        "resourceId",
        "tag",
        "gradesReleased",
    }:
        raise _Wrong("unknown members of the line item")
    return _checked(lms, item), item.get("custom", {}), line


def _told11(lms: Lms, form: dict[str, str]) -> tuple[str, list[Any]]:
    """Check the OAuth signature, then what it signs."""
    settings = lms.settings
    if form.get("oauth_consumer_key") != settings.consumer_key:
        raise _Wrong("unknown consumer key")
    expected = oauth1.signature(
        "POST", _return_url(lms), list(form.items()), settings.shared_secret
    )
    if not hmac.compare_digest(form.get("oauth_signature", "").encode(), expected.encode()):
        raise _Wrong("signature differs")
    stamp = form.get("oauth_timestamp", "")
    if not stamp.isdecimal() or abs(time.time() - int(stamp)) > _WINDOW_S:
        raise _Wrong("timestamp is too far away")
    if not lms.state.once("oauth", settings.consumer_key, form.get("oauth_nonce", "")):
        raise _Wrong("nonce was used")
    if (form.get("lti_message_type"), form.get("lti_version")) != (
        "ContentItemSelection",
        "LTI-1p0",
    ):
        raise _Wrong("lti_message_type or lti_version")
    try:
        said = json.loads(form.get("content_items", ""))
    except ValueError as error:
        raise _Wrong("content_items is no JSON") from error
    if said.get("@context") != _LD_CONTEXT or not isinstance(said.get("@graph"), list):
        raise _Wrong("content_items is no JSON-LD of content items")
    return form.get("data", ""), said["@graph"]


def _item11(lms: Lms, item: Any) -> tuple[tuple[str, str], dict[str, str], dict[str, Any] | None]:
    if item.get("@type") != "LtiLinkItem" or item.get("mediaType") != _MEDIA_TYPE:
        raise _Wrong("an item of another type")
    line = item.get("lineItem")
    if line is not None:
        line = {
            "scoreMaximum": line["scoreConstraints"]["normalMaximum"],
            "label": line.get("label", ""),
            "resourceId": line.get("assignedActivity", {}).get("activityId", ""),
        }
    return _checked(lms, item), item.get("custom", {}), line


def _checked(lms: Lms, item: Any) -> tuple[str, str]:
    """Title and address of an item."""
    custom = item.get("custom", {})
    if not isinstance(custom, dict) or not all(isinstance(text, str) for text in custom.values()):
        raise _Wrong("custom is no object of texts")
    here = urlsplit(launch.launch_url(lms))[:3]
    if urlsplit(item.get("url", launch.launch_url(lms)))[:3] != here:
        raise _Wrong("a link to somewhere else")
    title = item.get("title", "")
    if not isinstance(title, str) or not title:
        raise _Wrong("no title")
    return title, str(item.get("url", ""))


def _place(
    lms: Lms,
    lti: str,
    told: tuple[str, str],
    custom: dict[str, str],
    line: dict[str, Any] | None,
) -> LinkSpec:
    """A link, and its column; by LTI 1.3 none where none was asked for (DL 2.0 §3.2)."""
    maximum, (title, url) = _maximum(line), told
    ungraded = lti == "1.3" and line is None
    with lms.state.lock:
        number = len(lms.state.placed) + 1
        link = LinkSpec(
            f"placed-{number}",
            title,
            "1.1" if lti == "1.1" else "1.3",
            custom if lms.family.keeps_custom else {},
            grades="container" if ungraded else "both",
            url=url,
        )
        lms.state.placed.append(link)
    if ungraded:
        return link
    line = line or {}
    names = {"resource_id": line.get("resourceId", ""), "tag": line.get("tag", "")}
    lms.state.add_item(line.get("label") or title, maximum, link_id=link.id, **names)
    return link


def _maximum(line: dict[str, Any] | None) -> Decimal:
    if line is None:
        return Decimal(100)
    value = line.get("scoreMaximum")
    try:
        maximum = Decimal(str(value)) if isinstance(value, int | float) else Decimal(0)
    except InvalidOperation as error:
        raise _Wrong("scoreMaximum") from error
    if maximum <= 0:
        raise _Wrong("scoreMaximum is missing or not above 0")
    return maximum
