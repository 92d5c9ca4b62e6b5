"""Engines wake workers; the rows of the store say what there is to do."""
