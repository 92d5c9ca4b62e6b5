"""The steps of a study: one module for each; docs/architecture.md has their order."""
