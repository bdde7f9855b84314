"""Putting the bridge together as LTI platform: its services, and the answers of tools."""

from __future__ import annotations

from functools import partial

from lti_bridge import __version__, log
from lti_bridge.assembly.basics import Basics
from lti_bridge.assembly.catalogue import Catalogue
from lti_bridge.core.course.rosters import Roster
from lti_bridge.core.grade.results import Results
from lti_bridge.core.launch.identity import pairwise
from lti_bridge.core.launch.message import Once
from lti_bridge.core.tool.line_items import ToolGrades
from lti_bridge.core.tool.links import ToolLinks
from lti_bridge.lti.keysets import KeySets
from lti_bridge.platform.access_tokens import AccessTokens, FindKeys, TokenService
from lti_bridge.platform.authorize import Authorizing
from lti_bridge.platform.deep_linking import ToolAnswers
from lti_bridge.platform.grade_services import GradeServices
from lti_bridge.platform.members import MemberService
from lti_bridge.platform.outcomes import OutcomeService
from lti_bridge.platform.outcomes13 import BearerOutcomes
from lti_bridge.platform.registration import ToolRegistering
from lti_bridge.platform.routes13 import JWKS_PATH
from lti_bridge.platform.routes_deep_linking import DEEP_LINK_PATH
from lti_bridge.platform.routes_outcomes import OUTCOMES_PATH
from lti_bridge.platform.routes_services import TOKEN_PATH, Services
from lti_bridge.store.line_items13 import LineItems13
from lti_bridge.store.registrations import RegistrationStore
from lti_bridge.store.tools import ToolStore
from lti_bridge.store.tools13 import Tools13


def build_services(
    basics: Basics, catalogue: Catalogue, results: Results, roster: Roster
) -> Services:
    """Every service that tools call."""
    items = LineItems13(basics.store.database)
    grades = ToolGrades(items, results, catalogue)
    links = ToolLinks(items, catalogue)
    outcome_url = basics.url + OUTCOMES_PATH
    tokens = AccessTokens(basics.keyring.secret("access-tokens"), catalogue.tool13, basics.clock)
    return Services(
        tokens=tokens,
        token=_token_service(basics, tokens),
        grades=GradeServices(
            store=items,
            grades=grades,
            links=links,
            public_url=basics.url,
            user_id=partial(pairwise, basics.key),
            clock=basics.clock,
            new_id=basics.new_id,
            leeway_s=basics.table.clock_skew_s,
        ),
        members=MemberService(
            store=items,
            links=links,
            roster=roster,
            catalogue=catalogue,
            key=basics.key,
            public_url=basics.url,
            outcome_url=outcome_url,
            clock=basics.clock,
            new_id=basics.new_id,
        ),
        outcomes=OutcomeService(
            url=outcome_url,
            key=basics.key,
            consumers=catalogue.consumers,
            results=results,
            clock=basics.clock,
            new_id=log.current,  # what the answer is called is what the log has about it
            bearer=BearerOutcomes(tokens, grades, basics.clock, basics.new_id).caller,
            former=basics.table.formerly(OUTCOMES_PATH),
        ),
    )


def build_authorizing(basics: Basics, catalogue: Catalogue) -> Authorizing:
    """Where LTI 1.3 tools come for their launches."""
    return Authorizing(
        tool=catalogue.tool13,
        take=Tools13(basics.store.database).take,
        signing=lambda: basics.keyring.signing("platform"),
        clock=basics.clock,
    )


def build_tool_answers(basics: Basics, catalogue: Catalogue, key_sets: FindKeys) -> ToolAnswers:
    """How tools' answers are believed, with the key sets that access tokens are given by."""
    table = basics.table
    return ToolAnswers(
        url=basics.url + DEEP_LINK_PATH,
        issuer=table.issuer,
        find=catalogue.tool13,
        consumers=catalogue.consumers,
        key_sets=key_sets,
        clock=basics.clock,
        leeway_s=table.clock_skew_s,
        former=table.formerly(DEEP_LINK_PATH),
        names=(basics.url, *table.formerly()),
    )


def build_tool_registering(
    basics: Basics, catalogue: Catalogue, invitations: RegistrationStore, tools: ToolStore
) -> ToolRegistering:
    """How an invited tool registers itself."""
    return ToolRegistering(
        public_url=basics.url,
        issuer=basics.table.issuer,
        version=__version__,
        paths={"token_endpoint": TOKEN_PATH, "jwks_uri": JWKS_PATH},
        keeps=invitations,
        check=catalogue.check,
        may_call=basics.client.may_call,
        add=tools.add,
        clock=basics.clock,
        new_id=basics.new_id,
    )


def _token_service(basics: Basics, tokens: AccessTokens) -> TokenService:
    table = basics.table
    return TokenService(
        url=basics.url + TOKEN_PATH,
        issuer=table.issuer,
        tokens=tokens,
        key_sets=KeySets(lambda url: basics.client.send("GET", url), basics.clock),
        use_once=partial(_use_once, basics),
        clock=basics.clock,
        leeway_s=table.clock_skew_s,
        former=(basics.url, *table.formerly(), *table.formerly(TOKEN_PATH)),
    )


def _use_once(basics: Basics, once: Once) -> bool:
    with basics.store.transaction() as tx:
        return tx.use_once(once)
