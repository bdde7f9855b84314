"""The pages for admins, and who may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lti_bridge.assembly.basics import Basics
from lti_bridge.assembly.journal import traces
from lti_bridge.core.staff.admins import Admins
from lti_bridge.lms import routes, routes_register
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.store.admins import AdminRows
from lti_bridge.store.alerts import open_matters
from lti_bridge.web.admin import ADMIN_PATH, AdminSources, Party

if TYPE_CHECKING:
    from lti_bridge.assembly.bridge import Bridge


def build_admins(basics: Basics) -> Admins:
    """Who may see the pages, for commands and for the pages themselves."""
    return Admins(AdminRows(basics.store.database), basics.clock, basics.new_id)


def link_to(basics: Basics, secret: str) -> str:
    """The address that a link's secret belongs into."""
    return f"{basics.url}{ADMIN_PATH}enter/{secret}"


def sources(bridge: Bridge) -> AdminSources:
    """What the pages show."""
    store, basics, url = bridge.store, bridge.basics, bridge.basics.url
    return AdminSources(
        traces=traces(bridge),
        matters=lambda: [matter for matter, _ in open_matters(store.database)],
        lmss=lambda: _lmss(bridge),
        connections=lambda: [
            Party(one.name, f"kind {one.kind}") for one in bridge.catalogue.connections()
        ],
        addresses={
            "LTI 1.3, login": url + routes.LOGIN_PATH,
            "LTI 1.3, launch, redirect and deep linking; LTI 1.1, launch": url + routes.LAUNCH_PATH,
            "LTI 1.3, public keys": url + routes.JWKS_PATH,
            "Dynamic registration, with an invitation": f"{url}{routes_register.REGISTER_PATH}/…",
            "Canvas": url + routes_register.CANVAS_PATH,
            "LTI 1.1, cartridge": url + routes_register.CARTRIDGE_PATH,
        },
        hold=store.hold_launch,
        held=store.held_launch,
        clock=basics.clock,
        new_id=basics.new_id,
    )


def _lmss(bridge: Bridge) -> list[Party]:
    found = []
    for name in sorted(bridge.lms.directory.names()):
        lms = bridge.lms.directory.get(name)
        if isinstance(lms, Registration13):
            found.append(Party(name, f"LTI 1.3, {lms.issuer}"))
        elif lms is not None:
            found.append(Party(name, "LTI 1.1"))
    return found
