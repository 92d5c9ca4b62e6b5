"""The node of the unit tests, for tests that let it meet real archives."""

from tests.unit.conftest import clock, context, make_context, open_database

__all__ = ["clock", "context", "make_context", "open_database"]
