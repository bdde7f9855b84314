"""How a pretend provider calls others: one request, no retry, and a row that says how it went."""

from collections.abc import Mapping
from typing import Any

import urllib3

_TIMEOUT = urllib3.Timeout(connect=5, read=20)


def post(url: str, body: str, content_type: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """POST the text; the row has url, body, status (0 without an answer) and error."""
    sent = {"Content-Type": content_type, **headers}
    return {"body": body, **_call("POST", url, body.encode(), sent)}


def get(url: str) -> dict[str, Any]:
    """GET the address; the row has url, status (0 without an answer) and error."""
    return _call("GET", url, None, {})


def _call(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {"url": url, "status": 0, "error": ""}
    try:
        answer = urllib3.request(
            method,
            url,
            body=body,
            headers=headers,
            redirect=False,
            retries=False,
            timeout=_TIMEOUT,
        )
        row["status"] = answer.status
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        row["error"] = type(error).__name__
    return row
