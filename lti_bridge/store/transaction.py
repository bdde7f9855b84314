"""One open transaction: the steps of all aggregates, in SQL that both engines understand."""

from __future__ import annotations

from lti_bridge.store.activities import ActivitySteps
from lti_bridge.store.allowances import AllowanceSteps
from lti_bridge.store.attempts import AttemptSteps
from lti_bridge.store.copies import CopySteps
from lti_bridge.store.grades import GradeSteps
from lti_bridge.store.launches import LaunchSteps
from lti_bridge.store.learners import LearnerSteps
from lti_bridge.store.links import LinkSteps
from lti_bridge.store.once import OnceSteps
from lti_bridge.store.owners import OwnerSteps
from lti_bridge.store.purchases import PurchaseSteps
from lti_bridge.store.rosters import RosterSteps


class Steps(
    OnceSteps,
    LearnerSteps,
    LinkSteps,
    ActivitySteps,
    CopySteps,
    LaunchSteps,
    AllowanceSteps,
    AttemptSteps,
    OwnerSteps,
    PurchaseSteps,
    GradeSteps,
    RosterSteps,
):
    """The `core.store.Transaction` of one open transaction."""
