"""Kind `isograd`: Isograd (TOSA) tests."""

from lti_bridge.providers.isograd.kind import KIND

__all__ = ["KIND"]
