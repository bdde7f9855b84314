"""What was wrong with a refused grade message of an LTI 1.1 tool, for whoever runs the bridge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from lti_bridge.core.tool.registration import Credentials
from lti_bridge.errors import BadRequest, BridgeError, Finding, SignatureRefused
from lti_bridge.lti import explain_oauth1, oauth1
from lti_bridge.lti.oauth1_changes import Known

Consumers = Mapping[str, Sequence[tuple[str, Credentials]]]

WINDOW_S = 5400  # LTI 1.1.1 §4.4: nonces are remembered for 90 minutes
_HEADER = "Sign the message as LTI 1.1 Basic Outcomes does: in the Authorization header, with the"
_HEADER += " hash of its body."
_BODY = (
    "Something changes the body on its way (a proxy, another encoding), or the tool hashes another"
)
_BODY += " text than it sends."


@dataclass(frozen=True, slots=True)
class Arrived:
    """A grade message as it came, when, and to which names it was sent."""

    url: str
    authorization: str = field(repr=False)
    content_type: str
    body: bytes = field(repr=False)
    now: int
    hosts: Sequence[str] = ()


def let(
    refusal: BridgeError, arrived: Arrived, consumers: Consumers, former: Sequence[str]
) -> None:
    """Let a refused grade message be explained later, as of when it came."""
    refusal.explain = partial(explain, arrived, consumers, former, refusal.detail)


def explain(
    arrived: Arrived, consumers: Consumers, former: Sequence[str], detail: str
) -> list[Finding]:
    """The findings for a grade message that was refused with this detail."""
    try:
        signed = oauth1.read_header(
            "POST", arrived.url, arrived.authorization, arrived.body, arrived.content_type
        )
    except SignatureRefused as refusal:
        return [_unsigned(refusal.detail)]
    except BadRequest as error:
        return [Finding("oauth parameters", "as RFC 5849 has them", error.detail[:200], _HEADER)]
    every = [known(name, one) for given in consumers.values() for name, one in given]
    own = [one for one in every if one.consumer_key == signed.consumer_key]
    found = explain_oauth1.findings(
        signed,
        explain_oauth1.Trust(
            own=own,
            others=[one for one in every if one.consumer_key != signed.consumer_key],
            now=arrived.now,
            window_s=WINDOW_S,
            hosts=arrived.hosts,
            former=former,
        ),
    )
    if all(one.fits for one in found):
        remedy = "The tool has to send what its message lacks, with the values of the launch."
        found.insert(0, Finding("message", "a grade message that counts", detail[:200], remedy))
    return found


def known(name: str, credentials: Credentials) -> Known:
    """The key and secret of a connection as the explainer names it."""
    return Known(
        f"connection {name!r}",
        credentials.consumer_key,
        credentials.shared_secret,
        credentials.method,
    )


def _unsigned(detail: str) -> Finding:
    if "oauth_body_hash" in detail:
        return Finding("body hash", "the hash of the body that came", "another one", _BODY)
    return Finding("signature", "OAuth in the Authorization header", detail[:200], _HEADER)
