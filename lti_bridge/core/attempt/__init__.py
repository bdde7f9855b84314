"""One sitting of a learner: begun once, bought once, followed to its end."""
