"""Where a capture lies: size, spacing, position and orientation, taken over from its source."""

import math
from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.valuerep import format_number_as_ds

from pacs_ai.dicom.reading import items, numbers, text, texts
from pacs_ai.results.identity import copied_element

LEGIBLE = 512
"""Pictures with a shorter side are enlarged, by an integer, so that their legend can be read."""

LARGEST = 4096
"""Longest side of a picture."""

_AXES = (("L", "R"), ("P", "A"), ("H", "F"))
_NEGLIGIBLE = 0.1  # direction cosine below which an axis is not named
_SPATIAL = ("CT", "MR")
_PLANE = ("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient")
_LETTERS = frozenset("LRAPHF")


def picture_size(rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of the picture of an image: the same, unless too small or too large."""
    shorter, longer = min(rows, columns), max(rows, columns)
    if longer > LARGEST:
        return max(1, round(rows * LARGEST / longer)), max(1, round(columns * LARGEST / longer))
    factor = max(1, min(math.ceil(LEGIBLE / shorter), LARGEST // longer))
    return rows * factor, columns * factor


def half_size(rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of one of two pictures of an image in a frame twice their size."""
    rows, columns = picture_size(rows, columns)
    scale = min(1.0, LARGEST / (2 * max(rows, columns)))
    return max(1, round(rows * scale)), max(1, round(columns * scale))


def copy_geometry(source: Dataset, frame: int, source_rows: int, target: Dataset) -> None:
    """Place a capture where its source lies, as far as the source says.

    Parameters
    ----------
    source
        Header of the source instance.
    frame
        Frame of the source, from 1.
    source_rows
        Rows of the source; the target's own give the scale.
    target
        The capture; changed in place.

    Notes
    -----
    Position is that of the source also where the picture is enlarged, although the centre of its
    first pixel then lies up to half a source pixel further out: viewers match images by equal
    positions. Enhanced multi-frame images keep their geometry with each frame, where a
    single-frame capture cannot follow; only the direction of its axes is taken.
    """
    target.PatientOrientation = patient_orientation(source, frame)
    plane = [copied_element(source, keyword) for keyword in _PLANE]
    spacing = numbers(source, "PixelSpacing")
    if text(source, "Modality") not in _SPATIAL or None in plane or not _placed(source):
        return
    for element in (
        *plane,
        copied_element(source, "PositionReferenceIndicator"),
        copied_element(source, "SliceThickness"),
        copied_element(source, "PixelSpacing"),
    ):
        if element is not None:
            target[element.tag] = element
    if target.Rows != source_rows and spacing:
        scale = source_rows / target.Rows
        target.PixelSpacing = [format_number_as_ds(value * scale) for value in spacing]


def has_frame_of_reference(source: Dataset) -> bool:
    """Tell whether a source names a frame of reference that a result can share.

    Some writers use one UID for everything; as the result's it would be an error of ours.
    """
    borrowed = (text(source, "StudyInstanceUID"), text(source, "SeriesInstanceUID"), "")
    return text(source, _PLANE[0]) not in borrowed


def _placed(source: Dataset) -> bool:
    found = [len(numbers(source, keyword)) for keyword in (*_PLANE[1:], "PixelSpacing")]
    return has_frame_of_reference(source) and found == [3, 6, 2]


def patient_orientation(source: Dataset, frame: int) -> list[str] | str:
    """Direction of rows and columns: the source's, or from its plane, or empty if unknown.

    Notes
    -----
    Type 2C, PS3.3 Section C.7.6.1.1.1.
    """
    given = texts(source, "PatientOrientation")
    if len(given) == 2 and all(part and set(part) <= _LETTERS for part in given):  # noqa: PLR2004
        return list(given)
    cosines = _orientation(source, frame)
    if len(cosines) != 6 or not all(map(math.isfinite, cosines)):  # noqa: PLR2004
        return ""
    directions = [_direction(cosines[:3]), _direction(cosines[3:])]
    return directions if all(directions) else ""


def _orientation(source: Dataset, frame: int) -> tuple[float, ...]:
    cosines = numbers(source, "ImageOrientationPatient")
    groups = [
        *items(source, "SharedFunctionalGroupsSequence")[:1],
        *items(source, "PerFrameFunctionalGroupsSequence")[frame - 1 : frame],
    ]
    for group in groups:
        for plane in items(group, "PlaneOrientationSequence")[:1]:
            cosines = cosines or numbers(plane, "ImageOrientationPatient")
    return cosines


def _direction(cosines: Sequence[float]) -> str:
    by_size = sorted(zip(cosines, _AXES, strict=True), key=lambda part: -abs(part[0]))
    return "".join(
        positive if value > 0 else negative
        for value, (positive, negative) in by_size
        if abs(value) > _NEGLIGIBLE
    )
