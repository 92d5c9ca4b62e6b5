"""Measurement groups of the report (TID 1501): one a class, for images and for the study.

The form is one that OHIF shows readably: the class in the name of the number, and a point below
it. The point of a finding lies at the peak of its heat map, the others at the margin.
A group without any coordinates would turn OHIF's whole viewport black.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    ContentSequence,
    CoordinatesForMeasurement,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TrackingIdentifier,
)

from pacs_ai.domain import (
    ClassSpec,
    Decision,
    ImagePrediction,
    ModelIdentity,
    StudyPrediction,
)
from pacs_ai.results.codes import (
    ARTIFICIAL_INTELLIGENCE,
    DECISIONS,
    PERCENT,
    PRESENCE,
    class_title,
    concept,
    probability_concept,
)
from pacs_ai.results.document import referenced_frame
from pacs_ai.results.layout import MARGIN, place_points
from pacs_ai.results.selection import peak, reported_images
from pacs_ai.uids import derived_uid

AT_PEAK = "point at the peak of the heat map"
"""How the tracking text of a group whose point shows where the finding is ends."""

_URGENCY = {Decision.PRESENT: 0, Decision.UNDETERMINED: 1, Decision.ABSENT: 2, None: 2}
_POINTED = (Decision.PRESENT, Decision.UNDETERMINED)
_DECIMALS = 4  # of a percentage: a softmax keeps its sum, and the text fits 16 characters


@dataclass(frozen=True, slots=True)
class _Level:
    """What a set of groups, one a class, is about: one image, or the study as a whole."""

    name: str
    anchor: ImagePrediction
    sources: tuple[ImagePrediction, ...]
    probabilities: tuple[float, ...]
    study: bool

    @property
    def place(self) -> tuple[str, int]:
        """Instance and frame that the points lie on."""
        return self.anchor.header.sop_instance_uid, self.anchor.frame

    def decision(self, index: int, spec: ClassSpec) -> Decision | None:
        """Say what the probability of a class means; None for one that is not decided upon."""
        return spec.decide(self.probabilities[index])

    def ranking(self, classes: Sequence[ClassSpec]) -> list[int]:
        """Order the classes as they are read: present, undetermined, then the more probable."""
        return sorted(
            range(len(classes)),
            key=lambda k: (_URGENCY[self.decision(k, classes[k])], -self.probabilities[k]),
        )

    def tracking_key(self) -> tuple[str, ...]:
        """Tell, with the class, a group apart from all others of the series."""
        if self.study:
            return "study", *sorted(image.header.sop_instance_uid for image in self.sources)
        return "image", self.place[0], str(self.place[1])


def measurement_groups(prediction: StudyPrediction, key: tuple[str, ...]) -> ContentSequence:
    """Make the groups: the study, if it has several images, then each reported image.

    Parameters
    ----------
    prediction
        What the model says.
    key
        Key of the report's series, for the tracking UIDs.
    """
    classes = prediction.model.classes
    algorithms = [algorithm(prediction.model, spec) for spec in classes]
    levels = _levels(prediction)
    points = _points(levels, classes)
    groups = ContentSequence()
    for number, level in enumerate(levels):
        for index in level.ranking(classes):
            spec = classes[index]
            groups.extend(
                MeasurementsAndQualitativeEvaluations(
                    TrackingIdentifier(
                        derived_uid("tracking", *key, *level.tracking_key(), spec.code.value),
                        _tracking_text(level, index, spec, points[number, index]),
                    ),
                    finding_type=concept(spec.code),
                    algorithm_id=algorithms[index],
                    measurements=[_measurement(level, index, spec, points[number, index])],
                    qualitative_evaluations=_decision(level, index, spec),
                    source_images=_sources(level),
                )
            )
    return groups


def _points(
    levels: Sequence[_Level], classes: Sequence[ClassSpec]
) -> dict[tuple[int, int], tuple[float, float]]:
    """Place the point of each class of each level, in parts of its image's sides."""
    points: dict[tuple[int, int], tuple[float, float]] = {}
    for place in {level.place: None for level in levels}:
        here = [
            (number, index)
            for number, level in enumerate(levels)
            if level.place == place
            for index in level.ranking(classes)
        ]
        owner = max(number for number, _ in here)  # the image's own level, where it has one
        peaks = [
            peak(levels[number].anchor.saliency[index])
            if number == owner and levels[number].decision(index, classes[index]) in _POINTED
            else None
            for number, index in here
        ]
        points.update(zip(here, place_points(peaks), strict=True))
    return points


def _levels(prediction: StudyPrediction) -> list[_Level]:
    levels = []
    if len(prediction.images) > 1:
        levels.append(
            _Level(
                name="study",
                anchor=prediction.images[prediction.decisive],
                sources=prediction.images,
                probabilities=prediction.probabilities,
                study=True,
            )
        )
    for index in reported_images(prediction):
        image = prediction.images[index]
        levels.append(
            _Level(
                name=_image_name(index, image),
                anchor=image,
                sources=(image,),
                probabilities=image.probabilities,
                study=False,
            )
        )
    return levels


def _image_name(index: int, image: ImagePrediction) -> str:
    frame = f", frame {image.frame}" if image.header.frames > 1 else ""
    return f"image {image.header.instance_number or index + 1}{frame}"


def _tracking_text(level: _Level, index: int, spec: ClassSpec, point: tuple[float, float]) -> str:
    text = f"{class_title(spec)} / {level.name}"
    decision = level.decision(index, spec)
    if decision is None:
        return text
    text += f": {decision}"
    return text if point[0] == MARGIN else f"{text}, {AT_PEAK}"


def algorithm(model: ModelIdentity, spec: ClassSpec) -> AlgorithmIdentification:
    """Identify the algorithm of a class, with the settings its values depend on (TID 4019)."""
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
        ],
    )


def _band(spec: ClassSpec) -> list[str]:
    if spec.undetermined is None:
        return []
    low, high = spec.undetermined
    return [f"undetermined={low:g}..{high:g}"]


def _measurement(
    level: _Level, index: int, spec: ClassSpec, point: tuple[float, float]
) -> Measurement:
    header = level.anchor.header
    return Measurement(
        probability_concept(spec, study=level.study),
        round(100 * level.probabilities[index], _DECIMALS),
        PERCENT,
        referenced_coordinates=[
            CoordinatesForMeasurement(
                "POINT",
                np.array([[point[0] * header.columns, point[1] * header.rows]]),
                SourceImageForRegion(*_reference(level.anchor)),
            )
        ],
    )


def _decision(level: _Level, index: int, spec: ClassSpec) -> list[QualitativeEvaluation] | None:
    decision = level.decision(index, spec)
    return None if decision is None else [QualitativeEvaluation(PRESENCE, DECISIONS[decision])]


def _sources(level: _Level) -> list[SourceImageForMeasurementGroup]:
    return [SourceImageForMeasurementGroup(*_reference(image)) for image in level.sources]


def _reference(image: ImagePrediction) -> tuple[str, str, Sequence[int] | None]:
    header = image.header
    frame = referenced_frame(image)
    return header.sop_class_uid, header.sop_instance_uid, None if frame is None else [frame]
