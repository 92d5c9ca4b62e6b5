"""Evidence of a study: one archive that states what was made of what, and can make it again."""
