"""What is written on a picture: the decision on its own image first, the research marking last."""

from pacs_ai.domain import Decision, ImagePrediction, ModelIdentity
from pacs_ai.results.cautions import caution_text
from pacs_ai.results.codes import class_title
from pacs_ai.results.levels import TOLD
from pacs_ai.results.overlay import AMBER, WHITE, Legend, Line, headline
from pacs_ai.results.wording import operating_point, percent

NOTICE = "AI RESEARCH - NOT FOR CLINICAL USE"
NOTHING = "Nothing found"
"""Said of an image on which no class is present or undetermined."""


def legend_of(model: ModelIdentity, image: ImagePrediction, klass: int, *, painted: bool) -> Legend:
    """Word the legend of one class on one image.

    Parameters
    ----------
    model, image, klass
        What is shown: ``klass`` is the index of the class.
    painted
        Whether there is a heat map.

    Notes
    -----
    It tells of this image alone: what the study comes to stands in the report.
    """
    spec = model.classes[klass]
    decision = spec.decide(image.probabilities[klass])
    said = f"{class_title(spec)}: {percent(image.probabilities[klass])}"
    if decision is not None:
        said = f"{class_title(spec)}: {decision}, {percent(image.probabilities[klass])}"
    if decision is not None and not _told(model, image):
        first, before = headline(NOTHING), f"{said}, "
    else:
        colour = AMBER if decision is Decision.PRESENT else WHITE
        first, before = headline(said, colour), ""
    detail = [f"{before}threshold {operating_point(spec)}"] if decision is not None else []
    if not painted:
        detail.append("no explanation: the heat map is flat")
    detail.append(f"model {model.name} {model.version}")
    caution = caution_text(image)
    return Legend(
        (
            first,
            Line("   ".join(detail)),
            *([Line(caution, AMBER)] if caution else []),
            Line(NOTICE, AMBER),
        ),
        bar=painted,
    )


def _told(model: ModelIdentity, image: ImagePrediction) -> bool:
    """Tell whether any class is present or undetermined on the image."""
    return any(
        spec.decide(p) in TOLD for spec, p in zip(model.classes, image.probabilities, strict=True)
    )
