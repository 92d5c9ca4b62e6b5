"""The multi-frame objects of a study: one for each class that is shown and each geometry."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydicom.dataset import Dataset

from pacs_ai.domain import ClassSpec, ResultKind
from pacs_ai.results.common.codes import class_title
from pacs_ai.results.common.object_header import ObjectHeader, new_object
from pacs_ai.results.common.result_set import relate
from pacs_ai.results.content.hotspot import Saliency
from pacs_ai.results.content.positive_images import explained_images
from pacs_ai.results.content.report_level import Tracking, finding_level, tracking_key
from pacs_ai.results.content.study import AnalysedStudy
from pacs_ai.results.images.multiframe import Stack, stacks


@dataclass(frozen=True, slots=True)
class ClassStack:
    """The heat maps of one class on the images of one stack; ``number`` counts from 1.

    ``tracking`` names the finding that the report states. ``saliencies`` has the heat maps by the
    key of their `SourceFrame`; a frame without one shows nothing.
    """

    number: int
    spec: ClassSpec
    tracking: Tracking
    stack: Stack
    saliencies: Mapping[tuple[str, int], Saliency]

    @property
    def title(self) -> str:
        """Name of the class."""
        return class_title(self.spec)


def class_stacks(study: AnalysedStudy) -> Iterator[ClassStack]:
    """Group the images that are shown of each class by their geometry."""
    number = 0
    level = finding_level(study.prediction)
    model = study.prediction.model
    key = tracking_key(study.context, model, study.evidence.study_instance_uid)
    for one in explained_images(study.prediction):
        for stack in stacks(one.images, study.evidence):
            number += 1
            seen = {(image.header.sop_instance_uid, image.frame): image for image in one.images}
            saliencies = {
                key: seen[key].saliency[one.class_index] for key in (s.key for s in stack.sources)
            }
            spec = model.classes[one.class_index]
            tracking = level.tracking(one.class_index, key)
            yield ClassStack(number, spec, tracking, stack, saliencies)


def _role(kind: ResultKind, stack: Stack) -> str:
    """Name the series: one for each frame of reference, which a series has one of (C.7.4.1)."""
    return f"{kind} {stack.planes[0].frame_of_reference}"


def new_stack_object(
    study: AnalysedStudy,
    shown: ClassStack,
    kind: ResultKind,
    *,
    sop_class_uid: str,
    modality: str,
    description: str,
) -> Dataset:
    """Make the object of a stack without its content; ``description`` is that of the series."""
    header = ObjectHeader(
        sop_class_uid=sop_class_uid,
        modality=modality,
        role=_role(kind, shown.stack),
        series_number=study.context.series_number(kind),
        series_description=description,
        instance_number=shown.number,
        instance_key=(
            *shown.stack.key(),
            shown.spec.code.value,
            *study.evidence.unseen,
            *study.results.picture_key,
        ),
    )
    made = new_object(header, study.evidence.reference, study.prediction.model, study.context)
    relate(made, study.results)
    return made
