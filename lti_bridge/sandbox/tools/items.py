"""What the pretend tools offer to choose, and how a chosen one is written in either version."""

import json
from typing import Any

CHAPTERS = {
    "green": "Green tea",
    "black": "Black tea",
    "mate": "Mate",
    "leaflet": "A leaflet",  # which asks for no grade
}
LABELS = {"black": "Points for black tea"}
TOP = 40


def items(base: str, chosen: list[str]) -> list[dict[str, Any]]:
    """Deep Linking 2.0 items, with a note that nobody asked for."""
    found = [
        {
            "type": "ltiResourceLink",
            "url": f"{base}/launch?chapter={name}",
            "title": CHAPTERS[name],
            "custom": {"chapter": name, "course": "$Context.title"},
            **_line_item(name),
        }
        for name in chosen
    ]
    return [*found, {"type": "https://tool.example.org/note", "text": "none of yours"}]


def items11(base: str, chosen: list[str]) -> str:
    """A Content-Item 1.0 graph."""
    graph = [
        {
            "@type": "LtiLinkItem",
            "mediaType": "application/vnd.ims.lti.v1.ltilink",
            "url": f"{base}/launch?chapter={name}",
            "title": CHAPTERS[name],
            "custom": {"chapter": name, "course": "$Context.title"},
            **_line_item11(name),
        }
        for name in chosen
    ]
    graph.append({"@type": "FileItem", "url": "https://tool.example.org/file.pdf"})
    return json.dumps(
        {"@context": "http://purl.imsglobal.org/ctx/lti/v1/ContentItem", "@graph": graph}
    )


def _line_item(name: str) -> dict[str, Any]:
    if name == "leaflet":
        return {}
    named = {"label": LABELS[name]} if name in LABELS else {}
    line = {"scoreMaximum": TOP, "resourceId": f"r-{name}", "tag": "tea", **named}
    return {"lineItem": line}


def _line_item11(name: str) -> dict[str, Any]:
    if name == "leaflet":
        return {}
    line = {
        "@type": "LineItem",
        "scoreConstraints": {"@type": "NumericLimits", "totalMaximum": TOP},
        "assignedActivity": {"activityId": f"r-{name}"},
    }
    return {"lineItem": line}
