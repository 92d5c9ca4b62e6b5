"""Pictures of a study on which two versions disagree: the image, and what each looked at."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from pacs_ai.analysis.predict import PredictedStudy
from pacs_ai.dicom.pixel_spacing import pixel_aspect
from pacs_ai.results.common.evidence import evidence_of
from pacs_ai.results.images.lettering import Legend, Picture
from pacs_ai.results.images.overlay import draw
from pacs_ai.results.images.picture_geometry import size_within

LONGEST = 448
"""Pixels of the longer side."""

_QUALITY = 85
_EXPLAINED = Legend((), bar=True)
_PLAIN = Legend((), bar=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """The pictures of a study as ``data:`` addresses: without heat map, and with that of each."""

    name: str
    plain: str
    heat: tuple[str, ...]


def show(predicted: Sequence[PredictedStudy], name: str) -> Shown:
    """Draw the image on which the class is most probable by either version.

    Parameters
    ----------
    predicted
        What the versions say of the study.
    name
        The class.
    """
    places = [[one.name for one in each.prediction.model.classes].index(name) for each in predicted]
    best = max(
        (image.probabilities[place], image.header.sop_instance_uid, image.frame)
        for each, place in zip(predicted, places, strict=True)
        for image in each.prediction.images
    )
    plain, heat = "", []
    for each, place in zip(predicted, places, strict=True):
        images = each.prediction.images
        image = next(
            (one for one in images if (one.header.sop_instance_uid, one.frame) == best[1:]),
            images[each.prediction.decisive],
        )
        header = image.header
        aspect = pixel_aspect(evidence_of(each.prediction).source(header), image.frame)
        size = size_within(header.rows, header.columns, aspect, LONGEST)
        grey = each.frames.shown(image)
        plain = plain or _address(draw(grey, None, _PLAIN, size))
        explained = not each.prediction.model.unexplained
        saliency = image.saliency[place] if explained else None
        heat.append(_address(draw(each.frames.shown(image), saliency, _EXPLAINED, size)))
    return Shown(name, plain, tuple(heat))


def _address(picture: Picture) -> str:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"
