"""From files to results in memory, with a real model."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from pacs_ai.analysis.predict import Source
from pacs_ai.analysis.study import Analysis, Wanted, analyse_study
from pacs_ai.domain import ResultKind
from pacs_ai.errors import StorageError
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.phantom import write_phantom_study
from pacs_ai.results.build import Built
from tests.unit.analysis.memory import ResultMemory, context_of
from tests.unit.results.failing_kinds import fail_to_make
from tests.unit.results.samples import ct_slice, save

BOTH = (ResultKind.REPORT, ResultKind.CAPTURE)


@pytest.fixture(scope="module")
def demo() -> Classifier:
    return Classifier.load(load_bundle("demo"))


@pytest.fixture
def sources(tmp_path: Path) -> list[Source]:
    files = write_phantom_study(tmp_path, "MR", 1, lesion=True, slices=12).files
    return [Source(path, number) for number, path in enumerate(files)]


def analysed(
    demo: Classifier,
    sources: Sequence[Source],
    writer: ResultMemory,
    results: Sequence[ResultKind] = BOTH,
    refusals: Sequence[ResultKind] = (),
) -> Analysis[Built]:
    return analyse_study(demo, sources, Wanted(results, refusals, context_of), writer)


def test_a_study_gets_what_is_wanted(demo: Classifier, sources: list[Source]) -> None:
    writer = ResultMemory()
    analysis = analysed(demo, sources, writer, refusals=BOTH)
    assert analysis.error is None
    assert analysis.images == 12
    assert analysis.summary.startswith("no finding 0.00")
    assert {one.kind for one in writer.kept} == set(BOTH)
    first, *others = analysis.results.made
    assert writer.kept == [*others, first], "the report is made last and told first"
    assert analysis.refusals.made == []


def test_a_study_that_does_not_fit_gets_the_reason(demo: Classifier, tmp_path: Path) -> None:
    source = Source(save(ct_slice(1, Modality="US"), tmp_path / "1.dcm"), 1)
    analysis = analysed(demo, [source], ResultMemory(), refusals=BOTH)
    assert analysis.error is not None
    assert analysis.error.code == "NO_FITTING_SERIES"
    assert (analysis.predicted, analysis.images, analysis.summary) == (None, 0, "")
    assert [one.kind for one in analysis.refusals.made] == [ResultKind.REPORT]


def test_a_missing_kind_is_told_in_its_place(
    demo: Classifier, sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_to_make(monkeypatch, ResultKind.REPORT)
    analysis = analysed(demo, sources, ResultMemory(), refusals=(*BOTH, ResultKind.PDF))
    assert analysis.error is None
    assert {one.kind for one in analysis.results.made} == {ResultKind.CAPTURE}
    assert [one.kind for one in analysis.refusals.made] == [ResultKind.REPORT]


def test_without_any_result_the_study_is_refused(
    demo: Classifier, sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_to_make(monkeypatch, *BOTH)
    analysis = analysed(demo, sources, ResultMemory(), refusals=BOTH)
    assert analysis.error is not None
    assert analysis.error.message == "the report cannot be built (KeyError)"
    assert analysis.images == 12
    assert [one.kind for one in analysis.refusals.made] == [ResultKind.REPORT]


def test_a_file_that_vanishes_is_no_fault_of_the_study(
    demo: Classifier, sources: list[Source]
) -> None:
    shutil.rmtree(sources[0].path.parent)
    with pytest.raises(StorageError):
        analysed(demo, sources, ResultMemory(), refusals=BOTH)
