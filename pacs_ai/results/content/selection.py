"""Which images and classes of a study a result shows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pacs_ai.domain import Decision, ImagePrediction, ModelIdentity, StudyPrediction

MAX_REPORTED = 3
"""Most images of a study that are reported one by one; of more, only the decisive one is."""

MAX_CAPTURES = 3
"""Most captures of a study. Where more classes were found, each class gets one."""

MAX_TILES = 9
"""Most tiles of a contact sheet."""

_FLAT = 1e-6
_READ_FIRST = (Decision.PRESENT, Decision.UNDETERMINED)


def reading_order(decision: Decision | None, probability: float) -> tuple[int, float]:
    """Sort key of a class: present, undetermined, the rest; then the more probable first."""
    rank = _READ_FIRST.index(decision) if decision in _READ_FIRST else len(_READ_FIRST)
    return rank, -probability


@dataclass(frozen=True, slots=True)
class ShownClass:
    """A class shown on an image. ``image`` and ``class_index`` are indices in the prediction."""

    image: int
    class_index: int
    found: bool


def reported_images(prediction: StudyPrediction) -> tuple[int, ...]:
    """Choose the images, by index, that a report states probabilities of.

    Notes
    -----
    Viewers distinguish the groups of a report by the instances they refer to. Therefore frames of
    one instance are not reported side by side, nor beside a study that is this one instance.
    """
    images = prediction.images
    instances = {image.header.sop_instance_uid for image in images}
    if len(images) <= MAX_REPORTED and len(instances) == len(images):
        return tuple(range(len(images)))
    return (prediction.decisive,) if len(instances) > 1 else ()


def captures(prediction: StudyPrediction) -> tuple[ShownClass, ...]:
    """Choose what is drawn, the most important first.

    Every class found in the study is shown on the image where it is most probable. What is left of
    `MAX_CAPTURES` goes to the next images where a class is found. Where no class is found, the
    `nearest` is shown.
    """
    found = [
        ShownClass(index, class_index, found=True)
        for class_index in prediction.positive_classes()
        for index, image in enumerate(prediction.images)
        if prediction.model.decide(class_index, image.probabilities) is Decision.PRESENT
    ]
    found.sort(key=lambda shown: -_probability(prediction, shown))
    if not found:
        return (nearest(prediction),)
    first = {shown.class_index: shown for shown in reversed(found)}.values()
    chosen = [shown for shown in found if shown in first]
    rest = [shown for shown in found if shown not in first]
    chosen += rest[: max(0, MAX_CAPTURES - len(chosen))]
    return tuple(chosen)


def every_image(prediction: StudyPrediction) -> tuple[ShownClass, ...]:
    """Show the most important class on every image, so that a colour means the same everywhere."""
    class_index = captures(prediction)[0].class_index
    decisions = [prediction.model.decide(class_index, i.probabilities) for i in prediction.images]
    return tuple(
        ShownClass(index, class_index, decision is Decision.PRESENT)
        for index, decision in enumerate(decisions)
    )


def contact_images(prediction: StudyPrediction) -> tuple[ShownClass, ...]:
    """Choose the tiles of a contact sheet, at most `MAX_TILES`, the most important first.

    First what captures show: each class that was found, on the image where it is most probable.
    Then the other images, each once, with the class that is read first there.
    """
    chosen = captures(prediction)[:MAX_TILES]
    taken = {one.image for one in chosen}
    model, images = prediction.model, prediction.images
    rest = []
    for index, image in enumerate(images):
        if index not in taken:
            class_index = _read_first(model, image)
            decision = model.decide(class_index, image.probabilities)
            order = reading_order(decision, image.probabilities[class_index])
            rest.append((order, ShownClass(index, class_index, decision is Decision.PRESENT)))
    rest.sort(key=lambda one: one[0])
    return (*chosen, *(one for _, one in rest[: MAX_TILES - len(chosen)]))


def _read_first(model: ModelIdentity, image: ImagePrediction) -> int:
    """Choose the class that is read first on an image; the nearest one if none is found there."""
    ranked = {
        index: reading_order(model.decide(index, image.probabilities), image.probabilities[index])
        for index, spec in enumerate(model.classes)
        if spec.positive
    }
    notable = {index: order for index, order in ranked.items() if order[0] < len(_READ_FIRST)}
    if notable:
        return min(notable, key=notable.__getitem__)
    return _nearest_on(model, image)


def nearest(prediction: StudyPrediction) -> ShownClass:
    """Choose the class and image to show where no class is present.

    The most probable class that is undetermined, on the image where it is most probable; if there
    is none, the class that came nearest to its operating point on the decisive image.
    """
    model, images = prediction.model, prediction.images
    unsure = [
        (probability, class_index)
        for class_index, probability in enumerate(prediction.probabilities)
        if model.decide(class_index, prediction.probabilities) is Decision.UNDETERMINED
    ]
    if unsure:
        _, class_index = max(unsure)
        image = max(range(len(images)), key=lambda n: images[n].probabilities[class_index])
    else:
        class_index, image = nearest_class(prediction), prediction.decisive
    # a mean may be below the operating point where this image is above it
    found = model.decide(class_index, images[image].probabilities) is Decision.PRESENT
    return ShownClass(image, class_index, found)


def nearest_class(prediction: StudyPrediction) -> int:
    """Index of the positive class that came nearest to its operating point on the decisive image.

    A model without any positive class shows its first.
    """
    return _nearest_on(prediction.model, prediction.images[prediction.decisive])


def _nearest_on(model: ModelIdentity, image: ImagePrediction) -> int:
    positive = [index for index, spec in enumerate(model.classes) if spec.positive]
    return max(positive or [0], key=lambda k: image.probabilities[k] - model.classes[k].threshold)


def explains(saliency: npt.NDArray[np.float32]) -> bool:
    """Tell whether a map has a peak; a map that is the same everywhere has none.

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


def _probability(prediction: StudyPrediction, shown: ShownClass) -> float:
    return prediction.images[shown.image].probabilities[shown.class_index]
