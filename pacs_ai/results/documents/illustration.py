"""The picture on a page: the most probable image with its heat map."""

from pacs_ai.dicom.pixel_spacing import pixel_aspect
from pacs_ai.domain import ImagePrediction, StudyPrediction
from pacs_ai.results.common.codes import class_title
from pacs_ai.results.common.evidence import Evidence
from pacs_ai.results.content.positive_images import explained_images
from pacs_ai.results.content.report_level import image_name
from pacs_ai.results.content.study import AnalysedStudy
from pacs_ai.results.content.wording import percent
from pacs_ai.results.documents.page import Picture
from pacs_ai.results.images.lettering import Legend
from pacs_ai.results.images.overlay import FAINT, STRENGTH, draw
from pacs_ai.results.images.picture_geometry import size_within

LONGEST = 1024
"""Pixels of the picture's longer side: 150 to the inch on A4."""


def illustrate(study: AnalysedStudy) -> Picture:
    """Draw the picture."""
    prediction, evidence = study.prediction, study.evidence
    shown = explained_images(prediction)
    if not shown:
        image = prediction.images[prediction.decisive]
        pixels = draw(study.shown(image), None, Legend((), bar=False), _size(image, evidence))
        name = _name(prediction, image)
        reason = prediction.model.unexplained or "the heat map is the same everywhere"
        return Picture(pixels, f"{name}. No explanation: {reason}.")
    class_index = shown[0].class_index
    image = max(shown[0].images, key=lambda one: one.probabilities[class_index])
    spec = prediction.model.classes[class_index]
    found = class_index in prediction.positive_classes()
    pixels = draw(
        study.shown(image),
        image.saliency[class_index],
        Legend((), bar=True),
        _size(image, evidence),
        STRENGTH if found else FAINT,
    )
    caption = (
        f"{_name(prediction, image)}: where the model looked for {class_title(spec)} (Grad-CAM; "
        f"{percent(image.probabilities[class_index])} on this image). Not an outline of a disease."
    )
    return Picture(pixels, caption)


def _size(image: ImagePrediction, evidence: Evidence) -> tuple[int, int]:
    aspect = pixel_aspect(evidence.source(image.header), image.frame)
    return size_within(image.header.rows, image.header.columns, aspect, LONGEST)


def _name(prediction: StudyPrediction, image: ImagePrediction) -> str:
    place = next(n for n, one in enumerate(prediction.images) if one is image)
    name = image_name(place, image)
    return name[:1].upper() + name[1:]
