"""The folder of a run, what its results were made from, and its disk."""
