"""Kind `isograd`: Isograd (TOSA) tests."""

from lti_bridge.providers.isograd.kind import KIND, admin_login_url

__all__ = ["KIND", "admin_login_url"]
