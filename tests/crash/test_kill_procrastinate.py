"""SIGKILL where the tasks are jobs of Procrastinate, in PostgreSQL."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.killing import check_killed_once
from tests.databases import emptied

pytestmark = pytest.mark.crash

MAIN_POINTS = [
    "pacs_ai.store.procrastinate_jobs:claim:after",
    "pacs_ai.store.procrastinate_jobs:finish:before",
]
OTHER_POINTS = [
    "pacs_ai.store.procrastinate_jobs:enqueue:before",
    "pacs_ai.store.procrastinate_jobs:enqueue:after",
    "pacs_ai.store.procrastinate_jobs:finish:after",
    "pacs_ai.store.jobs:claim:after",
    "pacs_ai.flow.deliver:_send:after",
]


@pytest.mark.slow
@pytest.mark.parametrize("point", MAIN_POINTS)
def test_killed_once_and_nothing_is_lost(
    point: str, tmp_path: Path, free_port: Callable[[], int], postgres: str
) -> None:
    emptied(postgres).close()
    storage = f'min_free_gb = 0\ndatabase = "{postgres}"'
    check_killed_once(point, tmp_path, free_port, engine='kind = "procrastinate"', storage=storage)


@pytest.mark.thorough
@pytest.mark.parametrize("point", OTHER_POINTS)
def test_killed_elsewhere_and_nothing_is_lost(
    point: str, tmp_path: Path, free_port: Callable[[], int], postgres: str
) -> None:
    test_killed_once_and_nothing_is_lost(point, tmp_path, free_port, postgres)
