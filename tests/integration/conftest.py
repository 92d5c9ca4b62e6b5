"""The node of the unit tests, for tests that let it meet real archives."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pixelmed import standing_java
from tests.unit.conftest import clock, context, make_context, open_database
from tests.unit.flow.conftest import ct, send

__all__ = ["clock", "context", "ct", "make_context", "open_database", "send"]


@pytest.fixture(scope="session")
def pixelmed(tool: Callable[[str], Path]) -> Iterator[Path]:
    """A ``java`` that validates reports at once."""
    with standing_java(tool) as program:
        yield program
