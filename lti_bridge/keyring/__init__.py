"""The keys that sign for the bridge, and the secret that everything else is derived from."""

from lti_bridge.keyring.keyring import Keyring, own, owner

__all__ = ["Keyring", "own", "owner"]
