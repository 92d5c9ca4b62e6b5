"""The folder of a run, and how files get there."""
