"""Results are stored one after the other; what cannot be finished leaves nothing behind."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pacs_ai.analysis.make import Outcome, make_results
from pacs_ai.config import Rule
from pacs_ai.domain import ResultKind, StudyPrediction
from pacs_ai.errors import NoSpace
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.store_results import SpoolWriter, result_context_of, wanted_results
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store.results import StoredResult
from pacs_ai.store.schema import Job
from pacs_ai.store.spool import Spool
from tests.unit.results.samples import ct_slice, image, save, study

STACK = [Rule(name="stack", model="demo", results=(ResultKind.STACK,))]
EVERYTHING = [Rule(name="all", model="demo", results=tuple(ResultKind))]


@pytest.fixture
def prediction(tmp_path: Path) -> StudyPrediction:
    paths = [save(ct_slice(n), tmp_path / f"{n}.dcm") for n in (1, 2, 3)]
    return study([image(path, (0.1, 0.9)) for path in paths])


@pytest.fixture
def job(send: Callable[..., StoreAnswer], ct: Dataset) -> Job:
    """A job on the study that this instance opens."""
    send(ct)
    return Job(id="job", study_id=1, revision=1, model_name="demo", created_at=datetime.now(UTC))


def made(
    context: FlowContext, job: Job, prediction: StudyPrediction, rules: Sequence[Rule]
) -> Outcome[StoredResult]:
    """Make what rules ask for, in the spool."""
    wanted = wanted_results(
        context.config, rules, lambda _evidence: result_context_of(context, job)
    )
    return make_results(prediction, wanted.results, wanted.context_of, SpoolWriter(context))


def stored(context: FlowContext) -> list[Path]:
    """The results in the spool."""
    return [path for path in context.spool.root.rglob("*.dcm") if "results" in path.parts]


def test_every_picture_of_a_stack_is_stored(
    context: FlowContext, prediction: StudyPrediction, job: Job
) -> None:
    outcome = made(context, job, prediction, STACK)
    assert [(one.kind, one.number, one.fresh) for one in outcome.made] == [
        (ResultKind.STACK, number, True) for number in (1, 2, 3)
    ]
    assert outcome.failed == {}
    assert len(stored(context)) == 3


def test_a_full_disk_is_no_fault_of_a_result(
    context: FlowContext, prediction: StudyPrediction, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = Spool.write_result

    def full(spool: Spool, pieces: Sequence[bytes], suffix: str, **more: str) -> str:
        if len(written) == 2:
            raise NoSpace("the disk is full")
        written.append(write(spool, pieces, suffix, **more))
        return written[-1]

    monkeypatch.setattr(Spool, "write_result", full)
    with pytest.raises(NoSpace):
        made(context, job, prediction, EVERYTHING)
    assert stored(context) == []
