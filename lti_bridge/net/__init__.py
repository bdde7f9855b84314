"""The only way out over HTTP: bounded in time and size, and closed to private networks."""

from lti_bridge.net.client import Client, Response, Send

__all__ = ["Client", "Response", "Send"]
