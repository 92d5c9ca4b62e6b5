"""Results are stored one after the other; what cannot be finished leaves nothing behind."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from pacs_ai.config import Rule
from pacs_ai.domain import ResultKind, StudyPrediction
from pacs_ai.errors import ConfigError, NoSpace, NotDicom, UnsupportedPixels
from pacs_ai.flow import encode as encode_module
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.encode import encode
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.results.build import Built
from pacs_ai.store.schema import Job
from pacs_ai.store.spool import Spool
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
    encoded = encode(context, job, prediction, STACK)
    assert [(one.kind, one.number, one.fresh) for one in encoded.made] == [
        (ResultKind.STACK, number, True) for number in (1, 2, 3)
    ]
    assert encoded.failed == {}
    assert len(stored(context)) == 3


def test_a_stack_that_breaks_off_leaves_nothing_behind(
    context: FlowContext, prediction: StudyPrediction, job: Job
) -> None:
    prediction.images[-1].header.path.write_bytes(b"no longer DICOM")
    encoded = encode(context, job, prediction, STACK)
    assert encoded.made == []
    assert [type(error) for error in encoded.failed.values()] == [NotDicom]
    assert stored(context) == []


EVERYTHING = [Rule(name="all", model="demo", results=tuple(ResultKind))]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        *((kind, Exception("Doe^Jane")) for kind in ResultKind),
        (ResultKind.HL7, KeyError("Doe^Jane")),
        (ResultKind.HL7, UnsupportedPixels("no")),
        (ResultKind.HL7, ConfigError("no font")),
    ],
)
def test_a_kind_that_cannot_be_made_costs_only_itself(
    kind: ResultKind,
    error: Exception,
    context: FlowContext,
    prediction: StudyPrediction,
    job: Job,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> Iterator[Built]:
        raise error
        yield

    def make(*args: Any) -> Iterator[Built]:
        return broken() if args[1] == [kind] else whole(*args)

    whole = encode_module.make
    monkeypatch.setattr(encode_module, "make", make)
    encoded = encode(context, job, prediction, EVERYTHING)
    assert {one.kind for one in encoded.made} == set(ResultKind) - {kind}
    assert list(encoded.failed) == [kind]
    assert encoded.remark.startswith(f"{kind} not made: ")
    assert "Doe" not in encoded.remark


def test_a_region_on_a_class_that_the_library_does_not_know(
    context: FlowContext, tmp_path: Path, job: Job
) -> None:
    path = save(ct_slice(1, SOPClassUID="1.3.6.1.4.1.9999.1"), tmp_path / "private.dcm")
    encoded = encode(context, job, study([image(path, (0.1, 0.9))]), EVERYTHING)
    assert {one.kind for one in encoded.made} == set(ResultKind) - {ResultKind.REGION}
    assert encoded.code == "INVALID_RESULT"
    assert encoded.remark == "region not made: the region cannot be built (KeyError)"


def test_a_full_disk_is_no_fault_of_a_result(
    context: FlowContext, prediction: StudyPrediction, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = Spool.write_result

    def full(spool: Spool, content: bytes, suffix: str) -> str:
        if len(written) == 2:
            raise NoSpace("the disk is full")
        written.append(write(spool, content, suffix))
        return written[-1]

    monkeypatch.setattr(Spool, "write_result", full)
    with pytest.raises(NoSpace):
        encode(context, job, prediction, EVERYTHING)
    assert stored(context) == []
