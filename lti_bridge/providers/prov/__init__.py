"""Kind `prov`: examinations delivered by Prov."""

from lti_bridge.providers.prov.kind import KIND

__all__ = ["KIND"]
