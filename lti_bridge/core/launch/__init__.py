"""A verified click: its message, its variables, what is told of the learner, and the handoff."""
