"""Families of LMSs, one class each: what the pretend LMS does where real ones differ.

A setting chooses one (`LmsSettings.family`, `lti-bridge sandbox --family`). They are written from
what was seen of the LMS or read in its code and documents, and not from what a bridge expects.
"""

from collections.abc import Mapping

from lti_bridge.sandbox.lms.families.blackboard import Blackboard
from lti_bridge.sandbox.lms.families.brightspace import Brightspace
from lti_bridge.sandbox.lms.families.canvas import Canvas
from lti_bridge.sandbox.lms.families.moodle import Moodle
from lti_bridge.sandbox.lms.families.openedx import OpenEdx
from lti_bridge.sandbox.lms.families.plain import Plain
from lti_bridge.sandbox.lms.families.sakai import Sakai
from lti_bridge.sandbox.lms.families.schoology import Schoology
from lti_bridge.sandbox.lms.families.studip import StudIp

FAMILIES: Mapping[str, type[Plain]] = {
    "plain": Plain,
    "moodle": Moodle,
    "canvas": Canvas,
    "blackboard": Blackboard,
    "brightspace": Brightspace,
    "schoology": Schoology,
    "studip": StudIp,
    "sakai": Sakai,
    "openedx": OpenEdx,
}
