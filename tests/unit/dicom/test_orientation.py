"""Images that lie in another direction than nearly all others of their series."""

import dataclasses
import math

import pytest

from pacs_ai.dicom.orientation import odd_ones
from pacs_ai.dicom.series import InputRules, select_images
from tests.unit.dicom.test_series import image

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
TURNED = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0)
RULES = InputRules(("CT", "MR"), 100)


def tilted(degrees: float) -> tuple[float, ...]:
    angle = math.radians(degrees)
    return (1.0, 0.0, 0.0, 0.0, math.cos(angle), math.sin(angle))


def radial(count: int) -> list[tuple[float, ...]]:
    """Planes that turn about the patient's axis."""
    angles = [math.pi * n / count for n in range(count)]
    return [(math.cos(a), math.sin(a), 0.0, 0.0, 0.0, -1.0) for a in angles]


@pytest.mark.parametrize(
    ("orientations", "odd"),
    [
        ([AXIAL] * 6 + [CORONAL], [6]),
        ([CORONAL] + [AXIAL] * 6, [0]),
        ([SAGITTAL, CORONAL] + [AXIAL] * 12 + [TURNED], [0, 1, 14]),
        ([AXIAL] * 3 + [CORONAL], [3]),
        ([AXIAL] * 6, []),
        ([AXIAL] * 5 + [tilted(20)], []),
        ([AXIAL] * 5 + [tilted(40)], [5]),
        ([AXIAL, CORONAL, SAGITTAL], []),
        ([AXIAL] * 2 + [CORONAL], []),
        ([AXIAL] * 4 + [CORONAL] * 4, []),
        ([AXIAL] * 6 + [CORONAL] * 3, []),
        (radial(12), []),
        ([AXIAL] * 6 + [None], []),
        ([None] * 6 + [AXIAL], []),
        ([AXIAL] * 6 + [(0.0,) * 6], []),
        ([(0.0,) * 6] * 6, []),
        ([], []),
        ([CORONAL], []),
    ],
)
def test_what_is_odd(orientations, odd):
    assert [index for index, one in enumerate(odd_ones(orientations)) if one] == odd


def test_it_is_left_out_whatever_its_image_type_says():
    axial = [
        image(instance_number=n, orientation=AXIAL, position_mm=(0.0, 0.0, float(-n)))
        for n in range(2, 8)
    ]
    coronal = image(instance_number=1, orientation=CORONAL, position_mm=(0.0, 0.0, 0.0))
    selection = select_images([coronal, *axial], RULES)
    # without the localizer the others have a common normal again
    assert [header.instance_number for header, _ in selection.frames] == [7, 6, 5, 4, 3, 2]
    assert [(h.instance_number, list(f)) for h, f in selection.other_orientation] == [(1, [1])]


def test_of_an_enhanced_image_frames_are_left_out():
    movie = image(frames=5, frame_orientations=(CORONAL, AXIAL, AXIAL, AXIAL, AXIAL))
    selection = select_images([movie], RULES)
    assert [frame for _, frame in selection.frames] == [2, 3, 4, 5]
    assert [(h, list(f)) for h, f in selection.other_orientation] == [(movie, [1])]


def test_other_series_and_projections_do_not_count():
    axial = [image(orientation=AXIAL) for _ in range(6)]
    other = [image(series_instance_uid="1.9", orientation=CORONAL) for _ in range(2)]
    film = dataclasses.replace(image(orientation=SAGITTAL), modality="DX")
    selection = select_images([*axial, *other, film], InputRules(("CT", "DX"), 100))
    assert (len(selection.frames), selection.other_orientation) == (7, ())
    assert selection.other_series == 1


def test_a_number_of_frames_that_is_a_lie_costs_nothing():
    axial = [image(orientation=AXIAL) for _ in range(6)]
    liar = image(orientation=CORONAL, frames=2**31 - 1, series_instance_uid="1.1")
    selection = select_images([*axial, liar], RULES)
    [(header, frames)] = selection.other_orientation
    assert (header, len(frames), len(selection.frames)) == (liar, 2**31 - 1, 6)
