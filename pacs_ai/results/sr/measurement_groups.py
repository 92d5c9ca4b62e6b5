"""Measurement groups of the report (TID 1501): one a class, for images and for the study.

The form is one that OHIF shows readably: the class in the name of the number, and a point below
it. The point of a finding lies at the peak of its heat map, the others at the margin.
A group without any coordinates would turn OHIF's whole viewport black.
"""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from pacs_ai.domain import ImagePrediction, StudyPrediction
from pacs_ai.results.content.report_level import ReportLevel, report_levels, stated_classes
from pacs_ai.results.content.selection import peak
from pacs_ai.results.sr.class_group import ClassGroup, referenced
from pacs_ai.results.sr.label_placement import place_points
from pacs_ai.results.sr.reservation_group import reservation_group

_CAUTION = -1  # in place of a level's number: the point of a reservation


def measurement_groups(prediction: StudyPrediction, key: tuple[str, ...]) -> list[Dataset]:
    """Make the groups: reservations, the study if it has several images, each reported image.

    Parameters
    ----------
    prediction
        What the model says.
    key
        See `pacs_ai.results.content.report_level.tracking_key`.
    """
    levels = report_levels(prediction)
    points = _points(prediction, levels)
    groups: list[Dataset] = []
    for index, reservation in enumerate(prediction.reservations):
        image = prediction.images[reservation.image]
        point = points[_CAUTION, index]
        groups.extend(reservation_group(reservation, image, point, prediction.model, key))
    for number, level in enumerate(levels):
        sources = [referenced(image) for image in level.sources]
        for index in stated_classes(prediction, level):
            group = ClassGroup(prediction.model, level, index, points[number, index])
            groups.append(group.filled(level.tracking(index, key), sources))
    return groups


def _points(
    prediction: StudyPrediction, levels: Sequence[ReportLevel]
) -> dict[tuple[int, int], tuple[float, float]]:
    """Place the point of each reservation, and of each class of each level.

    In parts of the sides of the image it lies on; what a reader has to know first comes first.
    """
    labels: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for index, reservation in enumerate(prediction.reservations):
        place = _place(prediction.images[reservation.image])
        labels.setdefault(place, []).append((_CAUTION, index))
    for number, level in enumerate(levels):
        here = labels.setdefault(_place(level.anchor), [])
        here += [(number, index) for index in stated_classes(prediction, level)]
    points: dict[tuple[int, int], tuple[float, float]] = {}
    for here in labels.values():
        owner = max(number for number, _ in here)  # the image's own level, where it has one
        peaks = [
            peak(levels[number].anchor.saliency[index])
            if number == owner != _CAUTION and levels[number].pointed_at(index)
            else None
            for number, index in here
        ]
        points.update(zip(here, place_points(peaks), strict=True))
    return points


def _place(image: ImagePrediction) -> tuple[str, int]:
    """Instance and frame that points lie on."""
    return image.header.sop_instance_uid, image.frame
