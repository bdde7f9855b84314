"""Whether everything that the bridge depends on works now."""
