"""SIGKILL at every marked point: nothing acknowledged is lost, no result comes twice.

The node dies once, at the point given, in the daemon or in a worker; if the daemon died it is
started again. The sender repeats what was not acknowledged, as every sender does.
"""

import importlib
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import pytest

from tests.crash.killing import check_killed_once, marked

POINTS = [
    "pacs_ai.flow.receive:scan_instance:before",
    "pacs_ai.store.spool:Spool.keep:before",
    "pacs_ai.store.spool:Spool.keep:after",
    "pacs_ai.flow.receive:adopt:after",
    "pacs_ai.store.studies:close:after",
    "pacs_ai.store.completeness:close:after",
    "pacs_ai.flow.complete:close:after",
    "pacs_ai.store.jobs:create:after",
    "pacs_ai.store.tasks:claim:after",
    "pacs_ai.store.jobs:claim:after",
    "pacs_ai.analysis.study:predict_study:after",
    "pacs_ai.store.spool:Spool.write_result:after",
    "pacs_ai.flow.analyse:analyse_study:after",
    "pacs_ai.store.spool:Spool.flush:after",
    "pacs_ai.store.jobs:succeed:after",
    "pacs_ai.flow.analyse:_finish:after",
    "pacs_ai.store.tasks:finish:before",
    "pacs_ai.store.deliveries:claim:after",
    "pacs_ai.net.scu.client:store:before",
    "pacs_ai.net.scu.client:store:after",
    "pacs_ai.flow.deliver:_send:after",
    "pacs_ai.store.commitments:ask:after",
    "pacs_ai.net.scu.client:request_commitment:before",
    "pacs_ai.net.scu.client:request_commitment:after",
    "pacs_ai.store.commitments:confirmed:after",
]

pytestmark = pytest.mark.crash


MAIN_POINTS = {
    "pacs_ai.store.spool:Spool.keep:after",
    "pacs_ai.store.jobs:claim:after",
    "pacs_ai.store.jobs:succeed:after",
    "pacs_ai.net.scu.client:store:after",
}
"""One of each step of the main path; `make thorough` has the others."""


@pytest.mark.parametrize("point", POINTS)
def test_every_point_is_there(point: str):
    """A function that was renamed would otherwise show as a node that does not die."""
    module, path, _ = point.split(":")
    assert callable(attrgetter(path)(importlib.import_module(module)))


@pytest.mark.parametrize("point", marked(POINTS, MAIN_POINTS, pytest.mark.thorough))
def test_killed_once_and_nothing_is_lost(point: str, tmp_path: Path, free_port: Callable[[], int]):
    check_killed_once(point, tmp_path, free_port)
