"""The plane of a frame in space: the one that the source states, or one made for it."""

import math
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from pacs_ai.dicom.functional_groups import holders
from pacs_ai.dicom.pixel_spacing import pixel_spacing
from pacs_ai.dicom.reading import numbers, text, texts
from pacs_ai.uids import derived_uid

Vector = tuple[float, ...]

_AXES: dict[str, Vector] = {
    "L": (1.0, 0.0, 0.0),
    "R": (-1.0, 0.0, 0.0),
    "P": (0.0, 1.0, 0.0),
    "A": (0.0, -1.0, 0.0),
    "H": (0.0, 0.0, 1.0),
    "F": (0.0, 0.0, -1.0),
}
_IMAGE_AXES: Vector = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_ROUNDED = 1e-4  # of the length of a direction that was written with few digits
_UPRIGHT: Vector = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)  # rows to the left, columns to the feet


@dataclass(frozen=True, slots=True)
class Plane:
    """Plane of a frame (PS3.3 Section C.7.6.2). ``spacing`` in mm, None if it is unknown.

    ``made`` says that the source has no plane. The frame of reference then begins at the first
    pixel and belongs to this image alone.
    """

    frame_of_reference: str
    position: Vector
    orientation: Vector
    spacing: Vector | None
    thickness: float | None
    made: bool

    @property
    def stack(self) -> tuple[object, ...]:
        """What frames of one multi-frame object have in common; a made plane is alone."""
        shared = (self.frame_of_reference, self.orientation, self.spacing, self.thickness)
        return (*shared, self.position) if self.made else shared

    @property
    def depth(self) -> float:
        """Place of the plane along its normal, in mm."""
        pairs = zip(self.position, _normal(self.orientation), strict=True)
        return math.fsum(a * b for a, b in pairs)


def _normal(orientation: Vector) -> Vector:
    """Direction across rows and columns, of the right hand."""
    (a, b, c), (d, e, f) = orientation[:3], orientation[3:]
    return (b * f - c * e, c * d - a * f, a * e - b * d)


def plane_of(source: Dataset, frame: int) -> Plane:
    """Read the plane of a frame, or make one.

    Parameters
    ----------
    source
        Header of the instance.
    frame
        Number of the frame, from 1.

    Notes
    -----
    A projection has no plane in the patient, but a parametric map must state one. Its frame of
    reference is made of the image's own UID, so that nothing takes it for the space of another
    image; rows and columns run as Patient Orientation says.
    """
    found = _stated(source, frame)
    if found is not None:
        return found
    return Plane(
        frame_of_reference=derived_uid("plane", text(source, "SOPInstanceUID"), str(frame)),
        position=(0.0, 0.0, 0.0),
        orientation=_directions(source),
        spacing=pixel_spacing(source, frame),
        thickness=None,
        made=True,
    )


def flat(plane: Plane) -> Plane:
    """Turn a made plane to the axes of its image, as viewers see an image without a plane."""
    return replace(plane, orientation=_IMAGE_AXES) if plane.made else plane


def has_frame_of_reference(source: Dataset) -> bool:
    """Tell whether a source names a frame of reference that a result can share.

    Some writers use the study or series UID here; a result must not repeat that error.
    """
    borrowed = (text(source, "StudyInstanceUID"), text(source, "SeriesInstanceUID"), "")
    return text(source, "FrameOfReferenceUID") not in borrowed


def _stated(source: Dataset, frame: int) -> Plane | None:
    def find(macro: str, keyword: str, length: int) -> Vector | None:
        found = (_vector(one, keyword, length) for one in holders(source, frame, macro))
        return next((value for value in found if value is not None), None)

    position = find("PlanePositionSequence", "ImagePositionPatient", 3)
    orientation = _unit(find("PlaneOrientationSequence", "ImageOrientationPatient", 6))
    spacing = find("PixelMeasuresSequence", "PixelSpacing", 2)
    thickness = find("PixelMeasuresSequence", "SliceThickness", 1)
    if position is None or orientation is None or not has_frame_of_reference(source):
        return None
    return Plane(
        frame_of_reference=text(source, "FrameOfReferenceUID"),
        position=position,
        orientation=orientation,
        spacing=spacing if spacing is not None and min(spacing) > 0 else None,
        thickness=thickness[0] if thickness is not None else None,
        made=False,
    )


def _vector(holder: Dataset, keyword: str, length: int) -> Vector | None:
    found = numbers(holder, keyword)
    return found if len(found) == length and all(map(math.isfinite, found)) else None


def _unit(orientation: Vector | None) -> Vector | None:
    """Give two directions the length 1 (PS3.3 Section C.7.6.2.1.1) where they miss it clearly."""
    if orientation is None:
        return None
    lengths = [math.hypot(*orientation[:3]), math.hypot(*orientation[3:])]
    if min(lengths) == 0:
        return None
    if all(abs(length - 1) < _ROUNDED for length in lengths):
        return orientation
    return tuple(value / lengths[number // 3] for number, value in enumerate(orientation))


def _directions(source: Dataset) -> Vector:
    letters = [part[:1] for part in texts(source, "PatientOrientation")]
    vectors = [_AXES[letter] for letter in letters if letter in _AXES]
    if len(vectors) != 2:  # noqa: PLR2004 - of rows and of columns
        return _UPRIGHT
    rows, columns = vectors
    across = sum(a * b for a, b in zip(rows, columns, strict=True))
    return _UPRIGHT if across else (*rows, *columns)
