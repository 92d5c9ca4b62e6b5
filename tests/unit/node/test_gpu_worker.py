"""A worker with a GPU analyses several studies at once; the GPU is a stand-in."""

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from pacs_ai.config import Rule
from pacs_ai.domain import JobId, JobState, ResultKind, TaskKind
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.ask import ask_analysis
from pacs_ai.flow.classifiers import load_classifier
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.flow.replaced_runtimes import replaced_runtimes
from pacs_ai.flow.route import route
from pacs_ai.model.batches import BatchedNetwork
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.node import worker
from pacs_ai.node.app import WORKER, App
from pacs_ai.node.worker import Worker
from pacs_ai.store import studies
from pacs_ai.store.schema import Job, Result, Study
from tests import fake_cuda
from tests.fake_cuda import FakeGpu
from tests.node import PATIENCE, wait_for
from tests.unit.flow.analysed import demo
from tests.unit.flow.conftest import arrive

STUDIES = 4
EVER = 3600.0


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    return fake_cuda.install(monkeypatch)


@pytest.fixture
def node(context: FlowContext) -> FlowContext:
    """A node with a GPU, and studies of one image each that wait for their analysis."""
    engine = context.config.engine.model_copy(
        update={"device": "cuda:0", "batch_images": STUDIES, "batch_wait_ms": 0}
    )
    rule = Rule(name="all", model="demo", results=(ResultKind.REPORT,))
    config = context.config.model_copy(update={"engine": engine, "rules": (rule,)})
    context = replace(context, config=config)
    context.spool.lock()
    arrivals = Arrivals()
    for number in range(STUDIES):
        arrive(context, arrivals, image(number), f"a{number}")
    with context.write() as transaction:
        for study in transaction.scalars(sa.select(Study)):
            studies.close(transaction, study.id, study.revision, reason="quiet")
            keys = [pair_key(one.id, one.revision) for one in transaction.scalars(sa.select(Study))]
    for key in keys:
        route(context, {"demo": demo().identity}, key)
    return context


def image(number: int) -> Dataset:
    """One slice of a study of its own, brighter than that of the study before."""
    path = get_testdata_file("CT_small.dcm")
    assert isinstance(path, str)
    dataset = pydicom.dcmread(path)
    dataset.StudyInstanceUID = f"1.2.3.{number}"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.4.{number}"
    dataset.PixelData = (dataset.pixel_array + 100 * number).astype("int16").tobytes()
    return dataset


def worker_of(node: FlowContext, classifiers: dict[str, Classifier]) -> Worker:
    return Worker(cast("App", SimpleNamespace(context=node, bundles={})), classifiers)


def loaded(node: FlowContext) -> dict[str, Classifier]:
    return {"demo": load_classifier(node.config, load_bundle("demo"), 1)}


def network(classifier: Classifier) -> Any:
    return classifier._runtime._network


def work(node: FlowContext, one: Worker) -> list[Job]:
    """Let a worker do all that waits, as `pacs_ai.node.worker.work` does; return the jobs."""
    stop = threading.Event()

    def run() -> None:
        node.engine.run(one.perform, WORKER.kinds, stop)

    threads = [threading.Thread(target=run) for _ in range(one.studies)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: not open_jobs(node))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    with node.database.read() as session:
        return list(session.scalars(sa.select(Job).order_by(Job.created_at)))


def open_jobs(node: FlowContext) -> list[str]:
    with node.database.read() as session:
        states = list(session.scalars(sa.select(Job.state)))
    return [state for state in states if state in (JobState.QUEUED, JobState.RUNNING)]


def reports(node: FlowContext) -> list[str]:
    with node.database.read() as session:
        rows = session.scalars(sa.select(Result).where(Result.kind == "report")).all()
    return [str(pydicom.dcmread(node.spool.path_of(row.path))) for row in rows]


def test_images_of_different_studies_meet_in_one_batch(node: FlowContext, gpu: FakeGpu) -> None:
    """Here a batch is computed only when it is full: a study alone would not end."""
    classifiers = loaded(node)
    assert isinstance(network(classifiers["demo"]), BatchedNetwork)
    network(classifiers["demo"]).wait_seconds = EVER
    before = len(gpu.batches)
    jobs = work(node, worker_of(node, classifiers))
    assert gpu.batches[before:] == [STUDIES]
    assert [(job.state, job.attempt) for job in jobs] == [(JobState.SUCCEEDED, 1)] * STUDIES
    assert all("CUDA" in report for report in reports(node))
    assert list(replaced_runtimes(node.spool)) == []


def test_each_study_gets_what_it_gets_alone_on_the_processor(
    node: FlowContext, gpu: FakeGpu
) -> None:
    jobs = work(node, worker_of(node, loaded(node)))
    assert gpu.batches
    together = {job.study_id: job.summary for job in jobs}
    with node.write() as transaction:
        for job in transaction.scalars(sa.select(Job)):
            job.state = JobState.QUEUED
            ask_analysis(node, transaction, JobId(job.id))
    alone = {job.study_id: job.summary for job in work(node, worker_of(node, {"demo": demo()}))}
    assert together == alone
    assert len(set(alone.values())) > 1


def test_a_gpu_that_fails_at_work_costs_no_study(node: FlowContext, gpu: FakeGpu) -> None:
    classifiers = loaded(node)
    gpu.works = len(gpu.batches)
    jobs = work(node, worker_of(node, classifiers))
    assert [(job.state, job.attempt) for job in jobs] == [(JobState.SUCCEEDED, 1)] * STUDIES
    found = reports(node)
    assert len(found) == STUDIES
    assert all("CPU, fp32" in report and "CUDA" not in report for report in found)
    [one] = replaced_runtimes(node.spool)
    assert (one.node, one.process, one.model, one.error) == ("node", "1", "demo", "DEVICE_FAILED")
    assert "CUDA failure 700" in one.text


def test_a_gpu_that_lacks_memory_at_work_goes_on_with_smaller_batches(
    node: FlowContext, gpu: FakeGpu
) -> None:
    classifiers = loaded(node)
    gpu.holds = STUDIES // 2
    one = worker_of(node, classifiers)
    assert [job.state for job in work(node, one)] == [JobState.SUCCEEDED] * STUDIES
    assert gpu.batches[-1] == STUDIES // 2
    assert all("CUDA" in report for report in reports(node))
    [replaced] = replaced_runtimes(node.spool)
    assert f"{STUDIES // 2} images at a time" in replaced.text


def test_a_job_that_a_worker_was_lost_with_runs_alone(
    node: FlowContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = worker_of(node, {"demo": demo()})
    with node.write() as transaction:
        suspect, *others = transaction.scalars(sa.select(Job)).all()
        suspect.worker_crashes = 1
        names = [job.id for job in others]
        bad = suspect.id
    begun, go_on = threading.Semaphore(0), threading.Event()
    working: list[str] = []
    beside: dict[str, int] = {}

    def analysed(_context: FlowContext, _models: Any, job: str, _changed: Any) -> None:
        working.append(job)
        begun.release()
        if job != bad:
            go_on.wait()
        beside[job] = len(working)
        working.remove(job)

    def start(job: str) -> threading.Thread:
        thread = threading.Thread(target=one.perform, args=(TaskKind.ANALYSE, job), daemon=True)
        thread.start()
        return thread

    monkeypatch.setattr(worker, "analyse", analysed)
    threads = [start(job) for job in names]
    for _ in names:
        assert begun.acquire(timeout=PATIENCE)  # they work at the same time
    threads.append(start(bad))
    wait_for(lambda: one._shared._alone)
    assert bad not in working
    go_on.set()
    for thread in threads:
        thread.join()
    assert beside[bad] == 1
    assert sorted(beside) == sorted([*names, bad])
