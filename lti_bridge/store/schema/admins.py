"""The table of who may see the pages for admins."""

from __future__ import annotations

from lti_bridge.store.schema.parts import flag, index, key, table, text, time

ADMINS = table(
    "admins",
    "A link to the pages for admins that nobody has opened yet, or the session that it became.",
    key("id", "names it in commands"),
    text("name", "whom it was made for, in the words of whoever made it"),
    text("secret", "the digest of what its link, or its browser's cookie, holds"),
    flag("entered", "whether it is a session"),
    time("created_at"),
    time("until", "good before then"),
    index("admins_by_secret", "secret", unique=True),
    index("admins_by_end", "until"),
)
