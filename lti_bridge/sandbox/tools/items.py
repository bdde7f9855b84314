"""What the pretend tools offer to choose, and how a chosen one is written in either version."""

import json
from typing import Any

CHAPTERS = {"green": "Green tea", "black": "Black tea", "mate": "Mate"}
TOP = 40


def items(base: str, chosen: list[str]) -> list[dict[str, Any]]:
    """Deep Linking 2.0 items, with a note that nobody asked for."""
    found = [
        {
            "type": "ltiResourceLink",
            "url": f"{base}/launch?chapter={name}",
            "title": CHAPTERS[name],
            "custom": {"chapter": name, "course": "$Context.title"},
            "lineItem": {"scoreMaximum": TOP, "resourceId": f"r-{name}", "tag": "tea"},
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
            "lineItem": {
                "@type": "LineItem",
                "scoreConstraints": {"@type": "NumericLimits", "totalMaximum": TOP},
                "assignedActivity": {"activityId": f"r-{name}"},
            },
        }
        for name in chosen
    ]
    graph.append({"@type": "FileItem", "url": "https://tool.example.org/file.pdf"})
    return json.dumps(
        {"@context": "http://purl.imsglobal.org/ctx/lti/v1/ContentItem", "@graph": graph}
    )
