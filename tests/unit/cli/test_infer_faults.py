"""What goes wrong with one study costs `infer` that study alone."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from pacs_ai.analysis import study as analysis
from pacs_ai.analysis.predict import PredictedStudy, Source
from pacs_ai.model.predict import Classifier
from tests.unit.cli.conftest import Answer

PacsAi = Callable[..., Answer]
PredictStudy = Callable[[Classifier, Sequence[Source], int], PredictedStudy]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for name in ("CT_small.dcm", "MR_small.dcm"):
        path = get_testdata_file(name, download=False)
        assert isinstance(path, str)
        shutil.copy(path, folder)
    return folder


def before_ct(monkeypatch: pytest.MonkeyPatch, happens: Callable[[Path], None]) -> None:
    """Let something happen to the file of the first study after it was found."""
    real: PredictStudy = analysis.predict_study

    def predict_study(
        classifier: Classifier, sources: Sequence[Source], not_received: int
    ) -> PredictedStudy:
        if sources[0].path.name == "CT_small.dcm":
            happens(sources[0].path)
        return real(classifier, sources, not_received)

    monkeypatch.setattr(analysis, "predict_study", predict_study)


def test_a_file_that_vanishes_costs_its_study_alone(
    source: Path, pacs_ai: PacsAi, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_ct(monkeypatch, Path.unlink)
    answer = pacs_ai("infer", source, "--out", "out", "--json")
    assert answer.code == 1
    assert "1 of 2 studies failed: STORAGE" in answer.err
    ct, mr = json.loads(answer.out)
    assert (ct["fault"], ct["images"], ct["results"]) == ("STORAGE", 0, [])
    assert (mr["fault"], mr["images"]) == ("", 1)
    assert len(mr["results"]) == 2


def test_a_bug_costs_its_study_alone_and_quotes_nothing(
    source: Path, pacs_ai: PacsAi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: Path) -> None:
        int("DOE^JANE")

    before_ct(monkeypatch, fail)
    answer = pacs_ai("infer", source, "--out", "out", "--json")
    assert answer.code == 1
    ct, mr = json.loads(answer.out)
    assert ct["fault"] == "UNEXPECTED"
    assert "ValueError at " in ct["reason"]
    assert "please report it" in ct["reason"]
    assert "DOE" not in answer.out + answer.err
    assert mr["images"] == 1
    assert "1 of 2 studies failed: UNEXPECTED" in answer.err
