"""What people who look after the bridge decide and import."""
