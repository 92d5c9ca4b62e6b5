"""Which images speak for the classes that are present: what region, map and key objects show."""

from dataclasses import dataclass

from pacs_ai.domain import Decision, ImagePrediction, StudyPrediction
from pacs_ai.results.selection import explains, loudest_class

MAX_POSITIVES = 16
"""Images shown of a class at most, the most probable: a hundred boxes tell no more than these."""


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
        ranked = sorted(prediction.images, key=lambda image: -image.probabilities[klass])
        loud = [
            image for image in ranked if spec.decide(image.probabilities[klass]) is Decision.PRESENT
        ]
        shown = (loud or ranked[:1])[:MAX_POSITIVES]
        found.append(Positive(klass, tuple(i for i in prediction.images if _among(i, shown))))
    return found


def explained(prediction: StudyPrediction) -> list[Positive]:
    """Return `positives`, or the class that came nearest on the decisive image if there are none.

    Images whose heat map is the same everywhere are left out: they explain nothing.
    """
    nearest = Positive(loudest_class(prediction), (prediction.images[prediction.decisive],))
    with_map = [
        Positive(one.klass, tuple(i for i in one.images if explains(i.saliency[one.klass])))
        for one in positives(prediction) or [nearest]
    ]
    return [one for one in with_map if one.images]


def _among(image: ImagePrediction, others: list[ImagePrediction]) -> bool:
    return any(image is other for other in others)
