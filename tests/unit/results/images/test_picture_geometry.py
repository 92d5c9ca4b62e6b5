import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from pacs_ai.dicom.quiet_libraries import quiet
from pacs_ai.results.images.picture_geometry import copy_geometry, patient_orientation, picture_size
from tests.unit.results.samples import ct_slice, radiograph


def placed(source: Dataset) -> Dataset:
    target = Dataset()
    copy_geometry(source, 1, target, 0.25)
    return target


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((512, 512), (512, 512)),
        ((3000, 4000), (3000, 4000)),
        ((64, 64), (512, 512)),
        ((128, 100), (768, 600)),
        ((400, 2000), (800, 4000)),
        ((300, 3000), (300, 3000)),
        ((6000, 3000), (4096, 2048)),
    ],
)
def test_small_pictures_grow_by_integers_and_huge_ones_shrink(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert picture_size(*size) == expected


@given(st.integers(10, 9000), st.integers(10, 9000))
def test_every_picture_keeps_its_aspect_and_is_of_a_legal_size(rows: int, columns: int) -> None:
    made = picture_size(rows, columns)
    assert max(made) <= 4096
    if max(rows, columns) < 20 * min(rows, columns):
        assert min(made) >= 32
        assert made[0] / made[1] == pytest.approx(rows / columns, rel=0.02)


def test_a_picture_of_a_ct_slice_lies_where_the_slice_lies() -> None:
    source = ct_slice()
    target = placed(source)
    for keyword in ("FrameOfReferenceUID", "ImagePositionPatient", "SliceThickness"):
        assert target[keyword].value == source[keyword].value
    assert target.PatientOrientation == ["L", "P"]


def test_a_picture_with_a_place_says_how_large_its_pixels_are() -> None:
    """The Image Plane Module wants it; four pixels, which are square, are as high as one."""
    assert placed(ct_slice(PixelSpacing=[0.5, 0.5])).PixelSpacing == [0.125, 0.125]
    assert placed(ct_slice(PixelSpacing=[0.5, 0.25])).PixelSpacing == [0.125, 0.125]


def test_a_picture_of_a_radiograph_is_not_measured_on() -> None:
    target = placed(radiograph(PixelSpacing=[0.1, 0.1], ImagerPixelSpacing=[0.1, 0.1]))
    assert set(target.dir()) == {"PatientOrientation"}


@pytest.mark.parametrize(
    "broken",
    [
        {"ImagePositionPatient": None},
        {"PixelSpacing": None},
        {"ImageOrientationPatient": [1, 0, 0]},
        {"FrameOfReferenceUID": ""},
        {"FrameOfReferenceUID": "1.2.3"},
    ],
)
def test_half_a_geometry_is_none(broken: dict[str, object]) -> None:
    assert "FrameOfReferenceUID" not in placed(ct_slice(**broken))


@pytest.mark.parametrize(
    ("cosines", "expected"),
    [
        ([1, 0, 0, 0, 1, 0], ["L", "P"]),
        ([0, 1, 0, 0, 0, -1], ["P", "F"]),
        ([-1, 0, 0, 0, 0, 1], ["R", "H"]),
        ([0.8, 0.6, 0, 0, 0, -1], ["LP", "F"]),
        (["nan", 0, 0, 0, 1, 0], ""),
    ],
)
def test_orientation_follows_from_the_plane(
    cosines: list[float], expected: list[str] | str
) -> None:
    with quiet():
        assert patient_orientation(ct_slice(ImageOrientationPatient=cosines), 1) == expected


@pytest.mark.parametrize("given_value", ["", ["L"], ["X", "Y"], ["L", ""]])
def test_orientation_that_means_nothing_is_left_empty(given_value: object) -> None:
    assert patient_orientation(radiograph(PatientOrientation=given_value), 1) == ""


def test_orientation_of_a_frame_is_found_with_the_frame() -> None:
    def group(cosines: list[float]) -> Dataset:
        plane = Dataset()
        plane.ImageOrientationPatient = cosines
        item = Dataset()
        item.PlaneOrientationSequence = [plane]
        return item

    frames = [group([1, 0, 0, 0, 1, 0]), group([0, 1, 0, 0, 0, -1])]
    source = ct_slice(ImageOrientationPatient=None, PerFrameFunctionalGroupsSequence=frames)
    assert patient_orientation(source, 2) == ["P", "F"]
    assert patient_orientation(source, 3) == ""
