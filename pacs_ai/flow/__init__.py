"""The steps of a study: one module for each, in the order of docs/architecture.md."""
