"""What the demo provider can refuse. Each docstring says what the staff does about it."""

from __future__ import annotations

from lti_bridge.errors import BridgeError, OutOfStock, ProviderBusy, ProviderRefused


class KeyRefused(ProviderRefused):
    """401: correct api_key of the connection."""

    code = "demo-key"


class SoldOut(OutOfStock):
    """402: the account has no sessions left; buy more."""

    code = "demo-sold-out"


class SessionUnknown(ProviderRefused):
    """404: the session was deleted at the provider; give the learner another attempt."""

    code = "demo-session"
    sentence = "The test provider does not know your test any more."


class NoTest(ProviderRefused):
    """422: choose another test in the activity."""

    code = "demo-test"


def refusal(status: int) -> BridgeError:
    """The error for an HTTP status from 400 to 499."""
    errors = {401: KeyRefused, 402: SoldOut, 404: SessionUnknown, 422: NoTest, 429: ProviderBusy}
    return errors.get(status, ProviderRefused)(f"the demo provider answered {status}")
