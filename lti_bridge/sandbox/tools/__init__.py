"""Pretend LTI tools, and what the pretend providers share with them."""
