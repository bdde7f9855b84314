"""How a pretend LTI 1.3 tool returns a grade: a token, then an AGS score or a Basic Outcome."""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
import urllib3

from lti_bridge.sandbox.tools import outcome as tool_outcome
from lti_bridge.sandbox.tools.tool13_oidc import AGS, BASIC_OUTCOME, Platform, ToolKey

SCORE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
OUTCOME = "https://purl.imsglobal.org/spec/lti-bo/scope/basicoutcome"

_TIMEOUT = urllib3.Timeout(connect=5, read=20)
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class Sent:
    """One request and what came of it; status 0 without an answer."""

    url: str
    body: str
    status: int
    answer: str

    @property
    def in_words(self) -> str:
        """What the candidate reads about the grade."""
        if 200 <= self.status < 300 and "failure" not in self.answer:
            return "Your grade was sent to your course."
        return "Your course did not take your grade."


def token(platform: Platform, key: ToolKey, scope: str) -> str:
    """A fresh access token by private_key_jwt; "" when the platform gives none."""
    now = int(time.time())
    claims = {
        "iss": platform.client_id,
        "sub": platform.client_id,
        "aud": platform.token_url,
        "iat": now,
        "exp": now + 300,
        "jti": secrets.token_urlsafe(16),
    }
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": _ASSERTION,
        "client_assertion": jwt.encode(
            claims, key.private, algorithm="RS256", headers={"kid": key.kid}
        ),
        "scope": scope,
    }
    answer = _post(platform.token_url, urlencode(form), "application/x-www-form-urlencoded", "")
    if answer.status != 200:
        return ""
    given: dict[str, Any] = json.loads(answer.answer)
    return str(given["access_token"]) if scope in given["scope"].split(" ") else ""


def report(
    platform: Platform, key: ToolKey, claims: Mapping[str, Any], given: str, maximum: str
) -> Sent | None:
    """Send a score the way the launch offers: AGS if it has a line item, else Basic Outcome.

    None when the platform wants no grade.
    """
    endpoint, outcome = claims.get(AGS, {}), claims.get(BASIC_OUTCOME, {})
    if endpoint.get("lineitem") and SCORE in endpoint["scope"] and "sub" in claims:
        return score(platform, key, claims, given, maximum)
    if outcome.get("lis_result_sourcedid"):
        share = repr(float(given) / float(maximum))
        body = tool_outcome.message("replace", outcome["lis_result_sourcedid"], share).decode()
        url, kind = outcome["lis_outcome_service_url"], "application/vnd.ims.lti.v1.outcome+xml"
        return _post(url, body, kind, token(platform, key, OUTCOME))
    return None


def score(
    platform: Platform, key: ToolKey, claims: Mapping[str, Any], given: str, maximum: str
) -> Sent:
    """Post one AGS score, fully graded."""
    parts = urlsplit(claims[AGS]["lineitem"])
    url = parts._replace(path=f"{parts.path}/scores").geturl()
    body = {
        "userId": claims["sub"],
        "scoreGiven": float(given),
        "scoreMaximum": float(maximum),
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    kind = "application/vnd.ims.lis.v1.score+json"
    return _post(url, json.dumps(body), kind, token(platform, key, SCORE))


def _post(url: str, body: str, content_type: str, bearer: str) -> Sent:
    headers = {"Content-Type": content_type}
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    try:
        answer = urllib3.request(
            "POST",
            url,
            body=body.encode(),
            headers=headers,
            redirect=False,
            retries=False,
            timeout=_TIMEOUT,
        )
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        return Sent(url, body, 0, type(error).__name__)
    return Sent(url, body, answer.status, answer.data.decode("utf-8", "replace"))
