"""The measurement group of one class at one level (TID 1501): a prebuilt group, filled in."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset

from pacs_ai.coverage import Coverage
from pacs_ai.domain import ClassSpec, Decision, ImagePrediction, ModelIdentity
from pacs_ai.results.common.codes import (
    ARTIFICIAL_INTELLIGENCE,
    DECISIONS,
    PRESENCE,
    concept,
    probability_concept,
)
from pacs_ai.results.common.object_header import references
from pacs_ai.results.common.prebuilt import changed, number, placed, shared
from pacs_ai.results.content.algorithm import parameters_after, parameters_before
from pacs_ai.results.content.report_level import ReportLevel, Tracking
from pacs_ai.results.content.selection import peak
from pacs_ai.results.content.wording import stated_percent
from pacs_ai.results.sr.image_measurements import (
    label,
    percentage,
    pixel_origin,
    reference_of,
    spot_item,
)

_NOWHERE = "1.2.840.10008.5.1.4.1.1.7"  # any UID: the pattern's references are all replaced


@dataclass(frozen=True, slots=True)
class ClassGroup:
    """What the group of one class at one level says.

    Parameters
    ----------
    model
        Who says it.
    level
        The image, or the study.
    index
        The class.
    point
        Where a viewer writes it, in parts of the sides of the level's anchor.
    """

    model: ModelIdentity
    level: ReportLevel
    index: int
    point: tuple[float, float]

    def filled(self, tracking: Tracking, sources: Sequence[Dataset]) -> Dataset:
        """Make the content item.

        Parameters
        ----------
        tracking
            Identifier and UID of the finding.
        sources
            Items of Referenced SOP Sequence: the level's images.
        """
        level = self.level
        pattern = _pattern(self.model, self.index, level.study, level.decision(self.index))
        *content, source = pattern.ContentSequence
        at = [item.ValueType for item in content].index("NUM")
        peak_at = self._peak()
        content[0] = changed(content[0], TextValue=tracking.identifier)
        content[1] = changed(content[1], UID=tracking.uid)
        content[at] = number(
            content[at],
            stated_percent(level.probabilities[self.index]),
            [] if peak_at is None else [self._placed(content[at].ContentSequence[0], peak_at)],
        )
        content[at + 1] = self._placed(content[at + 1], self.point)
        if level.outlier is not None:  # after the other parameters of the algorithm
            parameter = changed(content[at - 2], TextValue=_outlier_parameter(level.outlier))
            content.insert(at - 1, parameter)
        content += [changed(source, ReferencedSOPSequence=[image]) for image in sources]
        return changed(pattern, ContentSequence=content)

    def _placed(self, pattern: Dataset, point: tuple[float, float]) -> Dataset:
        """Put a point, in parts of the sides, on the level's anchor."""
        anchor = self.level.anchor
        place = point[0] * anchor.header.columns, point[1] * anchor.header.rows
        return placed(pattern, place, referenced(anchor), pixel_origin(anchor))

    def _peak(self) -> tuple[float, float] | None:
        """Say where the heat map of what is pointed at is strongest, in parts of the sides."""
        pointed_at = self.level.pointed_at(self.index)
        return peak(self.level.anchor.saliency[self.index]) if pointed_at else None


def referenced(image: ImagePrediction) -> Dataset:
    """Item of Referenced SOP Sequence that refers to an image."""
    sop_class, sop_instance, frames = reference_of(image)
    [item] = references([(sop_class, sop_instance)])
    if frames is not None:
        item.ReferencedFrameNumber = frames[0]
    return item


@functools.lru_cache(maxsize=1024)
def _pattern(
    model: ModelIdentity,
    index: int,
    study: bool,  # noqa: FBT001 - cached by its arguments
    decision: Decision | None,
) -> Dataset:
    """Let highdicom make and check the group; what differs from study to study is filled in later.

    Tracking text and UID come first, then the finding and the algorithm, its family last; the
    number with the point of a peak, the point of its label, the decision, and one source image.
    """
    spec = model.classes[index]
    nowhere = np.zeros((1, 2)), SourceImageForRegion(_NOWHERE, _NOWHERE)
    name = probability_concept(spec, study=study, decision=decision)
    [group] = MeasurementsAndQualitativeEvaluations(
        TrackingIdentifier(_NOWHERE, "pattern"),
        finding_type=concept(spec.code),
        algorithm_id=algorithm(model, spec),
        measurements=[percentage(name, 0.0, spot_item(*nowhere))],
        qualitative_evaluations=(
            None if decision is None else [QualitativeEvaluation(PRESENCE, DECISIONS[decision])]
        ),
        source_images=[SourceImageForMeasurementGroup(_NOWHERE, _NOWHERE)],
    )
    label(group, *nowhere)
    return shared(group)


def algorithm(
    model: ModelIdentity,
    spec: ClassSpec,
    outlier: float | None = None,
    coverage: Coverage | None = None,
) -> AlgorithmIdentification:
    """Identify the algorithm of a class, with what its values depend on (TID 4019).

    Parameters
    ----------
    model, spec
        Model and class.
    outlier
        How far the image lies from those of training, relative to the limit.
    coverage
        How much of the study was analysed.
    """
    return AlgorithmIdentification(
        name=model.name,
        version=model.version,
        manufacturer=model.manufacturer,
        family=ARTIFICIAL_INTELLIGENCE,
        parameters=[
            *parameters_before(model),
            f"threshold={spec.threshold:g}",
            *_band(spec),
            *parameters_after(model),
            *([] if outlier is None else [_outlier_parameter(outlier)]),
            *([f"analysed={coverage.extent}"] if coverage is not None and coverage.partial else []),
        ],
    )


def _band(spec: ClassSpec) -> list[str]:
    if spec.undetermined is None:
        return []
    low, high = spec.undetermined
    return [f"undetermined={low:g}..{high:g}"]


def _outlier_parameter(outlier: float) -> str:
    return f"outlier={outlier:.3f}"
