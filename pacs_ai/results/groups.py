"""Measurement groups of the report (TID 1501): one a class, for images and for the study.

The form is one that OHIF shows readably: the class in the name of the number, and a point below
it. The point of a finding lies at the peak of its heat map, the others are stacked at the margin.
A group without any coordinates would turn OHIF's whole viewport black.
"""

from collections import Counter
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

from pacs_ai.domain import ClassSpec, ImagePrediction, ModelIdentity, StudyPrediction
from pacs_ai.results.codes import (
    ABSENT,
    ARTIFICIAL_INTELLIGENCE,
    PERCENT,
    PRESENCE,
    PRESENT,
    concept,
    probability_concept,
)
from pacs_ai.results.selection import peak, reported_images
from pacs_ai.uids import derived_uid

_DECIMALS = 4  # of a percentage: a softmax keeps its sum, and the text fits 16 characters
_MARGIN = 0.03
_LINE = 0.07
_LOWEST = 0.95


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

    def tracking_key(self) -> tuple[str, ...]:
        """Tell, with the class, a group apart from all others of the series."""
        if self.study:
            return "study", *sorted(image.header.sop_instance_uid for image in self.sources)
        return "image", self.place[0], str(self.place[1])


def measurement_groups(prediction: StudyPrediction, key: tuple[str, ...]) -> ContentSequence:
    """Make the groups: each reported image, then, if there are several, the study.

    Parameters
    ----------
    prediction
        What the model says.
    key
        Key of the report's series, for the tracking UIDs.
    """
    model = prediction.model
    algorithms = [_algorithm(model, spec) for spec in model.classes]
    levels = _levels(prediction)
    crowd = Counter(level.place for level in levels)
    stacked: Counter[tuple[str, int]] = Counter()
    groups = ContentSequence()
    for level in levels:
        for index, spec in enumerate(model.classes):
            found = spec.positive and level.probabilities[index] >= spec.threshold
            point = peak(level.anchor, index) if found and not level.study else None
            at_peak = point is not None
            if point is None:
                lines = crowd[level.place] * len(model.classes)
                point = _margin_point(level.anchor, stacked[level.place], lines)
                stacked[level.place] += 1
            groups.extend(
                MeasurementsAndQualitativeEvaluations(
                    TrackingIdentifier(
                        derived_uid("tracking", *key, *level.tracking_key(), spec.code.value),
                        _tracking_text(level, spec, found=found, at_peak=at_peak),
                    ),
                    finding_type=concept(spec.code),
                    algorithm_id=algorithms[index],
                    measurements=[_measurement(level, index, spec, point)],
                    qualitative_evaluations=_decision(spec, found=found),
                    source_images=_sources(level),
                )
            )
    return groups


def _levels(prediction: StudyPrediction) -> list[_Level]:
    levels = [
        _Level(
            name=_image_name(index, image),
            anchor=image,
            sources=(image,),
            probabilities=image.probabilities,
            study=False,
        )
        for index in reported_images(prediction)
        for image in (prediction.images[index],)
    ]
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
    return levels


def _image_name(index: int, image: ImagePrediction) -> str:
    frame = f", frame {image.frame}" if image.header.frames > 1 else ""
    return f"image {image.header.instance_number or index + 1}{frame}"


def _tracking_text(level: _Level, spec: ClassSpec, *, found: bool, at_peak: bool) -> str:
    if not spec.positive:
        return f"{spec.name} / {level.name}"
    decision = "present" if found else "absent"
    place = ", point at the peak of the heat map" if at_peak else ""
    return f"{spec.name} / {level.name}: {decision}{place}"


def _algorithm(model: ModelIdentity, spec: ClassSpec) -> AlgorithmIdentification:
    height, width = model.input_size
    return AlgorithmIdentification(
        name=model.name,
        version=model.version,
        manufacturer=model.manufacturer,
        family=ARTIFICIAL_INTELLIGENCE,
        parameters=[
            f"weights-sha256={model.sha256}",
            f"input={width}x{height}",
            f"preprocess={model.preprocess}",
            f"activation={model.activation}",
            f"threshold={spec.threshold:g}",
            f"aggregation={model.aggregation}",
        ],
    )


def _measurement(
    level: _Level, index: int, spec: ClassSpec, point: tuple[float, float]
) -> Measurement:
    return Measurement(
        probability_concept(spec, study=level.study),
        round(100 * level.probabilities[index], _DECIMALS),
        PERCENT,
        referenced_coordinates=[
            CoordinatesForMeasurement(
                "POINT",
                np.array([point]),
                SourceImageForRegion(*_reference(level.anchor)),
            )
        ],
    )


def _decision(spec: ClassSpec, *, found: bool) -> list[QualitativeEvaluation] | None:
    if not spec.positive:
        return None
    return [QualitativeEvaluation(PRESENCE, PRESENT if found else ABSENT)]


def _sources(level: _Level) -> list[SourceImageForMeasurementGroup]:
    return [SourceImageForMeasurementGroup(*_reference(image)) for image in level.sources]


def _reference(image: ImagePrediction) -> tuple[str, str, Sequence[int] | None]:
    header = image.header
    frames = [image.frame] if header.frames > 1 else None
    return header.sop_class_uid, header.sop_instance_uid, frames


def _margin_point(image: ImagePrediction, line: int, lines: int) -> tuple[float, float]:
    step = min(_LINE, _LOWEST / (lines + 1))
    return _MARGIN * image.header.columns, (line + 1) * step * image.header.rows
