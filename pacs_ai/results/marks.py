"""Numbers of a report that lie on an image: a viewer draws name and value beside the point."""

from collections.abc import Sequence

import numpy as np
from highdicom.sr import (
    CodedConcept,
    CoordinatesForMeasurement,
    Measurement,
    SourceImageForRegion,
)

from pacs_ai.domain import ImagePrediction
from pacs_ai.results.codes import PERCENT
from pacs_ai.results.document import referenced_frame

_DECIMALS = 4  # of a percentage: a softmax keeps its sum, and the text fits 16 characters


def percentage_at(
    name: CodedConcept, percent: float, image: ImagePrediction, point: tuple[float, float]
) -> Measurement:
    """Make a number with a point below it (TID 300, TID 320).

    Parameters
    ----------
    name
        What is measured.
    percent
        The value; rounded.
    image
        What the point lies on.
    point
        In parts of the image's width and height.
    """
    header = image.header
    return Measurement(
        name,
        rounded(percent),
        PERCENT,
        referenced_coordinates=[
            CoordinatesForMeasurement(
                "POINT",
                np.array([[point[0] * header.columns, point[1] * header.rows]]),
                SourceImageForRegion(*reference_of(image)),
            )
        ],
    )


def rounded(percent: float) -> float:
    """Write a percentage as precisely as reports do."""
    return round(percent, _DECIMALS)


def reference_of(image: ImagePrediction) -> tuple[str, str, Sequence[int] | None]:
    """Class, instance and frame numbers by which an image is referred to."""
    header = image.header
    frame = referenced_frame(image)
    return header.sop_class_uid, header.sop_instance_uid, None if frame is None else [frame]
