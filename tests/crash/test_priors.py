"""SIGKILL at every marked point of a comparison: it is made all the same, and once.

Every point in a node of one process; in a whole node, with an archive of others, the main one.
"""

import importlib
import signal
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from pacs_ai.config.load import load_config
from pacs_ai.node.wiring import node_context
from pacs_ai.results.sr.report_text import readable
from pacs_ai.store.prior_tables import Comparison
from pacs_ai.store.schema import Job, Result
from tests.crash.killing import HOOK, gone, marked, restarted_if_dead
from tests.crash.one_process import Order, forking
from tests.crash.test_pulls import Perform, configured
from tests.integration.test_priors import compared, image, report_of, site
from tests.scripted_archive import ScriptedArchive, ct, scripted_archive

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
    "pacs_ai.flow.recover:wake_those_with_priors:after",
    "pacs_ai.store.waiting_jobs:wake:after",
    "pacs_ai.store.priors:keep_examination:after",
    "pacs_ai.store.priors:keep_comparison:after",
]

MAIN = "pacs_ai.flow.priors.search:_enter:after"
FURTHER = {
    "pacs_ai.store.prior_searches:ask:after",
    "pacs_ai.flow.priors.search:earlier_at:before",
    "pacs_ai.store.pulls:enter:after",
    "pacs_ai.flow.recover:wake_those_with_priors:after",
}
"""Points beside which another one shows nearly the same."""

ON_POSTGRESQL = [MAIN, "pacs_ai.store.waiting_jobs:wake:after"]

RULE = """
[[rules]]
name = "all"
model = "demo"
results = ["report"]
priors = { analyse = true, peer = "archive", wait_seconds = 600 }
"""

NEW, EARLIER, OTHER, OLDER = "1.2.1", "1.2.2", "1.2.3", "1.2.4"

pytestmark = pytest.mark.crash


@pytest.mark.parametrize("point", POINTS)
def test_every_point_is_there(point: str):
    module, path, _ = point.split(":")
    assert callable(attrgetter(path)(importlib.import_module(module)))


@pytest.fixture(scope="module")
def perform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perform]:
    with forking(tmp_path_factory.mktemp("nodes")) as ordered:
        yield ordered


@pytest.mark.parametrize("point", marked(POINTS, {*POINTS} - FURTHER, pytest.mark.thorough))
def test_killed_once_and_compared_all_the_same(
    point: str, tmp_path: Path, perform: Perform
) -> None:
    check_killed(point, tmp_path, perform)


@pytest.mark.parametrize("point", ON_POSTGRESQL)
def test_the_same_on_postgresql(
    point: str, tmp_path: Path, perform: Perform, postgres: str
) -> None:
    check_killed(point, tmp_path, perform, postgres)


def check_killed(point: str, folder: Path, perform: Perform, database: str = "") -> None:
    """Let a study come that has earlier ones, with a node that dies; look at its report."""
    archive = ScriptedArchive(
        {
            NEW: of_a_day(NEW, "20260102"),
            EARLIER: of_a_day(EARLIER, "20240301"),
            OTHER: of_a_day(OTHER, "20250301", BodyPartExamined="KNEE"),
            OLDER: of_a_day(OLDER, "20230301"),
        }
    )
    with scripted_archive(archive) as url:
        config = configured(folder, url, database, RULE)
        kill = f"{point}:{folder / 'died'}"
        order = Order(str(config), "archive", [NEW], kill=kill)
        assert perform(order) == -signal.SIGKILL
        assert perform(order) == 0
    assert archive.asked[EARLIER] in (1, 2)
    assert archive.asked.keys() == {NEW, EARLIER}, "no other study was of use"
    context = node_context(load_config(config))
    with context.database.read() as session:
        jobs = session.scalars(sa.select(Job).order_by(Job.created_at)).all()
        assert [(one.state, len(one.rules)) for one in jobs] == [("SUCCEEDED", 1), ("SUCCEEDED", 0)]
        [report] = session.scalars(sa.select(Result)).all()
        assert report.job_id == jobs[0].id
        [compared] = session.scalars(sa.select(Comparison)).all()
        assert (compared.job_id, compared.prior_job_id) == (jobs[0].id, jobs[1].id)
    said = readable(pydicom.dcmread(context.spool.path_of(report.path))).change
    assert "Compared with the study of 2024-03-01" in said
    context.database.close()


def of_a_day(study: str, day: str, **values: object) -> Dataset:
    """Make the image of a study; those of other days are other pictures."""
    image = ct(study, StudyDate=day, BodyPartExamined="CHEST", PatientBirthDate="19700102")
    for keyword, value in values.items():
        setattr(image, keyword, value)
    if study != NEW:
        image.PixelData = image.pixel_array[::-1].tobytes()
    return image


@pytest.mark.slow
def test_a_whole_node_is_killed_once_and_compares_all_the_same(tmp_path: Path) -> None:
    flag = tmp_path / "died"
    environment = {"PYTHONPATH": f"{HOOK}", "PACS_AI_TEST_KILL": f"{MAIN}:{flag}"}
    with site(tmp_path, 600, **environment) as (orthanc, one):
        assert one.send(image(tmp_path, "20260102", StudyTime="235959")) == [0]
        one.wait_for(lambda: restarted_if_dead(one) and flag.exists())
        one.wait_for(lambda: gone(one, flag))
        one.wait_for(lambda: restarted_if_dead(one) and compared(one))
        assert "study of 2024-03-01" in readable(report_of(orthanc)).change
        assert one.states("job") == ["SUCCEEDED", "SUCCEEDED"]
        assert one.stop() == 0
