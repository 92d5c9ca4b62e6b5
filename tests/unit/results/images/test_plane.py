"""The plane that a result takes over of its source."""

import math

import pytest
from pydicom.dataset import Dataset

from pacs_ai.results.images.plane import plane_of


def source(*orientation: float) -> Dataset:
    made = Dataset()
    made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID = "1.1", "1.2", "1.3"
    made.FrameOfReferenceUID = "1.4"
    made.Rows = made.Columns = 8
    made.ImagePositionPatient = [0, 0, 0]
    made.PixelSpacing = [1, 1]
    made.ImageOrientationPatient = list(orientation)
    return made


@pytest.mark.parametrize("length", [0.5, 0.9995, 1.01])
def test_directions_have_the_length_one(length: float) -> None:
    plane = plane_of(source(1, 0, 0, 0, 0.8 * length, -0.6 * length), 1)
    assert plane.orientation[:3] == (1, 0, 0)
    assert plane.orientation[3:] == pytest.approx((0, 0.8, -0.6))
    assert not plane.made


def test_what_was_rounded_is_taken_over_as_it_is() -> None:
    stated = (1, 0, 0, 0, 0.987654, -0.156652)
    assert 0 < abs(math.hypot(*stated[3:]) - 1) < 1e-4
    assert plane_of(source(*stated), 1).orientation == stated


def test_without_a_direction_there_is_no_plane() -> None:
    assert plane_of(source(1, 0, 0, 0, 0, 0), 1).made
