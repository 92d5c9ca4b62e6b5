import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from pacs_ai.dicom.quiet_libraries import quiet
from pacs_ai.results.images.picture_geometry import patient_orientation, picture_size
from tests.unit.results.samples import ct_slice, radiograph


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
