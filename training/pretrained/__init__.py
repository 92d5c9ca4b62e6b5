"""Weights that others have learned: which are known, and the folder that has them."""
