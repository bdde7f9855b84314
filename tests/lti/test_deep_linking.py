"""Deep Linking 2.0 requests as they are read, and the claims of an answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lti_bridge.errors import MessageRefused
from lti_bridge.lti import deep_linking
from lti_bridge.lti.deep_linking import LinkItem

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
# what a real Moodle sends; it has no data and says nothing about line items
MOODLE: dict[str, Any] = {
    "accept_types": ["ltiResourceLink"],
    "accept_presentation_document_targets": ["frame", "iframe", "window"],
    "accept_copy_advice": False,
    "accept_multiple": True,
    "accept_unsigned": False,
    "auto_create": False,
    "can_confirm": False,
    "deep_link_return_url": "https://moodle.example.edu/mod/lti/contentitem_return.php?course=2",
    "title": "Bridge",
    "text": "",
}
ITEM = LinkItem(
    url="https://bridge.example.edu/lti/launch",
    title="Excel",
    custom={"lti_bridge_activity": "a1"},
    maximum=Decimal("50.00"),
    resource_id="a1",
    tag="lti-bridge",
)


def answer(items: list[LinkItem], **changes: Any) -> dict[str, Any]:
    wanted = deep_linking.read_settings(MOODLE | changes)
    return deep_linking.response(wanted, items, deployment_id="d-1")


def test_the_settings_of_a_real_lms_are_read() -> None:
    wanted = deep_linking.read_settings(MOODLE)
    assert wanted.return_url == MOODLE["deep_link_return_url"]
    assert (wanted.multiple, wanted.line_items, wanted.data) == (True, None, None)


@pytest.mark.spec("T13DL-02", "SECP-05", "SECP-26")
@pytest.mark.parametrize(
    "changes",
    [
        {"deep_link_return_url": None},
        {"deep_link_return_url": ""},
        {"deep_link_return_url": 7},
        {"deep_link_return_url": "//lms.example.edu/back"},
        {"deep_link_return_url": "data:text/html,x"},
        {"accept_types": None},
        {"accept_types": []},
        {"accept_types": ["ltiResourceLink", 1]},
        {"accept_types": "ltiResourceLink"},
        {"accept_presentation_document_targets": None},
        {"accept_presentation_document_targets": {}},
    ],
)
def test_settings_that_lack_something_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MessageRefused):
        deep_linking.read_settings(MOODLE | changes)


@pytest.mark.parametrize("settings", [None, [], "x"])
def test_settings_of_another_shape_are_refused(settings: object) -> None:
    with pytest.raises(MessageRefused):
        deep_linking.read_settings(settings)


@pytest.mark.spec("T13DL-11", "T13DL-13")
def test_a_link_has_only_what_the_specification_names() -> None:
    assert answer([ITEM]) == {
        f"{LTI}message_type": "LtiDeepLinkingResponse",
        f"{LTI}version": "1.3.0",
        f"{LTI}deployment_id": "d-1",
        f"{DL}content_items": [
            {
                "type": "ltiResourceLink",
                "url": "https://bridge.example.edu/lti/launch",
                "title": "Excel",
                "custom": {"lti_bridge_activity": "a1"},
                "lineItem": {
                    "scoreMaximum": 50,
                    "label": "Excel",
                    "resourceId": "a1",
                    "tag": "lti-bridge",
                },
            }
        ],
    }


@pytest.mark.spec("T13DL-05")
def test_choosing_nothing_is_an_empty_list() -> None:
    assert answer([])[f"{DL}content_items"] == []


@pytest.mark.spec("T13DL-07")
@pytest.mark.parametrize("data", ["", 'csrf=é"<&\r\n;x', " spaces ", "0"])
def test_data_comes_back_as_it_was(data: str) -> None:
    assert answer([ITEM], data=data)[f"{DL}data"] == data
    assert f"{DL}data" not in answer([ITEM])


@pytest.mark.spec("T13DL-09")
@pytest.mark.parametrize("multiple", [False, None, "true", 1])
def test_several_items_need_a_plain_yes(multiple: object) -> None:
    assert len(answer([ITEM, ITEM])[f"{DL}content_items"]) == 2
    with pytest.raises(MessageRefused):
        answer([ITEM, ITEM], accept_multiple=multiple)


@pytest.mark.spec("T13DL-09")
def test_no_link_goes_where_none_is_taken() -> None:
    with pytest.raises(MessageRefused):
        answer([ITEM], accept_types=["html", "file"])
    assert answer([], accept_types=["html"])[f"{DL}content_items"] == []


@pytest.mark.spec("T13DL-10", "T13DL-14")
def test_whatever_is_taken_nothing_goes_back_but_links_with_an_address() -> None:
    others = ["link", "file", "html", "image"]
    media = {"accept_media_types": "image/png,text/html"}
    items = answer([ITEM, ITEM], accept_types=[*others, "ltiResourceLink"], **media)
    for item in items[f"{DL}content_items"]:
        assert (item["type"], item["url"]) == ("ltiResourceLink", ITEM.url)
    for accepted in others:
        with pytest.raises(MessageRefused):
            answer([ITEM], accept_types=[accepted], **media)


@pytest.mark.spec("T13DL-12")
@pytest.mark.parametrize(("said", "sent"), [(True, True), (None, True), (False, False)])
def test_a_line_item_comes_unless_it_is_declined(said: bool | None, sent: bool) -> None:
    item = answer([ITEM], accept_lineitem=said)[f"{DL}content_items"][0]
    assert ("lineItem" in item) is sent


@pytest.mark.parametrize(
    ("written", "number"), [("100", 100), ("100.00", 100), ("0.5", 0.5), ("1E+2", 100)]
)
def test_numbers_are_written_short(written: str, number: float) -> None:
    found = deep_linking.plain_number(Decimal(written))
    assert (found, type(found)) == (number, type(number))
