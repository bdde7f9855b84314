"""The grade service: line items, scores and results of LTI 1.3, with Moodle's rules."""

from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, jsonify, request

from lti_bridge.sandbox.lms import launch, scores
from lti_bridge.sandbox.lms.bearer import needs
from lti_bridge.sandbox.lms.claims import AGS_SCOPES
from lti_bridge.sandbox.lms.state import Item, Lms

_ITEM, _ITEM_READ, _RESULT_READ, _SCORE = AGS_SCOPES
_ITEM_TYPE = "application/vnd.ims.lis.v2.lineitem+json"
_ITEMS_TYPE = "application/vnd.ims.lis.v2.lineitemcontainer+json"
_RESULTS_TYPE = "application/vnd.ims.lis.v2.resultcontainer+json"
_SCORE_TYPE = "application/vnd.ims.lis.v1.score+json"
_NO_HANDLER = "No handler for this media type"


def blueprint(lms: Lms) -> Blueprint:
    """`/lti/ags/<course>/lineitems…`."""
    bp = Blueprint("ags", __name__, url_prefix=f"/lti/ags/{lms.settings.course_id}/lineitems")
    one = "/<item_id>/lineitem"

    @bp.before_request
    def own_type() -> Response | None:
        return None if request.args.get("type_id", "1") == "1" else Response("", 401)

    @bp.get("")
    @needs(lms, _ITEM, _ITEM_READ)
    def list_items() -> Response:
        return _list_items(lms)

    @bp.post("")
    @needs(lms, _ITEM)
    def create_item() -> Response:
        return _create_item(lms)

    @bp.get(one)
    @needs(lms, _ITEM, _ITEM_READ)
    def get_item(item_id: str) -> Response:
        item = _find(lms, item_id)
        return _json(_view(lms, item), _ITEM_TYPE) if item else lms.family.no_item(item_id)

    @bp.put(one)
    @needs(lms, _ITEM)
    def put_item(item_id: str) -> Response:
        item = _find(lms, item_id)
        return _change_item(lms, item) if item else lms.family.no_item(item_id)

    @bp.delete(one)
    @needs(lms, _ITEM)
    def delete_item(item_id: str) -> Response:
        item = _find(lms, item_id)
        if item is None:
            return lms.family.no_item(item_id)
        if refused := lms.family.may_delete(item):
            return refused
        with lms.state.lock:
            lms.state.items.pop(item_id, None)
        return Response("", 204)

    _grade_routes(bp, lms, one)
    return bp


def _grade_routes(bp: Blueprint, lms: Lms, one: str) -> None:
    @bp.post(f"{one}/scores")
    @needs(lms, _SCORE)
    def post_score(item_id: str) -> Response:
        return _post_score(lms, item_id)

    @bp.get(f"{one}/results")
    @needs(lms, _RESULT_READ)
    def get_results(item_id: str) -> Response:
        item = _find(lms, item_id)
        return _results(lms, item) if item else lms.family.no_item(item_id)


def _find(lms: Lms, item_id: str) -> Item | None:
    """An item that belongs to the 1.3 tool."""
    with lms.state.lock:
        item = lms.state.items.get(item_id)
    link = lms.link(item.link_id) if item else None
    return item if item and (link is None or link.lti == "1.3") else None


def _view(lms: Lms, item: Item) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": launch.item_url(lms, item.id),
        "label": item.label,
        "scoreMaximum": float(item.maximum),
        "resourceId": item.resource_id,
        "tag": item.tag,
    }
    return view | ({"resourceLinkId": item.link_id} if item.link_id else {})


def _list_items(lms: Lms) -> Response:
    if request.headers.get("Accept", _ITEMS_TYPE) != _ITEMS_TYPE:
        return Response(_NO_HANDLER, 400)
    with lms.state.lock:
        found = [item for item in lms.state.items.values() if _find(lms, item.id)]
        views = [_view(lms, item) for item in found if lms.family.lists(item)]
    for name, key in lms.family.item_filters.items():
        if name in request.args:
            views = [view for view in views if view.get(key) == request.args[name]]
    return _page(lms, views, _ITEMS_TYPE, lms.family.items_page)


def _create_item(lms: Lms) -> Response:
    sent, maximum = _read_item()
    if maximum is None:
        return Response("[]", 400)
    link = lms.link(sent.get("resourceLinkId"))
    if refused := lms.family.unfit_item(sent, link):
        return refused
    item = lms.state.add_item(
        sent["label"],
        maximum,
        link_id=sent.get("resourceLinkId"),
        resource_id=sent.get("resourceId", ""),
        tag=sent.get("tag", ""),
        by_tool=True,
    )
    return _json(_view(lms, item), _ITEM_TYPE, 201)


def _change_item(lms: Lms, item: Item) -> Response:
    """Replace label, maximum and tags; kept grades are rescaled to the new maximum."""
    sent, maximum = _read_item()
    if maximum is None:
        return Response("[]", 400)
    with lms.state.lock:
        for user_id, old in list(item.grades.items()):
            if old.points is not None:
                points = old.points * maximum / item.maximum
                lms.state.put_grade(item, user_id, points, old.comment, old.stamp)
        item.label, item.maximum = sent["label"], maximum
        item.resource_id, item.tag = sent.get("resourceId", ""), sent.get("tag", "")
        return _json(_view(lms, item), _ITEM_TYPE)


def _read_item() -> tuple[dict[str, Any], Decimal | None]:
    """The sent line item and its maximum, which is None when the item is not a good one."""
    sent = request.get_json(force=True, silent=True) if request.mimetype == _ITEM_TYPE else None
    if not isinstance(sent, dict) or not sent.get("label"):
        return {}, None
    texts = ("label", "resourceId", "tag", "resourceLinkId")
    if any(not isinstance(sent[name], str) for name in texts if name in sent):
        return {}, None
    maximum = scores.number(sent.get("scoreMaximum"))
    return sent, maximum if maximum is not None and maximum > 0 else None


def _post_score(lms: Lms, item_id: str) -> Response:
    item = _find(lms, item_id)
    if item is None:
        return lms.family.no_item(item_id)
    if request.mimetype != _SCORE_TYPE:
        return Response(_NO_HANDLER, 400)
    return lms.family.score(item, request.get_data())


def _results(lms: Lms, item: Item) -> Response:
    wanted = request.args.get("user_id") if lms.family.results_of_one else None
    with lms.state.lock:
        told = [(one, grade, lms.family.result(item, grade)) for one, grade in item.grades.items()]
    url = launch.item_url(lms, item.id)
    path, _, query = url.partition("?")
    found = [
        {
            "id": f"{path}/results/{user_id}?{query}",
            "scoreOf": url,
            "userId": user_id,
            "timestamp": grade.changed,
            **result,
        }
        for user_id, grade, result in told
        if wanted in (None, user_id) and result is not None
    ]
    return _page(lms, found, _RESULTS_TYPE)


def _page(lms: Lms, found: list[dict[str, Any]], media_type: str, size: int = 0) -> Response:
    shown, following = lms.family.page(found, size)
    answer = _json(shown, media_type)
    if following:
        answer.headers["Link"] = following
    return answer


def _json(value: Any, media_type: str, status: int = 200) -> Response:
    answer = jsonify(value)
    answer.status_code, answer.content_type = status, media_type
    return answer
