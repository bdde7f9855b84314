"""Persistence: one code for SQLite and PostgreSQL."""
