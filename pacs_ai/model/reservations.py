"""Reservations: why a reader must take care with the prediction of a study."""

from collections.abc import Iterator, Sequence

from pacs_ai.coverage import NOT_RECEIVED, OTHER_ORIENTATION, THINNED, UNREADABLE
from pacs_ai.dicom.rendering_reservation import RenderingReservation
from pacs_ai.domain import (
    Code,
    ImagePrediction,
    Reservation,
    StudyPrediction,
)
from pacs_ai.errors import ResultWithheld
from pacs_ai.model.applicability import Misfit

SCHEME = "99PACSAI"
OUTLIER = Code("OUTLIER", SCHEME, "Unlike the training images (limit 100 %)")
UNDECIDED = Code("UNDETERMINED", SCHEME, "Undetermined: no single answer at this confidence")
UNEXPLAINED = Code("NOEXPLANATION", SCHEME, "Not explained: images without a heat map")
PASSED_OVER = Code("NOTCHOSEN", SCHEME, "Images not analysed: the model is shown others")
INCOMPLETE = Code("INCOMPLETE", SCHEME, "Incompletely analysed: images not looked at")

_OUTLIER_SHARE = 0.05
"""A few images of a long series lie beyond the limit by chance; a larger share is reported."""

_MISFITS = {
    Misfit.BODY_PART: "OUTBODYPART",
    Misfit.VIEW: "OUTVIEW",
    Misfit.PHOTOMETRIC: "OUTPHOTOMETRIC",
    Misfit.SIZE: "OUTSIZE",
    Misfit.AGE: "OUTAGE",
}
_RENDERING = {
    RenderingReservation.WINDOW: (
        Code("NOWINDOW", SCHEME, "Window of the image not usable"),
        "shown without the window of the header, which is not usable",
    ),
    RenderingReservation.UNITS: (
        Code("NOUNITS", SCHEME, "Not in Hounsfield units"),
        "not in Hounsfield units, so that the window of the model is not applied",
    ),
    RenderingReservation.BLANK: (
        Code("BLANK", SCHEME, "Blank: less than 2 % of the display range used"),
        "blank: less than 2 % of the display range is used",
    ),
}

_LEFT_OUT = {
    UNREADABLE: "NOTREADABLE",
    OTHER_ORIENTATION: "NOTORIENTED",
    THINNED: "NOTTAKEN",
    NOT_RECEIVED: "NOTRECEIVED",
}
"""Codes of the reasons why images were not analysed."""


def reservations_of(prediction: StudyPrediction) -> tuple[Reservation, ...]:
    """Find the images of a study that were not analysed, or that the model was not made for.

    Parameters
    ----------
    prediction
        Of the study.

    Returns
    -------
    tuple of Reservation
        First that the model has no heat maps, if it has none. Then that the analysis is incomplete,
        and a share for each reason why images were left out. Then the findings that their
        prediction sets leave undetermined.
        Then the distance from the images of training, if the decisive image is beyond the limit, or
        more than a twentieth of all images. Then a share for each attribute that is outside the
        intended use, and for each way in which images could not be shown as their headers ask.
    """
    return (
        *_unexplained(prediction),
        *_unseen(prediction),
        *_undecided(prediction),
        *_outliers(prediction),
        *_misfits(prediction),
    )


def check_withheld(reservations: Sequence[Reservation]) -> None:
    """Refuse a study of images unlike those of training.

    Raises
    ------
    ResultWithheld
        If one of the reservations is `OUTLIER`.
    """
    for reservation in reservations:
        if reservation.code == OUTLIER:
            raise ResultWithheld(f"the result is withheld: {reservation.text}")


def _unexplained(prediction: StudyPrediction) -> Iterator[Reservation]:
    if reason := prediction.model.unexplained:
        yield Reservation(UNEXPLAINED, 100.0, f"no explanation: {reason}", prediction.decisive)


def _unseen(prediction: StudyPrediction) -> Iterator[Reservation]:
    coverage = prediction.coverage
    if coverage.incomplete:
        text = f"incompletely analysed, {coverage.extent}: what was not found may be in the others"
        yield Reservation(INCOMPLETE, 100 * coverage.lost_share, text, prediction.decisive)
    for words, unseen in coverage.reasons:
        share = 100 * unseen.count / coverage.total
        text = f"{coverage.extent} analysed: {unseen.count} {words}{unseen}"
        code = Code(_LEFT_OUT[words], SCHEME, f"Images not analysed: {words}")
        yield Reservation(code, share, text, prediction.decisive)
    if over := coverage.left_out.passed_over:
        share = 100 * over / (coverage.total + over)
        text = f"{coverage.extent} analysed: the model is shown no others"
        yield Reservation(PASSED_OVER, share, text, prediction.decisive)


def _undecided(prediction: StudyPrediction) -> Iterator[Reservation]:
    """Name the findings whose prediction sets do not hold the answer of the operating point."""
    model, chances = prediction.model, prediction.probabilities
    if model.sets is None:
        return
    doubts = [
        f"{spec.name}: {doubt}"
        for index, spec in enumerate(model.classes)
        if (doubt := model.doubt(index, chances))
    ]
    if doubts:
        percent = 100 * model.sets.confidence
        text = f"undetermined at {percent:g} % confidence: {'; '.join(doubts)}"
        yield Reservation(UNDECIDED, percent, text, prediction.decisive)


def _outliers(prediction: StudyPrediction) -> Iterator[Reservation]:
    images = prediction.images
    scores = [image.outlier or 0.0 for image in images]
    beyond = [index for index, image in enumerate(images) if image.is_outlier]
    if prediction.decisive in beyond:
        shown = prediction.decisive
    elif len(beyond) > _OUTLIER_SHARE * len(images):
        shown = max(beyond, key=lambda index: scores[index])
    else:
        return
    distance = f"{scores[shown]:.1f} times the limit"
    yield Reservation(
        OUTLIER,
        100 * scores[shown],
        f"{_counted(beyond, images)} unlike those the model learned from ({distance})",
        shown,
    )


def _misfits(prediction: StudyPrediction) -> Iterator[Reservation]:
    for misfit, value in _MISFITS.items():
        code = Code(value, SCHEME, f"Outside the intended use: {misfit}")
        what = f"outside of what the model was made for: {misfit}"
        yield from _share(prediction, misfit, code, what)
    for reservation, (code, what) in _RENDERING.items():
        if reservation is not RenderingReservation.BLANK or _matters(prediction, reservation):
            yield from _share(prediction, reservation, code, what)


def _matters(prediction: StudyPrediction, misfit: str) -> bool:
    """Tell whether the decisive image has a misfit, or more images than a few at the ends."""
    images = prediction.images
    affected = [misfit in image.misfits for image in images]
    return affected[prediction.decisive] or sum(affected) > _OUTLIER_SHARE * len(images)


def _share(
    prediction: StudyPrediction, misfit: str, code: Code, what: str
) -> Iterator[Reservation]:
    """Say which part of the images has a misfit, if any."""
    images = prediction.images
    affected = [index for index, image in enumerate(images) if misfit in image.misfits]
    if affected:
        yield Reservation(
            code,
            100 * len(affected) / len(images),
            f"{_counted(affected, images)} {what}",
            prediction.decisive if prediction.decisive in affected else affected[0],
        )


def _counted(some: Sequence[int], images: Sequence[ImagePrediction]) -> str:
    if len(images) == 1:
        return "the image is"
    if len(some) == len(images):
        return f"all {len(images)} images are"
    return f"{len(some)} of {len(images)} images {'is' if len(some) == 1 else 'are'}"
