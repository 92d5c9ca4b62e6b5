"""Results are stored one after the other; what cannot be finished leaves nothing behind."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pacs_ai.config import Rule
from pacs_ai.domain import ResultKind, StudyPrediction
from pacs_ai.errors import DataError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.encode import encode
from pacs_ai.net.handlers import StoreAnswer
from pacs_ai.store.schema import Job
from tests.unit.results.samples import ct_slice, image, save, study

STACK = [Rule(name="stack", model="demo", results=(ResultKind.STACK,))]


@pytest.fixture
def prediction(tmp_path: Path) -> StudyPrediction:
    paths = [save(ct_slice(n), tmp_path / f"{n}.dcm") for n in (1, 2, 3)]
    return study([image(path, (0.1, 0.9)) for path in paths])


@pytest.fixture
def job(send: Callable[..., StoreAnswer], ct: Dataset) -> Job:
    """A job on the study that this instance opens."""
    send(ct)
    return Job(id="job", study_id=1, revision=1, model_name="demo", created_at=datetime.now(UTC))


def stored(context: FlowContext) -> list[Path]:
    """The results in the spool."""
    return [path for path in context.spool.root.rglob("*.dcm") if "results" in path.parts]


def test_every_picture_of_a_stack_is_stored(
    context: FlowContext, prediction: StudyPrediction, job: Job
) -> None:
    made = encode(context, job, prediction, STACK)
    assert [(one.kind, one.number, one.fresh) for one in made] == [
        (ResultKind.STACK, number, True) for number in (1, 2, 3)
    ]
    assert len(stored(context)) == 3


def test_a_stack_that_breaks_off_leaves_nothing_behind(
    context: FlowContext, prediction: StudyPrediction, job: Job
) -> None:
    prediction.images[-1].header.path.write_bytes(b"no longer DICOM")
    with pytest.raises(DataError):
        encode(context, job, prediction, STACK)
    assert stored(context) == []
