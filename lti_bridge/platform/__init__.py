"""The bridge as LTI platform: launches out, and the services that tools call."""
