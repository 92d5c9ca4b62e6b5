"""A finding that its prediction set leaves undetermined, in every result."""

from dataclasses import replace
from pathlib import Path

import pytest

from pacs_ai.domain import Decision, ResultKind, StudyPrediction
from pacs_ai.model.reservations import UNDECIDED, reservations_of
from pacs_ai.prediction_sets import PredictionSets
from pacs_ai.results.images.legend import legend_of
from pacs_ai.results.sr.read_report import read_reservations
from pacs_ai.results.sr.report_text import render_text
from tests.unit.results.conftest import Images
from tests.unit.results.documents.test_hl7_and_fhir import bundle, message, resources, segments
from tests.unit.results.samples import (
    FOURTEEN_CLASSES,
    LESION,
    NO_FINDING,
    checked,
    ct_slice,
    image,
    model,
    save,
    study,
)
from tests.unit.results.sr.report_content import decision, finding, groups, parameters

Texts = list[tuple[float, float, float, str]]
APART = PredictionSets(0.9, "findings", (0.7, 0.8), (0.2, 0.3))
SEVERAL = PredictionSets(0.9, "classes", (0.5, 0.3, 0.3))
REASON = "Lesion: neither present nor absent fits"


@pytest.fixture
def undecided(images: Images) -> StudyPrediction:
    """A study whose probability is above the threshold, and in no prediction set."""
    specs = (NO_FINDING, replace(LESION, undetermined=APART.band(1, LESION.threshold)))
    prediction = study(images([0.6]), replace(model(specs), sets=APART))
    return replace(prediction, reservations=reservations_of(prediction))


def test_the_report_says_so_with_its_code_and_why(undecided: StudyPrediction) -> None:
    [report] = checked(undecided, ResultKind.REPORT)
    why, lesion, _ = groups(report)
    assert finding(why) == UNDECIDED.meaning
    assert decision(lesion) == "Presence Undetermined"
    assert {"confidence=0.9", "undetermined=0.3..0.8"} <= set(parameters(report))
    assert read_reservations(report) == [f"undetermined at 90 % confidence: {REASON}"]
    assert "undetermined (threshold 50 %)" in render_text(report)


def test_messages_say_so(undecided: StudyPrediction) -> None:
    numbers = [obx for obx in segments(message(undecided), "OBX") if obx[2] == "NM"]
    assert [(obx[5], obx[7], obx[8]) for obx in numbers] == [
        ("60", "<30", "IND"),
        ("40", "", ""),
        ("90", "", ""),
    ]
    assert numbers[-1][3].startswith("UNDETERMINED^")
    lesion, _, why = resources(bundle(undecided), "Observation")
    assert lesion["interpretation"][0]["coding"][0]["code"] == "IND"
    assert why["note"][0]["text"] == f"undetermined at 90 % confidence: {REASON}"
    [report] = resources(bundle(undecided), "DiagnosticReport")
    assert report["conclusion"].startswith("Lesion: undetermined.")
    assert "conclusionCode" not in report


def test_page_and_picture_say_so(undecided: StudyPrediction, texts: Texts) -> None:
    checked(undecided, ResultKind.PDF)
    written = " ".join(text for *_, text in texts)
    assert "Lesion: undetermined" in written
    assert f"With reserve: undetermined at 90 % confidence: {REASON}" in written
    legend = legend_of(undecided.model, undecided.images[0], 1, undecided.coverage, painted=True)
    head, detail, *_ = [line.text for line in legend.lines]
    assert head == "Lesion: undetermined, 60.00 %"
    assert "neither present nor absent fits" in detail


@pytest.mark.parametrize(
    ("probabilities", "decisions"),
    [
        ((0.1, 0.45, 0.45), "absent undetermined undetermined"),
        ((0.45, 0.29, 0.26), "undetermined undetermined undetermined"),
        ((0.1, 0.2, 0.7), "absent absent present"),
    ],
)
def test_of_several_classes_one_has_to_remain(
    probabilities: tuple[float, ...], decisions: str, tmp_path: Path
) -> None:
    identity = replace(model(FOURTEEN_CLASSES[:3]), sets=SEVERAL)
    seen = image(save(ct_slice(), tmp_path / "1.dcm"), probabilities)
    prediction = study([seen], identity)
    assert [prediction.decision(k) for k in range(3)] == decisions.split()
    told = [one.code for one in reservations_of(prediction)]
    assert told == ([UNDECIDED] if "undetermined" in decisions else [])


def test_what_is_sure_reads_as_without_sets(images: Images) -> None:
    sure = study(images([0.9]), replace(model(), sets=APART))
    assert sure.decision(1) is Decision.PRESENT
    assert reservations_of(sure) == ()


@pytest.mark.parametrize("chances", [(0.1, 0.9), (0.5, 0.5), (0.7, 0.3)])
def test_without_sets_the_operating_point_decides(
    chances: tuple[float, ...], images: Images
) -> None:
    prediction = study(images([chances[1]]))
    assert prediction.decision(1) is LESION.decide(chances[1])
    assert reservations_of(prediction) == ()
