"""The node of the unit tests, for tests that let it meet real archives."""

from tests.unit.conftest import clock, context, make_context, open_database
from tests.unit.flow.conftest import ct, send

__all__ = ["clock", "context", "ct", "make_context", "open_database", "send"]
