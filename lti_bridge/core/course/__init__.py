"""A course: its links and their activities, copies, rosters and learners."""
