"""Which images and classes of a study a result shows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pacs_ai.domain import Decision, StudyPrediction

MAX_REPORTED = 3
"""Studies of up to so many images are reported image by image, longer ones by the decisive one."""

MAX_CAPTURES = 3
"""Captures of a study, unless more classes than that were found: each gets one."""

_FLAT = 1e-6
_READ_FIRST = (Decision.PRESENT, Decision.UNDETERMINED)


def reading_order(decision: Decision | None, probability: float) -> tuple[int, float]:
    """Sort classes by this: present, undetermined, the rest; of equals the more probable."""
    rank = _READ_FIRST.index(decision) if decision in _READ_FIRST else len(_READ_FIRST)
    return rank, -probability


@dataclass(frozen=True, slots=True)
class Shown:
    """One capture: a class on an image. ``image`` and ``klass`` are indices."""

    image: int
    klass: int
    found: bool


def reported_images(prediction: StudyPrediction) -> tuple[int, ...]:
    """Choose the images, by index, that a report states probabilities of.

    Notes
    -----
    Readers tell the groups of a report apart by the instances they refer to. So frames of one
    instance are not reported beside each other, nor beside a study that is this one instance.
    """
    images = prediction.images
    instances = {image.header.sop_instance_uid for image in images}
    if len(images) <= MAX_REPORTED and len(instances) == len(images):
        return tuple(range(len(images)))
    return (prediction.decisive,) if len(instances) > 1 else ()


def captures(prediction: StudyPrediction) -> tuple[Shown, ...]:
    """Choose what is drawn, the most important first.

    Every class found in the study is shown on the image where it is loudest; what is left of
    `MAX_CAPTURES` goes to the next images where a class is found. Where none is found, it is what
    came `nearest`.
    """
    found = [
        Shown(index, klass, found=True)
        for klass in prediction.positive_classes()
        for index, image in enumerate(prediction.images)
        if prediction.model.classes[klass].decide(image.probabilities[klass]) is Decision.PRESENT
    ]
    found.sort(key=lambda shown: -_probability(prediction, shown))
    if not found:
        return (nearest(prediction),)
    first = {shown.klass: shown for shown in reversed(found)}.values()
    chosen = [shown for shown in found if shown in first]
    rest = [shown for shown in found if shown not in first]
    chosen += rest[: max(0, MAX_CAPTURES - len(chosen))]
    return tuple(chosen)


def every_image(prediction: StudyPrediction) -> tuple[Shown, ...]:
    """Show every image with one class, the most important: so that one colour means one thing."""
    klass = captures(prediction)[0].klass
    spec = prediction.model.classes[klass]
    return tuple(
        Shown(index, klass, spec.decide(image.probabilities[klass]) is Decision.PRESENT)
        for index, image in enumerate(prediction.images)
    )


def nearest(prediction: StudyPrediction) -> Shown:
    """Choose what a study shows in which no class is present.

    The most probable class that is undetermined, on the image where it is most probable; if there
    is none, the class that came nearest to its operating point on the decisive image.
    """
    classes, images = prediction.model.classes, prediction.images
    unsure = [
        (probability, klass)
        for klass, (spec, probability) in enumerate(
            zip(classes, prediction.probabilities, strict=True)
        )
        if spec.decide(probability) is Decision.UNDETERMINED
    ]
    if unsure:
        _, klass = max(unsure)
        image = max(range(len(images)), key=lambda n: images[n].probabilities[klass])
    else:
        klass, image = loudest_class(prediction), prediction.decisive
    # a mean may be below the operating point where this image is above it
    found = classes[klass].decide(images[image].probabilities[klass]) is Decision.PRESENT
    return Shown(image, klass, found)


def loudest_class(prediction: StudyPrediction) -> int:
    """Index of the positive class that came nearest to its operating point on the decisive image.

    A model without any positive class shows its first.
    """
    image = prediction.images[prediction.decisive]
    positive = [index for index, spec in enumerate(prediction.model.classes) if spec.positive]
    return max(
        positive or [0],
        key=lambda k: image.probabilities[k] - prediction.model.classes[k].threshold,
    )


def explains(saliency: npt.NDArray[np.float32]) -> bool:
    """Tell whether a map points anywhere; one that is the same everywhere does not.

    Parameters
    ----------
    saliency
        Shape (h, w).
    """
    return bool(np.isfinite(saliency).all() and np.ptp(saliency) > _FLAT)


def peak(saliency: npt.NDArray[np.float32]) -> tuple[float, float] | None:
    """Find where a map is strongest.

    Parameters
    ----------
    saliency
        Shape (h, w).

    Returns
    -------
    (x, y) or None
        Centre of the strongest element in parts of width and height, each in (0, 1); None if the
        map explains nothing.
    """
    if not explains(saliency):
        return None
    height, width = saliency.shape
    row, column = divmod(int(np.argmax(saliency)), width)
    return (column + 0.5) / width, (row + 0.5) / height


def _probability(prediction: StudyPrediction, shown: Shown) -> float:
    return prediction.images[shown.image].probabilities[shown.klass]
