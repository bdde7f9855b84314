"""Counting what happens, for Prometheus; nothing of it is loaded where it is not configured."""
