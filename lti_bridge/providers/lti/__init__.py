"""Kind `lti`: any LTI tool as a provider, with free custom parameters."""

from lti_bridge.providers.lti.kind import KIND

__all__ = ["KIND"]
