"""What a report calls a location is one: the peak of a finding's heat map, and nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from highdicom.sr import MeasurementReport
from pydicom.dataset import Dataset
from pydicom.uid import (
    EnhancedCTImageStorage,
    VLMicroscopicImageStorage,
    VLWholeSlideMicroscopyImageStorage,
)

from pacs_ai.domain import ImagePrediction, ResultKind, StudyPrediction
from pacs_ai.model.reservations import reservations_of
from pacs_ai.results.build import BuiltResult, build_results
from pacs_ai.results.common.codes import IMAGE_REGION, LABEL_POSITION
from tests.unit.results.conftest import Images
from tests.unit.results.samples import (
    CONTEXT,
    FOURTEEN_CLASSES,
    LESION,
    NO_FINDING,
    blob,
    ct_slice,
    grey,
    image,
    model,
    save,
    study,
)
from tests.unit.results.sr.report_content import walk


def report(prediction: StudyPrediction) -> Dataset:
    [made] = build_results(prediction, [ResultKind.REPORT], CONTEXT, grey)
    assert isinstance(made, BuiltResult)
    return made.dataset


Place = tuple[str, str, tuple[float, ...]]


def groups(item: Dataset) -> list[Dataset]:
    below = list(item.get("ContentSequence") or [])
    own = [one for one in below if one.ValueType == "CONTAINER" and code(one) == "125007"]
    return own + [group for one in below for group in groups(one)]


def code(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def places(item: Dataset) -> list[Place]:
    """Purpose, relationship and coordinates of the points directly below an item."""
    return [
        (code(one), str(one.RelationshipType), tuple(one.GraphicData))
        for one in item.get("ContentSequence") or []
        if one.ValueType == "SCOORD"
    ]


def inferred(group: Dataset) -> list[Place]:
    [number] = [one for one in group.ContentSequence if one.ValueType == "NUM"]
    return places(number)


def check(made: Dataset, peaks: list[tuple[float, float] | None]) -> None:
    """Compare what each number is inferred from with the peaks; its label is something else."""
    found = groups(made)
    assert len(found) == len(peaks)
    for group, peak in zip(found, peaks, strict=True):
        [(purpose, how, _)] = places(group)
        assert (purpose, how) == (LABEL_POSITION.value, "CONTAINS")
        assert inferred(group) == (
            []
            if peak is None
            else [(IMAGE_REGION.value, "INFERRED FROM", pytest.approx(peak, abs=0.01))]
        )


@pytest.mark.parametrize(("x", "y"), [(0.45, 0.35), (0.9, 0.35), (0.45, 0.96), (0.03, 0.07)])
def test_a_finding_lies_where_its_map_is_strongest(tmp_path: Path, x: float, y: float) -> None:
    """Also where the label cannot stand there: too far right, too low, or in the list's way."""
    heat = blob(x, y)
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    peak = ((column + 0.5) / 14 * 64, (row + 0.5) / 14 * 96)
    seen = image(save(ct_slice(), tmp_path / "1.dcm"), (0.1, 0.9), heat)
    check(report(study([seen])), [peak, None])


def test_what_is_absent_undecided_or_a_reservation_lies_nowhere(images: Images) -> None:
    check(report(study(images([0.1]))), [None, None])
    [seen] = images([0.1])
    strange = replace(seen, outlier=2.5, misfits=("other body part",))
    prediction = study([strange])
    prediction = replace(prediction, reservations=reservations_of(prediction))
    check(report(prediction), [None] * (len(prediction.reservations) + 2))


def test_a_flat_map_lies_nowhere(tmp_path: Path) -> None:
    flat = np.zeros((14, 14), np.float32)
    seen = image(save(ct_slice(), tmp_path / "1.dcm"), (0.1, 0.9), flat)
    check(report(study([seen])), [None, None])


def test_each_of_many_findings_lies_at_its_own_peak(tmp_path: Path) -> None:
    """Fourteen labels are a list at the margin; their findings are not."""
    spots = [(3 + n % 8, 2 + n % 11) for n in range(14)]
    maps = np.stack([blob((c + 0.5) / 14, (r + 0.5) / 14) for c, r in spots])
    chances = [0.93 - 0.06 * n for n in range(14)]
    seen = image(save(ct_slice(), tmp_path / "1.dcm"), chances)
    seen = ImagePrediction(seen.header, 1, tuple(chances), maps)
    expected = [
        ((c + 0.5) / 14 * 64, (r + 0.5) / 14 * 96) if p >= 0.5 else None
        for (c, r), p in zip(spots, chances, strict=True)
    ]
    check(report(study([seen], model(FOURTEEN_CLASSES, "sigmoid"))), expected)


def test_undetermined_is_pointed_at(images: Images) -> None:
    unsure = replace(LESION, undetermined=(0.4, 0.6))
    made = report(study(images([0.5]), model((NO_FINDING, unsure))))
    assert [len(inferred(group)) for group in groups(made)] == [1, 0]


@pytest.mark.parametrize(
    ("sop_class", "origin"),
    [
        (VLWholeSlideMicroscopyImageStorage, "FRAME"),
        (VLMicroscopicImageStorage, None),
        (EnhancedCTImageStorage, None),
    ],
)
def test_a_point_on_a_slide_lies_in_its_tile(
    tmp_path: Path, sop_class: str, origin: str | None
) -> None:
    """Else it would be counted from the corner of the whole slide (PS3.3 Section C.18.6)."""
    source = ct_slice(SOPClassUID=sop_class, NumberOfFrames=4)
    seen = image(save(source, tmp_path / "1.dcm"), (0.1, 0.9), frame=3)
    prediction = study([replace(seen, outlier=2.5)])
    prediction = replace(prediction, reservations=reservations_of(prediction))
    points = [one for one in walk(report(prediction)) if one.get("ValueType") == "SCOORD"]
    assert len(points) == 1 + len(prediction.reservations) + 2  # a peak, and a label each
    assert {one.get("PixelOriginInterpretation") for one in points} == {origin}


def test_highdicom_reads_the_report(tmp_path: Path) -> None:
    seen = image(save(ct_slice(), tmp_path / "1.dcm"), (0.1, 0.9), blob(0.9, 0.3))
    written = tmp_path / "report.dcm"
    report(study([seen])).save_as(written, enforce_file_format=True)
    read = MeasurementReport.from_sequence([pydicom.dcmread(written)])
    assert [len(one.get_measurements()) for one in read.get_image_measurement_groups()] == [1, 1]
    assert read.get_planar_roi_measurement_groups() == []
