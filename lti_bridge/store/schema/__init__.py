"""Every table once, as the migrations leave it: what a row is, and what its columns mean.

Where nothing else is said, a column is filled in every row. Everywhere:

- times (`time`) are milliseconds since 1970 in UTC; times that are empty have not come;
- scores are two texts with exact decimals, `given` out of `maximum`, both empty for no score;
- yes and no (`flag`) are 1 and 0; columns with JSON (`json`) hold one value as text;
- `connection` is the name of a connection in the configuration, `registration` that of an LMS's
  registration; with `deployment_id`, `context_id` and `resource_link_id` it says in the LMS's own
  words where something is; `learner_id` and `link_id` are ours.

The migrations make the tables; tests/store/test_schema.py holds this and them together.
"""

from lti_bridge.store.schema import (
    admins,
    attempts,
    courses,
    grades,
    health,
    journal,
    tools,
    trust,
    watch,
)
from lti_bridge.store.schema.parts import METADATA

__all__ = [
    "METADATA",
    "admins",
    "attempts",
    "courses",
    "grades",
    "health",
    "journal",
    "tools",
    "trust",
    "watch",
]
