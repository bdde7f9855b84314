"""A pretend LMS and pretend providers that speak the real protocols over HTTP."""
