"""Kind `mettl`: Mercer | Mettl assessments."""

from lti_bridge.providers.mettl.kind import KIND

__all__ = ["KIND"]
