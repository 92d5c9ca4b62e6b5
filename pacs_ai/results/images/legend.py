"""The text on a picture: the decision on its image first, the research marking last."""

from collections.abc import Iterator, Sequence

from pacs_ai.coverage import Coverage
from pacs_ai.domain import Decision, ImagePrediction, ModelIdentity, StudyPrediction
from pacs_ai.results.common.codes import class_title
from pacs_ai.results.content.report_level import NOTABLE_DECISIONS, image_name, tells
from pacs_ai.results.content.reservations import CAUTION, coverage_text, reservation_text
from pacs_ai.results.content.selection import ShownClass, reading_order
from pacs_ai.results.content.wording import operating_point, percent
from pacs_ai.results.images.lettering import AMBER, WHITE, Legend, Line, headline

NOTICE = "AI RESEARCH - NOT FOR CLINICAL USE"
NOTHING = "Nothing found"
"""Text for an image on which no class is present or undetermined."""

INCOMPLETE = "Incompletely analysed"
"""Text instead of `NOTHING` where too little of the study was analysed."""

_NAMED = 3  # classes in the headline of a contact sheet
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
    yield from _view(image)
    if header.frames > 1:
        yield f"frame {image.frame} of {header.frames}"
    elif header.instance_number > 0:
        yield f"image {header.instance_number}"


def _view(image: ImagePrediction) -> Iterator[str]:
    header = image.header
    if header.view_position:
        yield f"view {header.view_position}"
    if header.laterality in _SIDES:
        yield _SIDES[header.laterality]


def sheet_legend(prediction: StudyPrediction, shown: Sequence[ShownClass], *, bar: bool) -> Legend:
    """Word the legend of a contact sheet: what the model says of the study, and what is shown.

    Parameters
    ----------
    prediction
        Of the study.
    shown
        The tiles.
    bar
        Whether any tile has a heat map.
    """
    model = prediction.model
    detail = [_count(prediction, shown)]
    if len(points := {operating_point(model.classes[one.class_index]) for one in shown}) == 1:
        detail.append(f"threshold {points.pop()}")
    if not bar and not model.unexplained:
        detail.append("no explanation: the heat maps are flat")
    detail.append(f"model {model.name} {model.version}")
    reasons = [one.text for one in prediction.reservations]
    return Legend(
        (
            _of_study(prediction),
            Line("   ".join(detail)),
            *(Line(f"{CAUTION}: {reason}", AMBER) for reason in reasons),
            Line(NOTICE, AMBER),
        ),
        bar=bar,
    )


def _of_study(prediction: StudyPrediction) -> Line:
    """Name what is present or undetermined in the study, or say that nothing is."""
    model, chances = prediction.model, prediction.probabilities
    decided = {k: model.decide(k, chances) for k in range(len(model.classes))}
    notable = [k for k, decision in decided.items() if decision in NOTABLE_DECISIONS]
    notable.sort(key=lambda k: reading_order(decided[k], chances[k]))
    said = [
        f"{class_title(model.classes[k])}: {decided[k]}, {percent(chances[k])}" for k in notable
    ]
    whole = " (whole study)" if len(prediction.images) > 1 else ""
    if not said and prediction.coverage.incomplete:
        return headline(f"{INCOMPLETE}: {prediction.coverage.extent}", AMBER)
    if not said:
        return headline(f"{NOTHING}{whole}")
    more = f"; {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    colour = AMBER if Decision.PRESENT in decided.values() else WHITE
    return headline(f"{'; '.join(said[:_NAMED])}{more}{whole}", colour)


def _count(prediction: StudyPrediction, shown: Sequence[ShownClass]) -> str:
    """Say how many of the analysed images are shown."""
    seen, total = len({one.image for one in shown}), len(prediction.images)
    frames = any(image.header.frames > 1 for image in prediction.images)
    unit = f"analysed {'frame' if frames else 'image'}"
    if total == 1:
        return f"the only {unit}"
    counted = f"{seen} of {total} {unit}s" if seen < total else f"all {total} {unit}s"
    return f"{counted}, the most important first"


def tile_lines(
    prediction: StudyPrediction, shown: ShownClass, *, series: bool
) -> tuple[Line, Line]:
    """Word what is written below a tile: the decision on its image, and which image it is.

    Parameters
    ----------
    prediction
        Of the study.
    shown
        The tile.
    series
        Whether the number of the series is said, as images of several series are shown.

    Notes
    -----
    "Absent" is not said of an image of a study that was analysed incompletely, as in `legend_of`.
    """
    model, image = prediction.model, prediction.images[shown.image]
    decision = model.decide(shown.class_index, image.probabilities)
    if decision is Decision.ABSENT and prediction.coverage.incomplete:
        decision = None
    stated = percent(image.probabilities[shown.class_index])
    parts = stated if decision is None else f"{decision}, {stated}"
    said = f"{class_title(model.classes[shown.class_index])}: {parts}"
    place = [*_view(image), image_name(shown.image, image)]
    if series:
        place.insert(0, f"series {image.header.series_number}")
    colour = AMBER if decision is Decision.PRESENT else WHITE
    return Line(said, colour), Line("   ".join(place))
