"""LTI Bridge: a course link opens a test at an assessment provider, and the grade comes back."""

__version__ = "0.1.0"
