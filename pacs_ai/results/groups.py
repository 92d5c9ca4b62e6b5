"""Measurement groups of the report (TID 1501): one a class, for images and for the study.

The form is one that OHIF shows readably: the class in the name of the number, and a point below
it. The point of a finding lies at the peak of its heat map, the others at the margin.
A group without any coordinates would turn OHIF's whole viewport black.
"""

from collections.abc import Sequence

from highdicom.sr import (
    AlgorithmIdentification,
    ContentSequence,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)

from pacs_ai.domain import (
    ClassSpec,
    ImagePrediction,
    ModelIdentity,
    StudyPrediction,
)
from pacs_ai.results.cautions import caution_group
from pacs_ai.results.codes import (
    ARTIFICIAL_INTELLIGENCE,
    DECISIONS,
    PRESENCE,
    class_title,
    concept,
    probability_concept,
)
from pacs_ai.results.layout import MARGIN, place_points
from pacs_ai.results.levels import TOLD, Level, levels_of, listed
from pacs_ai.results.marks import percentage_at, reference_of
from pacs_ai.results.selection import peak
from pacs_ai.uids import derived_uid

AT_PEAK = "point at the peak of the heat map"
"""How the tracking text of a group whose point shows where the finding is ends."""

_CAUTION = -1  # in place of a level's number: the point of a reservation


def measurement_groups(prediction: StudyPrediction, key: tuple[str, ...]) -> ContentSequence:
    """Make the groups: reservations, the study if it has several images, each reported image.

    Parameters
    ----------
    prediction
        What the model says.
    key
        Key of the report's series, for the tracking UIDs.
    """
    classes = prediction.model.classes
    levels = levels_of(prediction)
    points = _points(prediction, levels)
    groups = ContentSequence()
    for index, reservation in enumerate(prediction.reservations):
        image = prediction.images[reservation.image]
        point = points[_CAUTION, index]
        groups.extend(caution_group(reservation, image, point, prediction.model, key))
    for number, level in enumerate(levels):
        for index in listed(prediction, level):
            spec = classes[index]
            groups.extend(
                MeasurementsAndQualitativeEvaluations(
                    TrackingIdentifier(
                        derived_uid("tracking", *key, *level.tracking_key(), spec.code.value),
                        _tracking_text(level, index, spec, points[number, index]),
                    ),
                    finding_type=concept(spec.code),
                    algorithm_id=algorithm(prediction.model, spec, level.outlier),
                    measurements=[
                        percentage_at(
                            probability_concept(
                                spec, study=level.study, decision=level.decision(index, spec)
                            ),
                            100 * level.probabilities[index],
                            level.anchor,
                            points[number, index],
                        )
                    ],
                    qualitative_evaluations=_decision(level, index, spec),
                    source_images=_sources(level),
                )
            )
    return groups


def _points(
    prediction: StudyPrediction, levels: Sequence[Level]
) -> dict[tuple[int, int], tuple[float, float]]:
    """Place the point of each reservation, and of each class of each level.

    In parts of the sides of the image it lies on; what a reader has to know first comes first.
    """
    classes = prediction.model.classes
    labels: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for index, reservation in enumerate(prediction.reservations):
        place = _place(prediction.images[reservation.image])
        labels.setdefault(place, []).append((_CAUTION, index))
    for number, level in enumerate(levels):
        here = labels.setdefault(_place(level.anchor), [])
        here += [(number, index) for index in listed(prediction, level)]
    points: dict[tuple[int, int], tuple[float, float]] = {}
    for here in labels.values():
        owner = max(number for number, _ in here)  # the image's own level, where it has one
        peaks = [
            peak(levels[number].anchor.saliency[index])
            if number == owner != _CAUTION
            and levels[number].decision(index, classes[index]) in TOLD
            else None
            for number, index in here
        ]
        points.update(zip(here, place_points(peaks), strict=True))
    return points


def _place(image: ImagePrediction) -> tuple[str, int]:
    """Instance and frame that points lie on."""
    return image.header.sop_instance_uid, image.frame


def _tracking_text(level: Level, index: int, spec: ClassSpec, point: tuple[float, float]) -> str:
    text = f"{class_title(spec)} / {level.name}"
    decision = level.decision(index, spec)
    if decision is None:
        return text
    text += f": {decision}"
    return text if point[0] == MARGIN else f"{text}, {AT_PEAK}"


def algorithm(
    model: ModelIdentity, spec: ClassSpec, outlier: float | None = None
) -> AlgorithmIdentification:
    """Identify the algorithm of a class, with what its values depend on (TID 4019).

    Parameters
    ----------
    model, spec
        Model and class.
    outlier
        How far the image lies from those of training, relative to the limit.
    """
    height, width = model.input_size
    return AlgorithmIdentification(
        name=model.name,
        version=model.version,
        manufacturer=model.manufacturer,
        family=ARTIFICIAL_INTELLIGENCE,
        parameters=[
            f"weights-sha256={model.sha256}",
            f"input={width}x{height}",
            f"modalities={','.join(model.modalities)}",
            f"preprocess={model.preprocess}",
            f"activation={model.activation}",
            f"temperature={model.temperature:g}",
            f"threshold={spec.threshold:g}",
            *_band(spec),
            f"aggregation={model.aggregation}",
            *([] if outlier is None else [f"outlier={outlier:.3f}"]),
        ],
    )


def _band(spec: ClassSpec) -> list[str]:
    if spec.undetermined is None:
        return []
    low, high = spec.undetermined
    return [f"undetermined={low:g}..{high:g}"]


def _decision(level: Level, index: int, spec: ClassSpec) -> list[QualitativeEvaluation] | None:
    decision = level.decision(index, spec)
    return None if decision is None else [QualitativeEvaluation(PRESENCE, DECISIONS[decision])]


def _sources(level: Level) -> list[SourceImageForMeasurementGroup]:
    return [SourceImageForMeasurementGroup(*reference_of(image)) for image in level.sources]
