from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import VLWholeSlideMicroscopyImageStorage

from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import StudyPrediction
from pacs_ai.results.sr.region_report import build_region
from tests.unit.results.conftest import Images
from tests.unit.results.samples import (
    CONTEXT,
    FOURTEEN_CLASSES,
    analysed,
    blob,
    ct_slice,
    image,
    model,
    save,
    study,
)
from tests.unit.results.sr.report_content import concept, groups, number


def region(prediction: StudyPrediction) -> Dataset:
    made = next(build_region(analysed(prediction)))
    assert made is not None
    assert check_dataset(made) == []
    return made


def outline(group: dict[str, Dataset]) -> list[tuple[float, float]]:
    area = group["111030"]
    assert (area.ValueType, area.GraphicType) == ("SCOORD", "POLYLINE")
    values = [float(value) for value in area.GraphicData]
    return list(zip(values[::2], values[1::2], strict=True))


def test_a_finding_gets_a_rectangle_around_its_hot_area(images: Images) -> None:
    [group] = groups(region(study(images([0.9]))))
    corners = outline(group)
    assert len(corners) == 5
    assert corners[0] == corners[-1]
    (left, top), (right, bottom) = corners[0], corners[2]
    assert left < 0.45 * 64 < right
    assert top < 0.35 * 96 < bottom
    assert (right - left) * (bottom - top) < 0.25 * 64 * 96
    assert group["112039"].TextValue == "Lesion / image 1"
    assert group["121071"].ConceptCodeSequence[0].CodeMeaning == "Lesion"
    assert float(number(group).MeasuredValueSequence[0].NumericValue) == 90
    assert (
        number(group).ConceptNameCodeSequence[0].CodeMeaning == "Lesion probability of whole image"
    )


def test_only_what_is_present_gets_one_on_the_images_that_show_it(images: Images) -> None:
    prediction = study(images([0.9, 0.1, 0.7]))
    made = region(prediction)
    names = [str(group["112039"].TextValue) for group in groups(made)]
    assert names == ["Lesion / image 1", "Lesion / image 3"]
    listed = made.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert len(listed.ReferencedSOPSequence) == 3


def test_a_rectangle_on_a_slide_lies_in_its_tile(tmp_path: Path) -> None:
    """Else it would be counted from the corner of the whole slide (PS3.3 Section C.18.6)."""
    slide = ct_slice(SOPClassUID=VLWholeSlideMicroscopyImageStorage, NumberOfFrames=4)
    seen = [image(save(slide, tmp_path / "1.dcm"), (0.1, 0.9), frame=3)]
    [group] = groups(region(study(seen)))
    area = group["111030"]
    assert area.PixelOriginInterpretation == "FRAME"
    [reference] = area.ContentSequence[0].ReferencedSOPSequence
    assert reference.ReferencedFrameNumber == 3
    assert reference.ReferencedSOPClassUID == VLWholeSlideMicroscopyImageStorage


def test_two_hot_areas_are_two_regions(images: Images) -> None:
    [found] = images([0.9])
    both = np.maximum(blob(0.2, 0.2), 0.9 * blob(0.8, 0.8))
    prediction = study([replace(found, saliency=np.stack([both, both]))])
    made = groups(region(prediction))
    assert [str(group["112039"].TextValue) for group in made] == [
        "Lesion / image 1, region 1",
        "Lesion / image 1, region 2",
    ]
    (first, _), (second, _) = (outline(group)[0] for group in made)
    assert first < second
    assert len({group["112040"].UID for group in made}) == 2


def test_classes_in_one_place_share_a_rectangle(tmp_path: Path) -> None:
    """A viewer would print the numbers of two rectangles in one place over each other."""
    chances = [0.8, 0.9, 0.7, *[0.1] * 11]
    seen = image(save(ct_slice(), tmp_path / "1.dcm"), chances)
    elsewhere = blob(0.8, 0.8)
    maps = np.stack([blob(), 0.9 * blob(0.46, 0.36), elsewhere, *[elsewhere] * 11])
    prediction = study([replace(seen, saliency=maps)], model(FOURTEEN_CLASSES, "sigmoid"))
    first, second = groups(region(prediction))
    assert str(first["112039"].TextValue) == "Sign 1, Sign 0 / image 1"
    assert str(second["112039"].TextValue) == "Sign 2 / image 1"
    assert first["121071"].ConceptCodeSequence[0].CodeMeaning == "Sign 1"
    assert [
        (code, float(item.MeasuredValueSequence[0].NumericValue))
        for group in (first, second)
        for code, item in group.items()
        if item.ValueType == "NUM"
    ] == [("I_SIGN1", 90), ("I_SIGN0", 80), ("I_SIGN2", 70)]


@pytest.mark.parametrize(("lesion", "heat"), [(0.1, 1), (0.9, 0)], ids=["negative", "flat map"])
def test_without_anything_to_point_at_there_is_none(
    images: Images, lesion: float, heat: int
) -> None:
    [found] = images([lesion])
    prediction = study([replace(found, saliency=found.saliency * heat)])
    assert list(build_region(analysed(prediction))) == []


def test_it_lies_in_a_series_of_its_own_and_is_the_same_the_next_time(images: Images) -> None:
    prediction = study(images([0.9]))
    once, again = region(prediction), region(prediction)
    assert once.SOPInstanceUID == again.SOPInstanceUID
    assert once.SeriesNumber == CONTEXT.series_number_base + 2
    assert [concept(item) for item in once.ContentSequence][-1] == "126010"
