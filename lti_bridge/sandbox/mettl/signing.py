"""Who may call the pretend Mettl: its signature, checked before anything else is read."""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Mapping

from flask import Request

from lti_bridge.sandbox.mettl.state import MettlSettings

LIFETIME_S = 24 * 3600

_DIGESTS = {"v1": hashlib.sha1, "v2": hashlib.sha256}
_MESSAGES = {
    "E000": "Unspecified error",
    "E028": "Image field error",
    "E401": "Signature could not be authenticated",
    "E403": "API key is not authorised",
    "E504": "Timestamp is invalid or expired",
    "E607": "Candidate registration limit is reached",
}


class ApiError(Exception):
    """A refused call: a documented code, and a message."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{_MESSAGES[code]}: {detail}" if detail else _MESSAGES[code])
        self.code = code


def signature(
    version: str, private_key: str, method: str, url: str, parameters: Mapping[str, str]
) -> str:
    """Base64 of the HMAC over method, URL without query, and raw values sorted by their names."""
    text = method + url + "".join(f"\n{parameters[name]}" for name in sorted(parameters))
    digest = hmac.new(private_key.encode(), text.encode(), _DIGESTS[version]).digest()
    return base64.b64encode(digest).decode()


def check(settings: MettlSettings, version: str, request: Request) -> dict[str, str]:
    """The call's own parameters, once it is known to come from the account.

    They may stand in the query or, for POST, in a form body; uploaded files are never signed.
    Raises ApiError E401, E403 or E504.
    """
    pairs = list(request.args.items(multi=True))
    if request.method == "POST":
        pairs += request.form.items(multi=True)
    fields = dict(pairs)
    if len(fields) != len(pairs) or not {"ak", "ts", "asgn"} <= fields.keys():
        raise ApiError("E401", "ak, ts and asgn are needed, and every name once")
    given = fields.pop("asgn")
    if not _same(fields["ak"], settings.public_key):
        raise ApiError("E403")
    expected = signature(version, settings.private_key, request.method, typed_url(request), fields)
    if not _same(given, expected):
        raise ApiError("E401")
    ts = fields["ts"]
    if not re.fullmatch("[0-9]{1,12}", ts) or abs(time.time() - int(ts)) > LIFETIME_S:
        raise ApiError("E504")
    return {name: value for name, value in fields.items() if name not in ("ak", "ts")}


def typed_url(request: Request) -> str:
    """The address without query exactly as the caller wrote it, which is what was signed."""
    path = str(request.environ["RAW_URI"]).partition("?")[0]
    return f"{request.scheme}://{request.host}{path}"


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
