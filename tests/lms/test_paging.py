"""Which addresses are of one server: a port may be said, or go without saying."""

from __future__ import annotations

import pytest

from lti_bridge.errors import DeliveryRefused
from lti_bridge.lms.paging import origin


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://lms.example.edu/x", ("https", "lms.example.edu", 443)),
        ("https://LMS.example.edu:443/y", ("https", "lms.example.edu", 443)),
        ("https://lms.example.edu:8443/x", ("https", "lms.example.edu", 8443)),
        ("http://lms.example.edu/x", ("http", "lms.example.edu", 80)),
        ("http://lms.example.edu:80/x", ("http", "lms.example.edu", 80)),
        ("/x", ("", "", 80)),
    ],
)
def test_scheme_host_and_port(url: str, found: tuple[str, str, int]) -> None:
    assert origin(url) == found


@pytest.mark.parametrize("url", ["https://[", "https://lms.example.edu:port/", "https://a:99999/"])
def test_what_cannot_be_read(url: str) -> None:
    with pytest.raises(DeliveryRefused):
        origin(url)
