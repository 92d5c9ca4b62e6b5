"""Results are made kind by kind: one that cannot be made does not stop the others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pacs_ai.analysis import make as make_module
from pacs_ai.analysis.make import make_refusals, make_results, refusal_of
from pacs_ai.analysis.predict import Source
from pacs_ai.domain import REFUSALS, ResultKind, StudyPrediction
from pacs_ai.errors import ConfigError, NoFittingSeries, NotDicom, UnsupportedPixels
from pacs_ai.results.build import Built
from tests.unit.analysis.memory import ResultMemory, context_of
from tests.unit.results.samples import ct_slice, image, model, save, study

EVERYTHING = tuple(ResultKind)
WHY = NoFittingSeries("no suitable image for MG among 1 instance (1 other modality)")


@pytest.fixture
def prediction(tmp_path: Path) -> StudyPrediction:
    paths = [save(ct_slice(n), tmp_path / f"{n}.dcm") for n in (1, 2, 3)]
    return study([image(path, (0.1, 0.9)) for path in paths])


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
    kind: ResultKind, error: Exception, prediction: StudyPrediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Iterator[Built]:
        raise error
        yield

    def build(*args: Any) -> Iterator[Built]:
        return broken() if args[1] == [kind] else whole(*args)

    whole = make_module.build_results
    monkeypatch.setattr(make_module, "build_results", build)
    writer = ResultMemory()
    outcome = make_results(prediction, EVERYTHING, context_of, writer)
    assert {one.kind for one in outcome.made} == set(ResultKind) - {kind}
    made = [one for one in writer.kept if one.kind != ResultKind.REPORT]
    report = [one for one in writer.kept if one.kind == ResultKind.REPORT]
    assert report + made == outcome.made  # the report is made last, and comes first
    assert list(outcome.failed) == [kind]
    assert outcome.remark.startswith(f"{kind} not made: ")
    assert "Doe" not in outcome.remark


def test_of_a_class_that_no_library_knows_every_kind_is_made(tmp_path: Path) -> None:
    path = save(ct_slice(1, SOPClassUID="1.3.6.1.4.1.9999.1"), tmp_path / "private.dcm")
    prediction = study([image(path, (0.1, 0.9))])
    outcome = make_results(prediction, EVERYTHING, context_of, ResultMemory())
    assert {one.kind for one in outcome.made} == set(ResultKind)
    assert outcome.failed == {}
    assert (outcome.code, outcome.remark) == ("", "")


def test_a_stack_that_breaks_off_leaves_nothing_behind(prediction: StudyPrediction) -> None:
    prediction.images[-1].header.path.write_bytes(b"no longer DICOM")
    writer = ResultMemory()
    outcome = make_results(prediction, [ResultKind.STACK], context_of, writer)
    assert outcome.made == writer.kept == []
    assert [type(error) for error in outcome.failed.values()] == [NotDicom]


def test_a_refusal_is_made_in_the_kinds_that_can_say_it(tmp_path: Path) -> None:
    sources = [Source(save(ct_slice(1), tmp_path / "1.dcm"), 1)]
    outcome = make_refusals(model(), sources, WHY, EVERYTHING, context_of, ResultMemory())
    assert {one.kind for one in outcome.made} == REFUSALS
    assert outcome.failed == {}


def test_of_files_that_cannot_be_read_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no DICOM")
    sources = [Source(tmp_path / "x", 1)]
    assert refusal_of(model(), sources, WHY) is None
    assert make_refusals(model(), sources, WHY, EVERYTHING, context_of, ResultMemory()).made == []
