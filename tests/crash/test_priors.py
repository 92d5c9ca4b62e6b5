"""SIGKILL at every marked point of a comparison: it is made all the same, and once."""

import importlib
from operator import attrgetter
from pathlib import Path

import pytest

from pacs_ai.results.sr.report_text import readable
from tests.crash.killing import HOOK, gone, marked, restarted_if_dead
from tests.integration.test_priors import compared, image, report_of, site

POINTS = [
    "pacs_ai.store.prior_searches:ask:after",
    "pacs_ai.flow.priors.search:earlier_at:before",
    "pacs_ai.flow.priors.search:earlier_at:after",
    "pacs_ai.store.prior_searches:found:after",
    "pacs_ai.store.pulls:enter:after",
    "pacs_ai.flow.priors.search:_enter:after",
    "pacs_ai.store.prior_searches:routed:after",
    "pacs_ai.flow.route:route_as_prior:after",
    "pacs_ai.store.prior_searches:end_those_that_are_over:after",
    "pacs_ai.flow.priors.wait:wake_those_with_priors:after",
    "pacs_ai.store.priors:keep_examination:after",
    "pacs_ai.store.priors:keep_comparison:after",
]

QUICK = {"pacs_ai.flow.priors.search:_enter:after", "pacs_ai.store.prior_searches:routed:after"}

pytestmark = pytest.mark.crash


@pytest.mark.parametrize("point", POINTS)
def test_every_point_is_there(point: str):
    module, path, _ = point.split(":")
    assert callable(attrgetter(path)(importlib.import_module(module)))


@pytest.mark.parametrize("point", marked(POINTS, QUICK, pytest.mark.thorough))
def test_killed_once_and_compared_all_the_same(point: str, tmp_path: Path):
    flag = tmp_path / "died"
    environment = {"PYTHONPATH": f"{HOOK}", "PACS_AI_TEST_KILL": f"{point}:{flag}"}
    with site(tmp_path, 600, **environment) as (orthanc, one):
        assert one.send(image(tmp_path, "20260102", StudyTime="235959")) == [0]
        one.wait_for(lambda: restarted_if_dead(one) and flag.exists())
        one.wait_for(lambda: gone(one, flag))
        one.wait_for(lambda: restarted_if_dead(one) and compared(one))
        assert "study of 2024-03-01" in readable(report_of(orthanc)).change
        assert one.states("job") == ["SUCCEEDED", "SUCCEEDED"]
        assert one.stop() == 0
