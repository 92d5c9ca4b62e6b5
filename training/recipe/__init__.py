"""Recipes: their sections and keys, how they are read and written, and those that are shipped."""
