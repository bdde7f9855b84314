"""The wire both doors share: OAuth 1.0a, JWT, OIDC, claims, roles, outcomes, AGS; no I/O."""
