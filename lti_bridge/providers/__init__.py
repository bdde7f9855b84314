"""Providers: the contract, the registry and one folder per kind of provider."""
