from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pacs_ai.dicom.header import read_header
from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import StudyPrediction
from pacs_ai.results.content.hotspot import enlarge
from pacs_ai.results.images import parametric_map
from pacs_ai.results.images.parametric_map import build_map
from pacs_ai.results.images.plane import plane_of
from pacs_ai.results.images.read_picture import read_heat
from pacs_ai.results.images.segmentation import build_seg
from tests.unit.results.conftest import Images
from tests.unit.results.samples import (
    analysed,
    blob,
    ct_slice,
    image,
    radiograph,
    save,
    study,
)


def objects(build, prediction: StudyPrediction) -> Iterator[Dataset]:
    for made in build(analysed(prediction)):
        assert check_dataset(made) == []
        yield made


def maps(prediction: StudyPrediction) -> list[Dataset]:
    return list(objects(build_map, prediction))


def segmentations(prediction: StudyPrediction) -> list[Dataset]:
    return list(objects(build_seg, prediction))


def values(made: Dataset) -> np.ndarray:
    shape = made.NumberOfFrames, made.Rows, made.Columns
    return np.frombuffer(made.FloatPixelData, "<f4").reshape(shape)


def test_a_map_holds_the_numbers_of_the_overlay(images: Images) -> None:
    [made] = maps(study(images([0.9])))
    assert (made.Rows, made.Columns) == (96, 64)
    assert np.array_equal(values(made)[0], enlarge(blob(), 96, 64))
    [mapping] = made.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1, 0)
    quantity = mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0]
    assert (quantity.CodeValue, quantity.CodingSchemeDesignator) == ("130403", "DCM")


def test_a_map_lies_where_its_slices_lie(images: Images) -> None:
    [made] = maps(study(images([0.9, 0.1, 0.8])))
    assert made.FrameOfReferenceUID == "1.2.3.9"
    frames = made.PerFrameFunctionalGroupsSequence
    places = [list(frame.PlanePositionSequence[0].ImagePositionPatient) for frame in frames]
    assert places == [[-10.5, -20, 7.5], [-10.5, -20, 5], [-10.5, -20, 2.5]]
    assert [frame.FrameContentSequence[0].DimensionIndexValues for frame in frames] == [3, 2, 1]
    assert sources(made) == ["1.2.3.4.3", "1.2.3.4.2", "1.2.3.4.1"]
    [series] = made.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == "1.2.3.4"


def sources(made: Dataset) -> list[str]:
    frames = made.PerFrameFunctionalGroupsSequence
    derived = [frame.DerivationImageSequence[0].SourceImageSequence[0] for frame in frames]
    return [str(one.ReferencedSOPInstanceUID) for one in derived]


def remarks(made: Dataset) -> list[str]:
    frames = made.PerFrameFunctionalGroupsSequence
    return [frame.FrameContentSequence[0].get("FrameComments", "") for frame in frames]


def test_a_map_has_a_frame_for_each_slice_and_says_which_show_nothing(
    images: Images, tmp_path: Path
) -> None:
    """OHIF lays the frames over the volume one after the other."""
    seen = study(images([0.1, 0.9]))
    later = [read_header(save(ct_slice(n), tmp_path / f"{n}.dcm")) for n in (3, 4)]
    scout = ct_slice(5, Rows=32, PixelData=bytes(32 * 64 * 2), SeriesInstanceUID="1.2.3.4")
    other = ct_slice(6, SeriesInstanceUID="1.2.3.5")
    odd = [read_header(save(one, tmp_path / f"odd{n}.dcm")) for n, one in enumerate((scout, other))]
    prediction = replace(seen, others=(*odd, *later))
    [made] = maps(prediction)
    assert sources(made) == ["1.2.3.4.4", "1.2.3.4.3", "1.2.3.4.2", "1.2.3.4.1"]
    not_analysed, not_found = (
        "Not analysed: no heat map",
        "The class was not found here: no heat map",
    )
    assert remarks(made) == [not_analysed, not_analysed, "", not_found]
    assert [bool(frame.any()) for frame in values(made)] == [False, False, True, False]
    listed = made.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert {one.ReferencedSOPInstanceUID for one in listed} == set(sources(made))
    [alone] = maps(seen)
    assert alone.SOPInstanceUID != made.SOPInstanceUID, "another content"
    made.save_as(tmp_path / "map.dcm", enforce_file_format=True)
    shown = read_heat(tmp_path / "map.dcm")
    assert shown is not None
    assert [(one.frame, one.sop_instance_uid) for one in shown.frames] == [(3, "1.2.3.4.2")]


def test_slices_that_lie_the_other_way_round_are_laid_out_by_their_normal(images: Images) -> None:
    prediction = study(images([0.1, 0.9, 0.2], ImageOrientationPatient=[1, 0, 0, 0, -1, 0]))
    [made] = maps(prediction)
    assert sources(made) == ["1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3"]


def test_a_map_of_too_many_slices_has_frames_of_those_that_it_shows(
    images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parametric_map, "MAX_SERIES_PIXELS", 3 * 96 * 64 - 1)
    [made] = maps(study(images([0.1, 0.9, 0.2])))
    assert sources(made) == ["1.2.3.4.2"]
    assert remarks(made) == [""]


def test_a_radiograph_gets_a_plane_of_its_own(tmp_path: Path) -> None:
    paths = [
        save(radiograph(n, ImagerPixelSpacing=[0.2, 0.1]), tmp_path / f"{n}.dcm") for n in (1, 2)
    ]
    made = maps(study([image(path, (0.1, 0.9)) for path in paths]))
    assert [one.NumberOfFrames for one in made] == [1, 1]
    assert made[0].FrameOfReferenceUID != made[1].FrameOfReferenceUID
    [groups] = made[0].SharedFunctionalGroupsSequence
    assert list(groups.PixelMeasuresSequence[0].PixelSpacing) == [0.2, 0.1]
    turned = groups.PlaneOrientationSequence[0].ImageOrientationPatient
    assert list(turned) == [1, 0, 0, 0, 0, -1]  # L\F
    again = maps(study([image(path, (0.1, 0.9)) for path in paths]))
    assert [one.SOPInstanceUID for one in again] == [one.SOPInstanceUID for one in made]


@pytest.mark.parametrize("orientation", [["A", "F"], ["L", "L"], ["", ""], "X"])
def test_a_plane_is_made_whatever_the_orientation_says(orientation: object) -> None:
    source = radiograph(PatientOrientation=orientation)
    rows, columns = np.reshape(plane_of(source, 1).orientation, (2, 3))
    assert rows @ columns == 0
    assert rows @ rows == columns @ columns == 1


def test_a_negative_study_has_a_map_of_what_came_nearest_and_no_segmentation(
    images: Images,
) -> None:
    prediction = study(images([0.1, 0.3]))
    [made] = maps(prediction)
    assert [bool(frame.any()) for frame in values(made)] == [True, False]
    assert segmentations(prediction) == []


def test_a_flat_map_is_no_map(tmp_path: Path) -> None:
    path = save(ct_slice(), tmp_path / "1.dcm")
    prediction = study([image(path, (0.1, 0.9), np.ones((14, 14), np.float32))])
    assert maps(prediction) == segmentations(prediction) == []


def test_a_segmentation_covers_what_is_hot(images: Images) -> None:
    prediction = study(images([0.9, 0.8]))
    [made] = segmentations(prediction)
    bits = np.unpackbits(np.frombuffer(made.PixelData, np.uint8), bitorder="little")
    masks = bits[: 2 * 96 * 64].reshape(2, 96, 64).astype(bool)
    large = enlarge(blob(), 96, 64)
    assert np.array_equal(masks[0], large >= 0.5 * large.max())
    [segment] = made.SegmentSequence
    assert segment.SegmentAlgorithmType == "AUTOMATIC"
    assert segment.SegmentLabel == "Lesion (heat map)"
    assert made.FrameOfReferenceUID == "1.2.3.9"


def test_a_segmentation_of_a_radiograph_claims_no_place(tmp_path: Path) -> None:
    path = save(radiograph(), tmp_path / "1.dcm")
    [made] = segmentations(study([image(path, (0.1, 0.9))]))
    assert "FrameOfReferenceUID" not in made
    [shared] = made.SharedFunctionalGroupsSequence
    # OHIF reads both without asking whether they are there
    assert list(shared.PlaneOrientationSequence[0].ImageOrientationPatient) == [1, 0, 0, 0, 1, 0]
    assert "PixelMeasuresSequence" in shared


def test_images_of_two_sizes_are_two_objects(tmp_path: Path) -> None:
    wide = {"Rows": 32, "Columns": 48, "PixelData": bytes(32 * 48 * 2)}
    paths = [
        save(ct_slice(1), tmp_path / "1.dcm"),
        save(ct_slice(2, **wide), tmp_path / "2.dcm"),
    ]
    made = maps(study([image(path, (0.1, 0.9)) for path in paths]))
    assert [(one.Rows, one.Columns) for one in made] == [(96, 64), (32, 48)]
    assert len({one.SOPInstanceUID for one in made}) == 2
