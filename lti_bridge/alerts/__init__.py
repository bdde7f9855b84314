"""Telling whoever runs the bridge what is wrong, by mail, web hook and log: once, and the end."""
