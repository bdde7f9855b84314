"""Documents that an LMS's admin gives the LMS to set the bridge up: public facts only.

The JSON document is what Canvas calls a developer key's configuration; the XML one is an
LTI 1.1 cartridge (imslticc_v1p0). Both hold addresses of the bridge, no key and no secret.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from lti_bridge.lti import ags, notices
from lti_bridge.lti.scopes import NRPS_SCOPE

SCOPES = (ags.LINE_ITEM, ags.RESULT_READ, ags.SCORE, NRPS_SCOPE)
DESCRIPTION = "Opens tests of assessment providers and brings the grades to the gradebook."
HISTORY = {
    "context_id_history": "$Context.id.history",
    "resource_link_id_history": "$ResourceLink.id.history",
}
PLACEMENTS = ("assignment_selection", "link_selection")
CARTRIDGE = """<?xml version="1.0" encoding="UTF-8"?>
<cartridge_basiclti_link xmlns="http://www.imsglobal.org/xsd/imslticc_v1p0"
    xmlns:blti="http://www.imsglobal.org/xsd/imsbasiclti_v1p0"
    xmlns:lticm="http://www.imsglobal.org/xsd/imslticm_v1p0"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="http://www.imsglobal.org/xsd/imslticc_v1p0
      http://www.imsglobal.org/xsd/lti/ltiv1p0/imslticc_v1p0.xsd
      http://www.imsglobal.org/xsd/imsbasiclti_v1p0
      http://www.imsglobal.org/xsd/lti/ltiv1p0/imsbasiclti_v1p0p1.xsd
      http://www.imsglobal.org/xsd/imslticm_v1p0
      http://www.imsglobal.org/xsd/lti/ltiv1p0/imslticm_v1p0.xsd">
  <blti:title>{title}</blti:title>
  <blti:description>{description}</blti:description>
  <blti:launch_url>{launch_url}</blti:launch_url>
  <blti:secure_launch_url>{launch_url}</blti:secure_launch_url>
  <blti:extensions platform="canvas.instructure.com">
    <lticm:property name="privacy_level">public</lticm:property>
    <lticm:property name="domain">{domain}</lticm:property>
{placements}
  </blti:extensions>
</cartridge_basiclti_link>
"""
PLACEMENT = """    <lticm:options name="{placement}">
      <lticm:property name="message_type">ContentItemSelectionRequest</lticm:property>
      <lticm:property name="url">{launch_url}</lticm:property>
    </lticm:options>"""


@dataclass(frozen=True, slots=True)
class ToolFacts:
    """What the bridge is towards LMSs: its name, and its addresses below `public_url`."""

    name: str
    public_url: str
    launch_url: str
    login_url: str
    jwks_url: str

    @property
    def domain(self) -> str:
        """Host, with the port where the address has one: Moodle compares it with the address."""
        return urlsplit(self.public_url).netloc


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is served."""

    body: bytes
    content_type: str
    etag: str


def canvas_json(tool: ToolFacts) -> Document:
    """The configuration of an LTI 1.3 tool as Canvas reads it."""
    settings: dict[str, Any] = {
        "text": tool.name,
        "placements": [
            {
                "placement": placement,
                "message_type": "LtiDeepLinkingRequest",
                "target_link_uri": tool.launch_url,
            }
            for placement in PLACEMENTS
        ],
    }
    value = {
        "title": tool.name,
        "description": DESCRIPTION,
        "target_link_uri": tool.launch_url,
        "oidc_initiation_url": tool.login_url,
        "redirect_uris": [tool.launch_url],
        "public_jwk_url": tool.jwks_url,
        "scopes": [*SCOPES, notices.SCOPE],
        "custom_fields": HISTORY,
        "extensions": [
            {
                "platform": "canvas.instructure.com",
                "domain": tool.domain,
                "tool_id": "lti-bridge",
                "privacy_level": "public",
                "settings": settings,
            }
        ],
    }
    return _document(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "application/json")


def cartridge_xml(tool: ToolFacts) -> Document:
    """The link to an LTI 1.1 tool as a cartridge; Canvas reads where links are chosen, too."""
    url = escape(tool.launch_url)
    text = CARTRIDGE.format(
        title=escape(tool.name),
        description=escape(DESCRIPTION),
        launch_url=url,
        domain=escape(tool.domain),
        placements="\n".join(PLACEMENT.format(placement=one, launch_url=url) for one in PLACEMENTS),
    )
    return _document(text, "application/xml")


def _document(text: str, content_type: str) -> Document:
    body = text.encode("utf-8", "replace")
    return Document(body, content_type, f'"{hashlib.sha256(body).hexdigest()[:16]}"')
