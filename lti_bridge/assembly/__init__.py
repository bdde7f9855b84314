"""Puts everything together: settings become a store, doors, an app and a worker."""
