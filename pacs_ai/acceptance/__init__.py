"""The acceptance test of a model on local cases, before it goes live. No database, no network."""
