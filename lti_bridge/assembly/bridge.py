"""All parts of a running bridge, for the web app, the worker and the command line."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from lti_bridge import log
from lti_bridge.assembly.basics import Basics
from lti_bridge.assembly.catalogue import Catalogue
from lti_bridge.assembly.journal import build_journal
from lti_bridge.assembly.lms import LmsParts, build_lms
from lti_bridge.assembly.platform import build_services
from lti_bridge.assembly.toolbox import Toolbox
from lti_bridge.core.attempt.callbacks import Callbacks
from lti_bridge.core.attempt.calls import Calls
from lti_bridge.core.attempt.owners import Owners
from lti_bridge.core.attempt.polls import Polling
from lti_bridge.core.course.links import settings_of
from lti_bridge.core.course.list_lanes import ListLanes
from lti_bridge.core.course.rosters import Roster
from lti_bridge.core.grade.deliveries import Passback
from lti_bridge.core.grade.marks import mark
from lti_bridge.core.grade.read_back import ReadBack
from lti_bridge.core.grade.results import Results
from lti_bridge.core.journal.journal import Journal
from lti_bridge.core.launch.identity import pairwise
from lti_bridge.core.launch.launches import Launching
from lti_bridge.core.launch.sessions import Sessions
from lti_bridge.core.observer import NOBODY, Observer
from lti_bridge.core.rates import Rates
from lti_bridge.keyring import Keyring
from lti_bridge.lms.deliver import Gradebooks
from lti_bridge.lms.notice_handlers import NoticeHandlers
from lti_bridge.lms.nrps import Memberships
from lti_bridge.lms.routes_notices import NOTICES_PATH
from lti_bridge.platform.routes_outcomes import OUTCOMES_PATH, RETURN_PATH
from lti_bridge.platform.routes_services import Services
from lti_bridge.providers.routes import HOOKS_PATH
from lti_bridge.queue import Waker, open_queue
from lti_bridge.settings import Settings
from lti_bridge.store.clock import DatabaseClock
from lti_bridge.store.notices import NoticeServices
from lti_bridge.store.purge import Keep, Purge
from lti_bridge.store.rosters import Rosters
from lti_bridge.store.store import Store
from lti_bridge.store.tools import ToolStore

if TYPE_CHECKING:
    from lti_bridge.metrics.recorder import Recorder

MARKS = "marks of grades"  # the purpose of their key
spread = random.SystemRandom().random
"""How retries of many are kept apart: a number from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """All parts of a running bridge."""

    basics: Basics
    catalogue: Catalogue
    launching: Launching
    results: Results
    owners: Owners
    polling: Polling
    callbacks: Callbacks
    passback: Passback
    readback: ReadBack
    roster: Roster
    lms: LmsParts
    notice_handlers: NoticeHandlers
    services: Services
    tool_store: ToolStore
    waker: Waker
    journal: Journal
    recorder: Recorder | None

    @property
    def settings(self) -> Settings:
        """What it was built from."""
        return self.basics.settings

    @property
    def keyring(self) -> Keyring:
        """Its keys."""
        return self.basics.keyring

    @property
    def clock(self) -> Callable[[], datetime]:
        """What tells the time, the same on all machines of this bridge."""
        return self.basics.clock

    @property
    def store(self) -> Store:
        """Its database."""
        return self.basics.store

    @property
    def purge(self) -> Purge:
        """What deletes what is older than the settings let it be."""
        table, journal = self.settings.bridge, self.settings.journal
        keep = Keep(
            launches=table.keep_launches_days,
            history=table.keep_history_days,
            answers=table.keep_answers_days,
            hops=journal.keep_days,
            most_hops=journal.max_rows if journal.keep_days else 0,
        )
        return Purge(self.store.database, keep)

    def close(self) -> None:
        """Write the journal's last hops, and close every connection of database and queue."""
        self.journal.stop()
        if isinstance(self.clock, DatabaseClock):
            self.clock.close()
        self.store.database.close()
        self.waker.close()


def build(settings: Settings, recorder: Recorder | None = None) -> Bridge:
    """Build every part; `recorder` is who counts, where this process is to.

    Raises ConfigurationError when the settings do not fit together.
    """
    basics = Basics.of(settings)
    observer = recorder or NOBODY
    journal = build_journal(basics, recorder)
    store, clock = basics.store, basics.clock
    owners = Owners(store, basics.key, clock)
    toolbox = Toolbox(basics, owners)
    tool_store = ToolStore(store.database)
    catalogue = Catalogue(settings, toolbox.tools, toolbox.hook_token, tool_store)
    waker = Waker(open_queue(settings.bridge.queue_url))
    results = Results(store, basics.new_id, waker.wake)
    polling = _polling(basics, catalogue, results, observer, journal=journal)
    lms = build_lms(basics, {activity.id: activity.title for activity in catalogue.activities()})
    gradebooks, rates = lms.gradebooks, _rates(settings)
    calls = Calls(spread, observer=observer, journal=journal)
    memberships = Memberships(
        gradebooks.registrations, gradebooks.tokens, Rosters(store.database), clock
    )
    roster = ListLanes(memberships, calls.seats)
    return Bridge(
        basics=basics,
        catalogue=catalogue,
        launching=_launching(basics, catalogue, waker, calls),
        results=results,
        owners=owners,
        polling=polling,
        callbacks=_callbacks(basics, catalogue, polling, waker),
        passback=_passback(basics, gradebooks, observer, rates, journal=journal),
        readback=ReadBack(store, gradebooks, clock, spread, rates=rates, journal=journal),
        roster=roster,
        lms=lms,
        notice_handlers=_notice_handlers(basics, gradebooks),
        services=build_services(basics, catalogue, results, roster),
        tool_store=tool_store,
        waker=waker,
        journal=journal,
        recorder=recorder,
    )


def start_log(settings: Settings) -> None:
    """Write the log as these settings say."""
    log.configure(settings.bridge.log_level, json=settings.bridge.log_format == "json")


def _launching(basics: Basics, catalogue: Catalogue, waker: Waker, calls: Calls) -> Launching:
    sessions = Sessions(
        key=basics.key,
        outcome_url=basics.url + OUTCOMES_PATH,
        return_url=basics.url + RETURN_PATH,
        hook_url=basics.url + HOOKS_PATH,
    )
    return Launching(
        store=basics.store,
        catalogue=catalogue,
        sessions=sessions,
        new_id=basics.new_id,
        public_url=basics.url,
        clock=basics.clock,
        wake=waker.wake,
        calls=calls,
    )


def _polling(
    basics: Basics, catalogue: Catalogue, results: Results, observer: Observer, *, journal: Journal
) -> Polling:
    return Polling(
        store=basics.store,
        catalogue=catalogue,
        results=results,
        clock=basics.clock,
        pairwise=partial(pairwise, basics.key),
        settings=partial(settings_of, basics.store, catalogue),
        spread=spread,
        observer=observer,
        rates=Rates({one.name: one.calls_per_minute for one in basics.settings.connection}),
        journal=journal,
    )


def _callbacks(basics: Basics, catalogue: Catalogue, polling: Polling, waker: Waker) -> Callbacks:
    return Callbacks(
        store=basics.store,
        catalogue=catalogue,
        polling=polling,
        key=basics.key,
        clock=basics.clock,
        wake=waker.wake,
    )


def _rates(settings: Settings) -> Rates:
    """How many grades and looks each LMS gets in a minute; both count as one."""
    own = {one.name: one.calls_per_minute for one in settings.lms if one.calls_per_minute}
    return Rates(own, settings.bridge.lms_calls_per_minute)


def _passback(
    basics: Basics, gradebooks: Gradebooks, observer: Observer, rates: Rates, *, journal: Journal
) -> Passback:
    return Passback(
        store=basics.store,
        gradebook=gradebooks,
        clock=basics.clock,
        spread=spread,
        keeps=partial(_keeps, *_overrides(basics.settings)),
        observer=observer,
        mark=partial(mark, basics.keyring.secret(MARKS)),
        rates=rates,
        journal=journal,
    )


def _notice_handlers(basics: Basics, gradebooks: Gradebooks) -> NoticeHandlers:
    return NoticeHandlers(
        registrations=gradebooks.registrations,
        tokens=gradebooks.tokens,
        services=NoticeServices(basics.store.database),
        base=basics.url + NOTICES_PATH,
        clock=basics.clock,
        spread=spread,
    )


def _overrides(settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """What happens to a teacher's value: by LMS, and by activity."""
    by_lms: dict[str, str] = {lms.name: lms.overrides for lms in settings.lms}
    return by_lms, {activity.id: activity.overrides for activity in settings.activity}


def _keeps(
    by_lms: Mapping[str, str], by_activity: Mapping[str, str], registration: str, activity_id: str
) -> bool:
    return (by_activity.get(activity_id) or by_lms.get(registration, "keep")) == "keep"
