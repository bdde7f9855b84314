"""Pages for people: student, instructor, admin."""
