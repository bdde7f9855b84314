"""PyLTI1p3's view of us: one request, its cookies, the sealed login and the registrations."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from pylti1p3.cookie import CookieService
from pylti1p3.deployment import Deployment
from pylti1p3.registration import Registration
from pylti1p3.request import Request
from pylti1p3.session import SessionService
from pylti1p3.tool_config.abstract import ToolConfAbstract

from lti_bridge.errors import BrowserRefused, MessageRefused
from lti_bridge.lms import state13
from lti_bridge.lms.registration13 import Registration13, Registrations
from lti_bridge.lms.state13 import State


class Values(Request):
    """The parameters of one request, each with its only value.

    Raises MessageRefused for a repeated one: nobody knows which of them was meant.
    """

    def __init__(self, parameters: Mapping[str, Sequence[str]]) -> None:
        self.values: dict[str, str] = {}
        for name, given in parameters.items():
            if len(given) != 1 or not _is_unicode(given[0]):
                raise MessageRefused(f"the parameter {name!r:.40} is repeated or no valid text")
            self.values[name] = given[0]

    def is_secure(self) -> bool:
        """Whether it came by https; what runs elsewhere than on loopback always does."""
        return True

    def get_param(self, key: str) -> str:
        """Return the value, "" when there is none."""
        return self.values.get(key, "")


class Cookies(CookieService):
    """The cookies that came with the request."""

    def __init__(self, received: Mapping[str, str]) -> None:
        self._received = received

    def get_cookie(self, name: str) -> str | None:
        """Return the cookie's value."""
        return self._received.get(name)

    def set_cookie(self, name: str, value: str | int, exp: int | None = 3600) -> None:
        """Never used: a login hands its cookie over with the address to go to."""
        raise NotImplementedError


class Session(SessionService):
    """The sealed state of the login is all there is; nothing is kept on our side."""

    state: State

    def __init__(self) -> None:
        """Without PyLTI1p3's storage."""

    def check_nonce(self, nonce: str) -> bool:
        """Whether the token answers this very login; raises BrowserRefused if not."""
        if not isinstance(nonce, str) or not hmac.compare_digest(
            state13.digest(nonce), state13.digest(self.state.nonce)
        ):
            raise BrowserRefused("the nonce is not that of this login")
        return True


class Known(Registration):
    """PyLTI1p3's registration, made from ours."""

    def __init__(self, ours: Registration13) -> None:
        self.ours = ours
        self.set_issuer(ours.issuer).set_client_id(ours.client_id)


class Tool(ToolConfAbstract[Values]):
    """Our registrations, asked by issuer and client: PyLTI1p3's only current way.

    Several of one issuer and client are told apart by the deployment, if the request says one.
    """

    def __init__(self, registrations: Registrations, deployment_id: str = "") -> None:
        self._registrations, self._deployment_id = registrations, deployment_id

    def check_iss_has_one_client(self, iss: str) -> bool:
        """No: then PyLTI1p3 would look the issuer up without the client."""
        return False

    def check_iss_has_many_clients(self, iss: str) -> bool:
        """Every issuer may have several clients."""
        return True

    def find_registration_by_issuer(self, iss: str, *args: Any, **kwargs: Any) -> Known:
        """Return the only registration of this issuer; raises UnknownIssuer."""
        return Known(self._registrations.find(iss))

    def find_registration_by_params(
        self, iss: str, client_id: str, *args: Any, **kwargs: Any
    ) -> Known:
        """Return the registration; raises UnknownIssuer."""
        return Known(self._registrations.find(iss, client_id, self._deployment_id))

    def find_deployment(self, iss: str, deployment_id: str) -> Deployment:
        """Never used: the deployment has to be one of the registration of the login."""
        raise NotImplementedError

    def find_deployment_by_params(
        self, iss: str, deployment_id: str, client_id: str, *args: Any, **kwargs: Any
    ) -> Deployment:
        """Never used, as above: issuer and client may be those of several registrations."""
        raise NotImplementedError


def _is_unicode(text: str) -> bool:
    """Whether it is whole characters, which alone can be sent on or digested."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
