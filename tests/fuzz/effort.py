"""How long the conversations are tried; ``PACS_AI_FUZZ_EXAMPLES`` makes the run longer."""

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("PACS_AI_FUZZ_EXAMPLES", "150"))
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
