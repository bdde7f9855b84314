"""How a pretend provider calls a web-hook: one POST, no retry, and a row that says how it went."""

from collections.abc import Mapping
from typing import Any

import urllib3

_TIMEOUT = urllib3.Timeout(connect=5, read=20)


def post(url: str, body: str, content_type: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """POST the text; the row has url, body, status (0 without an answer) and error."""
    row: dict[str, Any] = {"url": url, "body": body, "status": 0, "error": ""}
    try:
        answer = urllib3.request(
            "POST",
            url,
            body=body.encode(),
            headers={"Content-Type": content_type, **headers},
            redirect=False,
            retries=False,
            timeout=_TIMEOUT,
        )
        row["status"] = answer.status
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        row["error"] = type(error).__name__
    return row
