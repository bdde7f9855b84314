"""Kind `itep`: iTEP language tests."""

from lti_bridge.providers.itep.kind import KIND

__all__ = ["KIND"]
