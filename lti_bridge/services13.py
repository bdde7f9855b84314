"""Putting together the services that LTI tools call at the bridge."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from lti_bridge import log
from lti_bridge.catalogue import Catalogue
from lti_bridge.core.identity import pairwise
from lti_bridge.core.launch import Once
from lti_bridge.core.results import Results
from lti_bridge.core.rosters import Roster
from lti_bridge.core.tool_grades import ToolGrades
from lti_bridge.core.tool_links import ToolLinks
from lti_bridge.keyring import Keyring
from lti_bridge.lti.keysets import KeySets
from lti_bridge.providers.access import AccessTokens, TokenService
from lti_bridge.providers.contract import Send
from lti_bridge.providers.grade_services import GradeServices
from lti_bridge.providers.member_service import MemberService
from lti_bridge.providers.outcomes import OutcomeService
from lti_bridge.providers.outcomes13 import BearerOutcomes
from lti_bridge.providers.routes import OUTCOMES_PATH
from lti_bridge.providers.routes_services import TOKEN_PATH, Services
from lti_bridge.settings import BridgeTable
from lti_bridge.store.line_items13 import LineItems13
from lti_bridge.store.store import Store


def build_services(
    bridge: BridgeTable,
    keyring: Keyring,
    store: Store,
    catalogue: Catalogue,
    results: Results,
    send: Send,
    roster: Roster,
    clock: Callable[[], datetime],
    new_id: Callable[[], str],
) -> Services:
    """Every service; key sets of tools are fetched with `send`."""
    items = LineItems13(store.database)
    grades = ToolGrades(items, results)
    links = ToolLinks(items, catalogue)
    key = keyring.secret("sourcedids")
    url = bridge.public_url
    outcome_url = url + OUTCOMES_PATH
    tokens = AccessTokens(keyring.secret("access-tokens"), catalogue.tool13, clock)
    return Services(
        tokens=tokens,
        token=_token_service(bridge, store, tokens, send, clock),
        grades=GradeServices(
            items,
            grades,
            links,
            url,
            partial(pairwise, key),
            clock,
            new_id,
            leeway_s=bridge.clock_skew_s,
        ),
        members=MemberService(
            items, links, roster, catalogue, key, url, outcome_url, clock, new_id
        ),
        outcomes=OutcomeService(
            outcome_url,
            key,
            catalogue.consumers,
            results,
            clock,
            log.current,  # what the answer is called is what the log has about it
            BearerOutcomes(tokens, grades, clock, new_id).caller,
            bridge.formerly(OUTCOMES_PATH),
        ),
    )


def _token_service(
    bridge: BridgeTable,
    store: Store,
    tokens: AccessTokens,
    send: Send,
    clock: Callable[[], datetime],
) -> TokenService:
    return TokenService(
        bridge.public_url + TOKEN_PATH,
        bridge.issuer,
        tokens,
        KeySets(lambda url: send("GET", url), clock),
        partial(_use_once, store),
        clock,
        leeway_s=bridge.clock_skew_s,
        former=(bridge.public_url, *bridge.formerly(), *bridge.formerly(TOKEN_PATH)),
    )


def _use_once(store: Store, once: Once) -> bool:
    with store.transaction() as tx:
        return tx.use_once(once)
