"""What a tool answers after an instructor chose there: believed only with its own key (DL §4.5).

LTI 1.3 tools post one parameter, JWT (Security Framework 1.0 §5.2); LTI 1.1 tools post a form
signed with the connection's secret (Content-Item Message 1.0 §3). Unsigned answers, which we
never ask for, are refused.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from lti_bridge.core.launch.message import Once
from lti_bridge.core.tool.choices import ToolAnswer
from lti_bridge.core.tool.registration import Credentials, ToolRegistration
from lti_bridge.errors import BadRequest, NetworkFailed, SignatureRefused, ToolAnswerRefused
from lti_bridge.lti import claims, jwt, oauth1
from lti_bridge.lti.deep_linking import RESPONSE
from lti_bridge.platform.access_tokens import FindKeys, FindTool, verified_claims
from lti_bridge.platform.content_items import items, items11
from lti_bridge.platform.outcomes import signers

log = logging.getLogger("lti_bridge.tool_answers")

# Whatever the reason, before a tool has proved who it is.
UNPROVED_13 = (
    "JWT does not prove a connected tool: iss has to be its client_id, alg RS256, and kid a key of "
    "its registered key set that made the signature"
)
UNPROVED_11 = (
    "the form does not prove a connected tool: oauth_consumer_key, the secret, "
    "oauth_signature_method or the signed address is another than agreed"
)
MAX_LIFE_S = 3600  # since it was issued
MAX_SAID = 1000  # characters of a message for people
MAX_NONCE = 1024
WINDOW_S = 300


@dataclass(frozen=True, slots=True)
class ToolAnswers:
    """Reads answers of tools of both versions, by their registrations and secrets.

    `url` is where they are sent, `issuer` the bridge's own name; `former` are addresses and
    `names` other names of it that tools may know.
    """

    url: str
    issuer: str
    find: FindTool
    consumers: Mapping[str, Sequence[tuple[str, Credentials]]]
    key_sets: FindKeys
    clock: Callable[[], datetime]
    leeway_s: float = 60
    former: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def read(self, fields: oauth1.Params, query: str, data: str = "") -> ToolAnswer:
        """The verified answer. Raises ToolAnswerRefused, whatever is wrong with it.

        `data` is what stands at the end of the address, and the same as the tool sends back.
        """
        answer = self._read(fields, query, data)
        if answer.data and data and answer.data != data:
            raise ToolAnswerRefused("data is not that of the address which it was sent to")
        return replace(answer, data=answer.data or data)

    def _read(self, fields: oauth1.Params, query: str, data: str) -> ToolAnswer:
        names = [name for name, _ in fields]
        try:
            if "JWT" in names:
                if names != ["JWT"] or query:
                    raise ToolAnswerRefused("JWT is not the only parameter")
                return self._read13(fields[0][1])
            return self._read11(fields, query, f"/{data}" if data else "")
        except (SignatureRefused, BadRequest) as error:
            raise ToolAnswerRefused(error.detail) from error

    def _proved(self, text: str) -> tuple[Mapping[str, Any], ToolRegistration]:
        """The claims that a connected tool signed, and the tool."""
        try:
            token = jwt.decode(text)
            client_id = token.claims.get("iss")
            tool = self.find(client_id) if isinstance(client_id, str) else None
            if tool is None:
                raise SignatureRefused("iss is no registered client_id")
            return verified_claims(token, tool, self.key_sets), tool
        except (SignatureRefused, NetworkFailed) as error:
            raise ToolAnswerRefused(error.detail, said=UNPROVED_13) from error

    def _read13(self, text: str) -> ToolAnswer:
        found, tool = self._proved(text)
        self._check(found, tool)
        _note(tool.connection, log=found.get(claims.LOG), errorlog=found.get(claims.ERROR_LOG))
        nonce = found.get("nonce")
        if not isinstance(nonce, str) or not 0 < len(nonce) <= MAX_NONCE:
            raise SignatureRefused(f"nonce is no text of at most {MAX_NONCE} characters")
        # good for no longer, whatever time of far ahead it names
        until = min(found["exp"], found["iat"] + MAX_LIFE_S)
        expires_at = datetime.fromtimestamp(until, UTC)
        return ToolAnswer(
            connections=(tool.connection,),
            once=_once(f"deep-link:{tool.client_id}", nonce, expires_at, self.leeway_s),
            data=_text(found.get(claims.DATA)),
            items=items(found.get(claims.CONTENT_ITEMS)),
            message=_text(found.get(claims.MSG)),
            error=_text(found.get(claims.ERROR_MSG)),
        )

    def _check(self, found: Mapping[str, Any], tool: ToolRegistration) -> None:
        jwt.check_times(found, self.clock(), self.leeway_s, MAX_LIFE_S)
        audience = found.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        names = (self.issuer, *self.names)
        if not audiences or any(one not in names for one in audiences):
            raise SignatureRefused(f"aud is {audience!r:.120}, not {self.issuer} alone")
        # the document's own example has the tool itself in azp, where it decides nothing
        known = names if len(audiences) > 1 else (None, *names, tool.client_id)
        if found.get("azp") not in known:
            raise SignatureRefused(f"azp is {found.get('azp')!r:.120}")
        wanted = {
            claims.MESSAGE_TYPE: RESPONSE,
            claims.VERSION: "1.3.0",
            claims.DEPLOYMENT_ID: tool.deployment_id,
        }
        for name, value in wanted.items():
            if found.get(name) != value:
                raise SignatureRefused(f"{name.rpartition('/')[2]} is not {value}")

    def _read11(self, fields: oauth1.Params, query: str, path: str) -> ToolAnswer:
        url = f"{self.url}{path}?{query}" if query else f"{self.url}{path}"
        former = tuple(f"{one}{path}" for one in self.former)
        signed = oauth1.read_form("POST", url, fields)
        try:
            now = int(self.clock().timestamp())
            connections = signers(signed, self.consumers, now, former)
        except SignatureRefused as error:
            raise ToolAnswerRefused(error.detail, said=error.said or UNPROVED_11) from error
        found = dict(signed.params)
        if len(found) != len(signed.params):
            raise SignatureRefused("a parameter is given twice")
        if found.get("lti_message_type") != "ContentItemSelection":
            raise SignatureRefused("lti_message_type is not ContentItemSelection")
        if found.get("lti_version") != claims.LTI_11_VERSION:
            raise SignatureRefused("lti_version is not LTI-1p0")
        _note(connections[0], log=found.get("lti_log"), errorlog=found.get("lti_errorlog"))
        expires_at = self.clock() + timedelta(seconds=2 * WINDOW_S)
        return ToolAnswer(
            connections=tuple(connections),
            once=_once(f"content-item:{signed.consumer_key}", signed.nonce, expires_at, 0),
            data=found.get("data", ""),
            items=items11(found.get("content_items", "")),
            message=found.get("lti_msg", "")[:MAX_SAID],
            error=found.get("lti_errormsg", "")[:MAX_SAID],
        )


def _once(scope: str, nonce: str, expires_at: datetime, leeway_s: float) -> Once:
    # a digest: any text fits into any database
    value = hashlib.sha256(nonce.encode("utf-8", "surrogatepass")).hexdigest()
    return Once(scope, value, expires_at + timedelta(seconds=2 * leeway_s))


def _text(value: object) -> str:
    # JSON can hold half characters, which no page can
    return value[:MAX_SAID].encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _note(connection: str, **said: object) -> None:
    """Log that there was something to log, and not what: it may name a learner."""
    for kind, text in said.items():
        if isinstance(text, str) and text:
            extra = {"connection": connection, "kind": kind, "size": len(text)}
            log.info("tool.said", extra=extra)
