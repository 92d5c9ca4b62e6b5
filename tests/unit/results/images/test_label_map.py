"""A label map says what the binary segmentation says, in the form of Supplement 243."""

from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from highdicom.seg import Segmentation
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from pacs_ai.domain import ResultKind, StudyPrediction
from pacs_ai.results.build import build_results
from pacs_ai.results.images.segmentation import build_label_map, build_seg
from tests.unit.results.conftest import Images
from tests.unit.results.samples import (
    CONTEXT,
    FOURTEEN_CLASSES,
    LESION,
    analysed,
    blob,
    checked,
    ct_slice,
    grey,
    image,
    model,
    radiograph,
    save,
    study,
)

FORM = {
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription"),
    *("SegmentationType", "SegmentsOverlap", "SegmentSequence", "PixelPaddingValue"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelData"),
    *("DimensionOrganizationSequence", "DimensionIndexSequence"),
    "PerFrameFunctionalGroupsSequence",
}
"""Attributes in which both forms differ; the frames by the number of their segment alone."""


def both(prediction: StudyPrediction) -> list[tuple[Dataset, Dataset]]:
    forms = (checked(prediction, kind) for kind in (ResultKind.SEG, ResultKind.LABEL_MAP))
    return list(zip(*forms, strict=True))


def read(made: Dataset) -> Dataset:
    """Read an object as another program does, from its file."""
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, made, enforce_file_format=True)
    return pydicom.dcmread(BytesIO(buffer.getvalue()))


def pixels(made: Dataset) -> npt.NDArray[np.uint8]:
    return read(made).pixel_array.reshape(made.NumberOfFrames, made.Rows, made.Columns)


def frames(made: Dataset) -> list[tuple[object, ...]]:
    """Where each frame lies and what it was derived from."""
    groups = made.PerFrameFunctionalGroupsSequence
    return [(one.PlanePositionSequence, one.DerivationImageSequence) for one in groups]


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(16, 41), st.integers(16, 41)),
    places=st.lists(st.tuples(*[st.floats(0.1, 0.9)] * 2), min_size=1, max_size=3),
    placed=st.booleans(),
)
def test_both_forms_have_the_same_masks(
    size: tuple[int, int],
    places: list[tuple[float, float]],
    placed: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("sources")
    rows, columns = size
    shape = {"Rows": rows, "Columns": columns, "PixelData": bytes(2 * rows * columns + rows % 2)}
    make = ct_slice if placed else radiograph
    seen = [
        image(save(make(n, **shape), folder / f"{n}.dcm"), (0.1, 0.9), blob(x, y))
        for n, (x, y) in enumerate(places, start=1)
    ]
    made = both(study(seen))
    assert sum(binary.NumberOfFrames for binary, _ in made) == len(places)
    for binary, labels in made:
        assert np.array_equal(pixels(binary), pixels(labels))
        assert {one.keyword for one in binary} ^ {one.keyword for one in labels} <= FORM
        for element in binary:
            if element.keyword not in FORM:
                assert labels[element.tag] == element, element.keyword
        assert labels.SegmentSequence[:1] == binary.SegmentSequence
        assert frames(labels) == frames(binary)


def test_another_reader_finds_the_segment_and_its_finding(images: Images) -> None:
    [(binary, labels)] = both(study(images([0.9, 0.8])))
    readers = [Segmentation.from_dataset(read(one)) for one in (binary, labels)]
    uids = [uid for _, _, uid in readers[0].get_source_image_uids()]
    masks = [one.get_pixels_by_source_instance(uids, [1])[..., 0] for one in readers]
    assert masks[0].any()
    assert np.array_equal(*masks)
    [number] = readers[1].get_segment_numbers(tracking_uid=binary.SegmentSequence[0].TrackingUID)
    assert number == 1


def test_each_value_of_a_label_map_is_described(images: Images) -> None:
    [(_, labels)] = both(study(images([0.9])))
    assert (labels.SegmentationType, labels.SegmentsOverlap) == ("LABELMAP", "NO")
    assert {int(value) for value in np.unique(pixels(labels))} == {0, 1}
    segment, background = labels.SegmentSequence
    assert (background.SegmentNumber, segment.SegmentNumber) == (0, 1)
    assert labels.PixelPaddingValue == background.SegmentNumber
    assert background.SegmentedPropertyTypeCodeSequence[0].CodeValue == "125040"
    assert "TrackingUID" not in background
    assert all("RecommendedDisplayCIELabValue" in one for one in labels.SegmentSequence)
    named = [e for e in labels.iterall() if e.keyword == "SegmentIdentificationSequence"]
    assert named == [], "the pixels name the segment"


def test_areas_that_overlap_are_two_label_maps(tmp_path: Path) -> None:
    """One label map states one segment for a pixel (PS3.3 Section C.8.20.2.3)."""
    specs = (LESION, FOURTEEN_CLASSES[0])
    seen = [image(save(ct_slice(), tmp_path / "1.dcm"), (0.9, 0.8), blob())]
    made = both(study(seen, model(specs, "sigmoid")))
    assert len(made) == 2
    first, second = (pixels(labels) for _, labels in made)
    assert (first & second).any()
    assert len({labels.SeriesInstanceUID for _, labels in made}) == 1
    assert len({labels.SegmentSequence[0].TrackingUID for _, labels in made}) == 2


def test_a_label_map_is_the_same_each_time_and_another_object_than_the_segmentation(
    images: Images,
) -> None:
    prediction = study(images([0.9]))
    [(binary, labels)] = both(prediction)
    [again] = checked(prediction, ResultKind.LABEL_MAP)
    assert again == labels
    assert labels.SOPInstanceUID != binary.SOPInstanceUID
    assert labels.SeriesInstanceUID != binary.SeriesInstanceUID


def test_nothing_is_found_and_nothing_is_labelled(images: Images) -> None:
    for build in (build_seg, build_label_map):
        assert list(build(analysed(study(images([0.1, 0.3]))))) == []


def test_it_is_named_by_its_finding_where_the_report_refers_to_it(images: Images) -> None:
    kinds = [ResultKind.REPORT, ResultKind.LABEL_MAP]
    made = list(build_results(study(images([0.9])), kinds, CONTEXT, grey))
    assert [one.kind for one in made] == kinds[::-1]
    [item] = made[1].dataset.ContentSequence[-1].ContentSequence
    assert item.ContentSequence[0].TextValue == "Lesion / image 1"
    assert item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == made[0].sop_instance_uid
    assert item.ValueType == "COMPOSITE", "older readers do not know its class as an image"
