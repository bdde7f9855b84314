"""Puts everything together: settings become a store, endpoints, an app and a worker."""
