"""The capture: a picture of the image with the heat map over it, which every viewer shows."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from pacs_ai.dicom.pixel_spacing import pixel_aspect
from pacs_ai.domain import ResultKind, StudyPrediction
from pacs_ai.results.common.codes import class_title
from pacs_ai.results.common.object_header import ObjectHeader, copy_body_part
from pacs_ai.results.content.selection import (
    ShownClass,
    captures,
    every_image,
    explains,
    reading_order,
)
from pacs_ai.results.content.study import AnalysedStudy
from pacs_ai.results.images.legend import legend_of
from pacs_ai.results.images.overlay import FAINT, STRENGTH, canvas, draw, draw_beside
from pacs_ai.results.images.picture_geometry import (
    LARGEST,
    half_size,
    patient_orientation,
    picture_size,
)
from pacs_ai.results.images.secondary_capture import (
    MAX_DERIVATION,
    copy_compression,
    new_picture,
    put_pixels,
    source_items,
)

_STEPS = 1000  # of probability that instance numbers tell apart


@dataclass(frozen=True, slots=True)
class CaptureStyle:
    """A way to show heat maps; each has a series of its own.

    ``beside`` puts the image without a heat map at the left. ``in_step`` gives a picture the
    instance number of its source, so that both series have the same order.
    """

    kind: ResultKind
    series_description: str
    beside: bool = False
    in_step: bool = False


OVERLAY = CaptureStyle(ResultKind.CAPTURE, "AI heat map (research)")
SIDE_BY_SIDE = CaptureStyle(
    ResultKind.SIDE_BY_SIDE, "AI heat map beside the image (research)", beside=True
)
STACK = CaptureStyle(ResultKind.STACK, "AI heat map, all images (research)", in_step=True)


def build_overlays(study: AnalysedStudy) -> Iterator[Dataset]:
    """Make captures of what was found, the most important first."""
    return (build_capture(study, shown) for shown in captures(study.prediction))


def build_side_by_side(study: AnalysedStudy) -> Iterator[Dataset]:
    """Make captures of what was found with the image beside the heat map."""
    return (build_capture(study, shown, SIDE_BY_SIDE) for shown in captures(study.prediction))


def build_stack(study: AnalysedStudy) -> Iterator[Dataset]:
    """Make a capture of every image, in the order of the study."""
    return (build_capture(study, shown, STACK) for shown in every_image(study.prediction))


def build_capture(
    study: AnalysedStudy, shown: ShownClass, style: CaptureStyle = OVERLAY
) -> Dataset:
    """Make the capture of one class on one image.

    Parameters
    ----------
    shown
        Which image, which class.
    style
        How it is shown.

    Notes
    -----
    The picture and its UID depend on its image, and on which images of the study were not
    analysed. A study that grows therefore keeps its captures.
    """
    prediction, evidence, context = study.prediction, study.evidence, study.context
    image = prediction.images[shown.image]
    model = prediction.model
    source = evidence.source(image.header)
    header = ObjectHeader(
        sop_class_uid=SecondaryCaptureImageStorage,
        modality="OT",
        role=style.kind,
        series_number=context.series_number(style.kind),
        series_description=style.series_description,
        instance_number=_number(prediction, shown, style),
        instance_key=(
            image.header.sop_instance_uid,
            str(image.frame),
            model.classes[shown.class_index].code.value,
            "found" if shown.found else "not found",
            *evidence.unseen,
            *study.results.picture_key,
        ),
    )
    capture = new_picture(study, header)
    painted = explains(image.saliency[shown.class_index])
    aspect = pixel_aspect(source, image.frame)
    shape = image.header.rows, image.header.columns
    put_pixels(capture, _picture(study, shown, style, aspect))
    where = "" if style.beside else _where(_image_size(*shape, aspect))
    capture.DerivationDescription = _derivation(prediction, shown, where, painted=painted)
    capture.SourceImageSequence = source_items([image], in_place=not style.beside)
    copy_body_part(source, capture)
    capture.PatientOrientation = patient_orientation(source, image.frame)
    copy_compression([(source, image.header)], capture)
    return capture


def _picture(
    study: AnalysedStudy, shown: ShownClass, style: CaptureStyle, aspect: float
) -> npt.NDArray[np.uint8]:
    image, coverage = study.prediction.images[shown.image], study.prediction.coverage
    heat = image.saliency[shown.class_index]
    painted = explains(heat)
    rows, columns = image.header.rows, image.header.columns
    size = (half_size if style.beside else _image_size)(rows, columns, aspect)
    return (draw_beside if style.beside else draw)(
        study.shown(image),
        heat if painted else None,
        legend_of(study.prediction.model, image, shown.class_index, coverage, painted=painted),
        size,
        STRENGTH if shown.found else FAINT,
    )


def _image_size(rows: int, columns: int, aspect: float) -> tuple[int, int]:
    """Rows and columns of the image in its capture, which must not be too large as a whole."""
    size = picture_size(rows, columns, aspect)
    longest = max(canvas(size))
    if longest <= LARGEST:
        return size
    scale = (LARGEST - 1) / longest
    return max(1, math.floor(size[0] * scale)), max(1, math.floor(size[1] * scale))


def _number(prediction: StudyPrediction, shown: ShownClass, style: CaptureStyle) -> int:
    """Count captures so that what is read first has the lowest number, as viewers open it first.

    The number depends on the image and class alone, so that a study that grows keeps its captures:
    what is present has 1 to 1001 by its probability, what is undetermined and the rest follow.
    """
    if style.in_step:
        numbers = [image.header.instance_number for image in prediction.images]
        in_step = len(set(numbers)) == len(numbers)
        return numbers[shown.image] if in_step else shown.image + 1
    model, chances = prediction.model, prediction.images[shown.image].probabilities
    decision = model.decide(shown.class_index, chances)
    rank, negative = reading_order(decision, chances[shown.class_index])
    return rank * (_STEPS + 1) + round(_STEPS * (1 + negative)) + 1


def _where(size: tuple[int, int]) -> str:
    """Say which part of a capture is the image; `read_picture` reads it."""
    return f"; image in the upper left {size[0]} rows and {size[1]} columns"


def _derivation(
    prediction: StudyPrediction, shown: ShownClass, where: str, *, painted: bool
) -> str:
    model, remark = prediction.model, prediction.coverage.remark
    ending = f"; of the study {remark}" if remark else ""
    title = class_title(model.classes[shown.class_index])
    what = f"class {title}, model {model.name} version {model.version}"
    if not painted:
        said = f"Image without heat map: Grad-CAM explains nothing for {what}{where}{ending}"
        if model.unexplained:  # the reason comes last: what is said of the study is never cut off
            said = f"Image without heat map: {what}{where}{ending}; {model.unexplained}"
        return said[:MAX_DERIVATION]
    strength = STRENGTH if shown.found else FAINT
    return (
        f"Grad-CAM of {what}, blended over the displayed image with an opacity of {strength:g} "
        f"times the map; legend burned in{where}{ending}"
    )[:MAX_DERIVATION]
