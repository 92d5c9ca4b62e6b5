"""Which images speak for the classes that are present: what region, map and key objects show."""

from collections.abc import Sequence
from dataclasses import dataclass

from pacs_ai.domain import Decision, ImagePrediction, StudyPrediction
from pacs_ai.results.content.selection import explains, nearest

MAX_POSITIVES = 16
"""Images shown of a class at most, the most probable: a hundred boxes tell no more than these."""

MAX_PIXELS = 1 << 26
"""Pixels of all the maps of a class together: 256 MiB as numbers."""


@dataclass(frozen=True, slots=True)
class Positive:
    """A class and the images that speak for it, in the order of the study."""

    klass: int
    images: tuple[ImagePrediction, ...]


def positives(prediction: StudyPrediction) -> list[Positive]:
    """Return the classes that are present in the study, the most probable first.

    A class that is present in the mean of the images and in none of them is shown on the one that
    comes nearest.
    """
    found = []
    for klass in sorted(prediction.positive_classes(), key=lambda k: -prediction.probabilities[k]):
        spec = prediction.model.classes[klass]
        loud = [
            image
            for image in prediction.images
            if spec.decide(image.probabilities[klass]) is Decision.PRESENT
        ]
        shown = _loudest(loud or prediction.images, klass, MAX_POSITIVES if loud else 1)
        found.append(Positive(klass, shown))
    return found


def explained(prediction: StudyPrediction) -> list[Positive]:
    """Return `positives`, or what came `nearest` if there are none.

    Images whose heat map is the same everywhere are left out: they explain nothing. So are the
    less probable of images so large that their maps would fill the memory.
    """
    shown = nearest(prediction)
    instead = Positive(shown.klass, (prediction.images[shown.image],))
    found = []
    for one in positives(prediction) or [instead]:
        with_map = [image for image in one.images if explains(image.saliency[one.klass])]
        largest = max((i.header.rows * i.header.columns for i in with_map), default=1)
        room = max(1, MAX_PIXELS // max(1, largest))
        if with_map:
            found.append(Positive(one.klass, _loudest(with_map, one.klass, room)))
    return found


def _loudest(
    images: Sequence[ImagePrediction], klass: int, count: int
) -> tuple[ImagePrediction, ...]:
    """Choose the most probable images; they stay in their order."""
    ranked = sorted(range(len(images)), key=lambda index: -images[index].probabilities[klass])
    return tuple(images[index] for index in sorted(ranked[:count]))
