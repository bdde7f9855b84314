"""The journal: what became of every click, message and grade, hop by hop, for a time."""
