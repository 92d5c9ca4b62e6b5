"""Measurements of a report that have a point on an image, where a viewer draws name and value."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from highdicom.sr import (
    CodedConcept,
    CoordinatesForMeasurement,
    Measurement,
    RelationshipTypeValues,
    SourceImageForRegion,
)
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import VLWholeSlideMicroscopyImageStorage

from pacs_ai.domain import ImagePrediction
from pacs_ai.results.common.codes import IMAGE_REGION, LABEL_POSITION, PERCENT
from pacs_ai.results.common.object_header import referenced_frame
from pacs_ai.results.content.wording import measured_percent

Place = npt.NDArray[np.float64]


def percentage(
    name: CodedConcept, percent: float, spot: CoordinatesForMeasurement | None
) -> Measurement:
    """Make a number, and below it the place that it is inferred from (TID 300, TID 320).

    Parameters
    ----------
    name
        What is measured.
    percent
        The value; rounded.
    spot
        Made by `spot_item`; None for a number that is not about a place.
    """
    places = None if spot is None else [spot]
    return Measurement(name, measured_percent(percent), PERCENT, referenced_coordinates=places)


def spot_item(place: Place, source: SourceImageForRegion) -> CoordinatesForMeasurement:
    """Make the point where the heat map of a finding is strongest: the number is inferred from it.

    Parameters
    ----------
    place
        Shape (1, 2): column and row in pixels.
    source
        What the point lies on.
    """
    return CoordinatesForMeasurement("POINT", place, source, IMAGE_REGION)


def label(
    group: Dataset, place: Place, source: SourceImageForRegion, origin: str | None = None
) -> None:
    """Give a group the point that a viewer writes its number beside; changed in place.

    Parameters
    ----------
    group
        A measurement group (TID 1501) with one number.
    place, source
        As for `spot_item`.
    origin
        See `pixel_origin`.

    Notes
    -----
    The group contains the point, after its number. Below the number it would have to be what the
    number is inferred from (TID 320), which it is not.
    """
    point = CoordinatesForMeasurement("POINT", place, source, LABEL_POSITION)
    point.RelationshipType = RelationshipTypeValues.CONTAINS.value
    if origin is not None:
        point.PixelOriginInterpretation = origin
    content = list(group.ContentSequence)
    content.insert(1 + [item.ValueType for item in content].index("NUM"), point)
    group.ContentSequence = DicomSequence(content)


def on_image(
    image: ImagePrediction, point: tuple[float, float]
) -> tuple[Place, SourceImageForRegion]:
    """Express a point in parts of width and height as one in pixels of its image."""
    header = image.header
    place = np.array([[point[0] * header.columns, point[1] * header.rows]])
    return place, SourceImageForRegion(*reference_of(image))


def pixel_origin(image: ImagePrediction) -> str | None:
    """Say what coordinates on an image are counted from, where it has to be said (C.18.6).

    Those on a slide would be counted from the corner of the whole slide; ours are those of a tile.
    """
    sop_class, _, frames = reference_of(image)
    return "FRAME" if frames and sop_class == VLWholeSlideMicroscopyImageStorage else None


def reference_of(image: ImagePrediction) -> tuple[str, str, Sequence[int] | None]:
    """Class, instance and frame numbers by which an image is referred to."""
    header = image.header
    frame = referenced_frame(image.header, image.frame)
    return header.sop_class_uid, header.sop_instance_uid, None if frame is None else [frame]
