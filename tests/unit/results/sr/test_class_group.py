"""The groups that are filled in against those that highdicom makes from the start."""

from dataclasses import replace
from pathlib import Path

import pytest
from highdicom.sr import (
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage

from pacs_ai.domain import ImagePrediction, StudyPrediction
from pacs_ai.results.common.codes import DECISIONS, PRESENCE, concept, probability_concept
from pacs_ai.results.content.report_level import (
    ReportLevel,
    Tracking,
    report_levels,
    stated_classes,
)
from pacs_ai.results.content.selection import peak
from pacs_ai.results.content.wording import stated_percent
from pacs_ai.results.sr.class_group import ClassGroup, algorithm, referenced
from pacs_ai.results.sr.image_measurements import (
    label,
    on_image,
    percentage,
    reference_of,
    spot_item,
)
from tests.unit.results.conftest import Images
from tests.unit.results.samples import (
    FOURTEEN_CLASSES,
    LESION,
    NO_FINDING,
    ct_slice,
    image,
    model,
    save,
    study,
)

POINT = (0.375, 0.25)
TRACKING = Tracking("Lesion / image 1", "1.2.3.4.5")


def by_highdicom(prediction: StudyPrediction, level: ReportLevel, index: int) -> Dataset:
    spec = prediction.model.classes[index]
    decision = level.decision(index)
    at = peak(level.anchor.saliency[index]) if level.pointed_at(index) else None
    spot = None if at is None else spot_item(*on_image(level.anchor, at))
    [group] = MeasurementsAndQualitativeEvaluations(
        TrackingIdentifier(TRACKING.uid, TRACKING.identifier),
        finding_type=concept(spec.code),
        algorithm_id=algorithm(prediction.model, spec, level.outlier),
        measurements=[
            percentage(
                probability_concept(spec, study=level.study, decision=decision),
                stated_percent(level.probabilities[index]),
                spot,
            )
        ],
        qualitative_evaluations=(
            None if decision is None else [QualitativeEvaluation(PRESENCE, DECISIONS[decision])]
        ),
        source_images=[SourceImageForMeasurementGroup(*reference_of(i)) for i in level.sources],
    )
    label(group, *on_image(level.anchor, POINT))
    return group


def compare(prediction: StudyPrediction) -> int:
    compared = 0
    for level in report_levels(prediction):
        sources = [referenced(one) for one in level.sources]
        for index in stated_classes(prediction, level):
            filled = ClassGroup(prediction.model, level, index, POINT).filled(TRACKING, sources)
            wanted = by_highdicom(prediction, level, index)
            assert filled.to_json_dict() == wanted.to_json_dict()
            compared += 1
    return compared


@pytest.mark.parametrize("lesion", [[0.9], [0.1], [0.2, 0.9, 0.4], [0.1] * 6])
def test_groups_are_those_of_highdicom(images: Images, lesion: list[float]) -> None:
    assert compare(study(images(lesion))) >= 2


@pytest.mark.parametrize("outlier", [None, 0.25, 3.0])
def test_also_with_a_distance_from_training(images: Images, outlier: float | None) -> None:
    [seen] = images([0.9])
    assert compare(study([replace(seen, outlier=outlier)])) == 2


def test_also_with_an_undetermined_class(images: Images) -> None:
    unsure = replace(LESION, undetermined=(0.4, 0.6))
    assert compare(study(images([0.5]), model((NO_FINDING, unsure)))) == 2


def frames(tmp_path: Path) -> list[ImagePrediction]:
    path = save(ct_slice(SOPClassUID=EnhancedCTImageStorage, NumberOfFrames=3), tmp_path / "1.dcm")
    return [image(path, (1 - p, p), frame=n) for n, p in ((1, 0.2), (2, 0.9), (3, 0.4))]


def test_also_for_frames(tmp_path: Path) -> None:
    assert compare(study(frames(tmp_path))) == 2


def test_also_for_fourteen_classes(tmp_path: Path) -> None:
    path = save(ct_slice(), tmp_path / "1.dcm")
    seen = image(path, [0.93 - 0.06 * n for n in range(14)])
    assert compare(study([seen], model(FOURTEEN_CLASSES, "sigmoid"))) == 14


def test_filling_in_leaves_the_pattern_as_it_was(images: Images) -> None:
    first, second = (study(images([p])) for p in (0.9, 0.8))
    assert compare(first) == compare(second) == compare(first)
