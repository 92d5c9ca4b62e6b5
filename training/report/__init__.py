"""HTML pages of an evaluation and of an explanation, with all pictures and styles inside."""
