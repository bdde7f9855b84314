"""Whether LMSs, tools and the bridge reach each other: key sets and tokens, in both directions.

An LMS that gives us a token has fetched our key set, so one request tries both ways.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import urlsplit

from lti_bridge.assembly.basics import http_client, now
from lti_bridge.assembly.bridge import Bridge
from lti_bridge.core.tool.registration import ToolRegistration
from lti_bridge.doctor.finding import Finding
from lti_bridge.errors import BridgeError, DeliveryRefused
from lti_bridge.keyring import own
from lti_bridge.lms import belonging
from lti_bridge.lms.config_documents import SCOPES
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lms.routes import JWKS_PATH
from lti_bridge.lti import ags, given_keys
from lti_bridge.lti.keysets import read_keys
from lti_bridge.net import Response
from lti_bridge.platform.routes13 import JWKS_PATH as PLATFORM_JWKS_PATH
from lti_bridge.store.links import a_deployment


def looks(bridge: Bridge) -> Iterator[Callable[[], Finding]]:
    """One look for each thing; each takes as long as calls to somebody who hangs may take."""
    for lms in sorted(bridge.lms.directory.all13(), key=lambda one: one.name):
        yield partial(_key_set, bridge, f"lms {lms.name}", lms.jwks_url, late=True)
        yield partial(tokens, bridge, lms)
    for connection in bridge.catalogue.connections():
        if tool := bridge.catalogue.tool13_of(connection.name):
            yield partial(tool_keys, bridge, tool)
    if addresses := _published(bridge):
        yield partial(own_key_sets, bridge, addresses)


def tool_keys(bridge: Bridge, tool: ToolRegistration) -> Finding:
    """Whether the keys of an LTI 1.3 tool can be had, without which no grade of it is taken."""
    what = f"tool {tool.connection}"
    if tool.public_key:
        return Finding(what, "1 key, given by hand")
    return _key_set(bridge, what, tool.jwks_url)


def tokens(bridge: Bridge, lms: Registration13) -> Finding:
    """Whether an LMS gives us tokens: without one no grade arrives, whatever launches."""
    what = f"tokens of {lms.name}"
    deployment = _deployment(bridge, lms)
    problem = _asked(bridge, lms, frozenset(SCOPES), deployment)
    refused: list[str] = []
    if isinstance(problem, DeliveryRefused):  # for some of them, maybe
        refused = [scope for scope in SCOPES if _asked(bridge, lms, frozenset({scope}), deployment)]
    elif problem is not None:
        refused = list(SCOPES)
    if problem is not None and len(refused) == len(SCOPES):
        return Finding(what, f"none: {problem.detail}", _remedy(bridge, lms))
    if not refused:
        return Finding(what, "given for grades, columns and members")
    said = f"given, but not for {', '.join(scope.rpartition('/')[2] for scope in refused)}"
    remedy = "Switch that service on in the LMS, for this tool: docs/lms.md says where."
    return Finding(what, said, remedy if ags.SCORE in refused else "")


def own_key_sets(bridge: Bridge, published: dict[str, str]) -> Finding:
    """Whether our key sets are where LMSs and tools look for them; `published`: address to kid."""
    what = "our key sets"
    for address, kid in published.items():
        try:
            answer = _fetch_own(bridge, address)
            kids = read_keys(answer)
        except BridgeError as error:
            remedy = (
                "LMSs and tools fetch this address: start lti-bridge serve, and look at proxy, "
                "certificate, DNS and public_url."
            )
            return Finding(what, f"{address}: {error.detail}", remedy)
        if kid not in kids:
            said = f"{address} has not the key that this configuration signs with"
            return Finding(what, said, "Something else answers there: see public_url and keys_dir.")
    return Finding(what, f"{len(published)} reached at {bridge.settings.bridge.public_url}")


def _published(bridge: Bridge) -> dict[str, str]:
    """Every key set that somebody fetches, and the key in it that we sign with now."""
    url, found = bridge.settings.bridge.public_url, {}
    for lms in bridge.lms.directory.all13():
        role = own(lms.name) if lms.own_key else "tool"
        if bridge.keyring.has(role):
            path = f"{JWKS_PATH}/{lms.name}" if lms.own_key else JWKS_PATH
            found[url + path] = bridge.keyring.signing(role).kid
    if any(bridge.catalogue.tool13_of(one.name) for one in bridge.catalogue.connections()):
        found[url + PLATFORM_JWKS_PATH] = bridge.keyring.signing("platform").kid
    return found


def _fetch_own(bridge: Bridge, address: str) -> Response:
    """Our own address, which may well be a private one for us."""
    table = bridge.settings.bridge
    host = urlsplit(table.public_url).hostname or ""
    itself = table.model_copy(update={"allow_private": [*table.allow_private, host]})
    return http_client(itself).send("GET", address)


def _asked(
    bridge: Bridge, lms: Registration13, scopes: frozenset[str], deployment: str
) -> BridgeError | None:
    """Why there is no such token; None when there is."""
    try:
        bridge.lms.gradebooks.tokens.get(lms, scopes, deployment)
    except BridgeError as error:
        return error
    return None


def _deployment(bridge: Bridge, lms: Registration13) -> str:
    """A deployment of it: the only one, or one that has launched."""
    known = sorted(lms.deployment_ids or ())
    return known[0] if known else a_deployment(bridge.store.database, lms.name)


def _remedy(bridge: Bridge, lms: Registration13) -> str:
    path = f"{JWKS_PATH}/{lms.name}" if lms.own_key else JWKS_PATH
    return (
        f"No grade of it arrives. Compare client_id, token_url ({belonging.host(lms.token_url)}) "
        f"and audience with the LMS. It fetches {bridge.settings.bridge.public_url}{path} when it "
        "is asked for a token: that address has to be entered there, and its network has to let it "
        "(in Moodle: HTTP security). See docs/lms.md."
    )


def _key_set(bridge: Bridge, what: str, url: str, *, late: bool = False) -> Finding:
    """Whether keys are there; `late`: whether they may come later."""
    if url.startswith(given_keys.PREFIX):
        return Finding(what, f"{len(given_keys.keys_at(url))} keys, given by hand")
    try:
        answer = http_client(bridge.settings.bridge).send("GET", url)
        if late and _is_empty(answer):
            return Finding(what, "its key set is empty; some LMSs make it at the first launch")
        keys = read_keys(answer)
    except BridgeError as error:
        return Finding(what, f"key set: {type(error).__name__}: {error}", "Check jwks_url.")
    if not keys:
        return Finding(what, "no usable key", "Check jwks_url.")
    off = _clock_offset(answer.headers.get("Date", ""))
    said = f"{len(keys)} keys, clocks differ by {off.total_seconds():.0f} s"
    skew = timedelta(seconds=bridge.settings.bridge.clock_skew_s)
    return Finding(what, said, "Set the clock of this machine or of theirs." if off > skew else "")


def _is_empty(answer: Response) -> bool:
    """Whether it is a key set without a key, as Stud.IP's is before its first launch."""
    try:
        return answer.status == 200 and json.loads(answer.body) == {"keys": []}
    except (ValueError, RecursionError):
        return False


def _clock_offset(date: str) -> timedelta:
    try:
        return abs(now() - parsedate_to_datetime(date))
    except (ValueError, TypeError):
        return timedelta()
