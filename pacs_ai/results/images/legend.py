"""The text on a picture: the decision on its image first, the research marking last."""

from collections.abc import Iterator

from pacs_ai.coverage import Coverage
from pacs_ai.domain import Decision, ImagePrediction, ModelIdentity
from pacs_ai.results.common.codes import class_title
from pacs_ai.results.content.report_level import tells
from pacs_ai.results.content.reservations import coverage_text, reservation_text
from pacs_ai.results.content.wording import operating_point, percent
from pacs_ai.results.images.overlay import AMBER, WHITE, Legend, Line, headline

NOTICE = "AI RESEARCH - NOT FOR CLINICAL USE"
NOTHING = "Nothing found"
"""Text for an image on which no class is present or undetermined."""

INCOMPLETE = "Incompletely analysed"
"""Text instead of `NOTHING` where too little of the study was analysed."""


_SIDES = {"L": "left", "R": "right", "B": "both sides"}


def legend_of(
    model: ModelIdentity,
    image: ImagePrediction,
    class_index: int,
    coverage: Coverage,
    *,
    painted: bool,
) -> Legend:
    """Word the legend of one class on one image.

    Parameters
    ----------
    model, image, class_index
        The image and class that are shown, and the model.
    coverage
        How much of the study was analysed.
    painted
        Whether there is a heat map.

    Notes
    -----
    The legend is about this image alone; the report states the result of the study. Images that
    were not analysed are stated here too: otherwise "nothing found" reads as true of the study.
    """
    spec = model.classes[class_index]
    decision = model.decide(class_index, image.probabilities)
    said = plain = f"{class_title(spec)}: {percent(image.probabilities[class_index])}"
    if decision is not None:
        said = f"{class_title(spec)}: {decision}, {percent(image.probabilities[class_index])}"
    if decision is not None and not tells(model, image):
        first, before = headline(NOTHING), f"{said}, "
        if coverage.incomplete:
            first = headline(f"{INCOMPLETE}: {coverage.extent}", AMBER)
            before = f"nothing found on this image, {plain}, "
    else:
        colour = AMBER if decision is Decision.PRESENT else WHITE
        first, before = headline(said, colour), ""
    detail = [f"{before}threshold {operating_point(spec)}"] if decision is not None else []
    if doubt := model.doubt(class_index, image.probabilities):
        detail.append(doubt)
    if not painted:
        detail.append(f"no explanation: {model.unexplained or 'the heat map is flat'}")
    detail += [f"model {model.name} {model.version}", *_place(image)]
    cautions = [reservation_text(image), coverage_text(coverage)]
    return Legend(
        (
            first,
            Line("   ".join(detail)),
            *(Line(caution, AMBER) for caution in cautions if caution),
            Line(NOTICE, AMBER),
        ),
        bar=painted,
    )


def _place(image: ImagePrediction) -> Iterator[str]:
    """Say which image of the study is shown: its view and side, its number as a viewer has it."""
    header = image.header
    if header.view_position:
        yield f"view {header.view_position}"
    if header.laterality in _SIDES:
        yield _SIDES[header.laterality]
    if header.frames > 1:
        yield f"frame {image.frame} of {header.frames}"
    elif header.instance_number > 0:
        yield f"image {header.instance_number}"
