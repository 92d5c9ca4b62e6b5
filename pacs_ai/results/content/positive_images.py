"""The images on which a class is present: region reports, maps and key objects show these."""

from collections.abc import Sequence
from dataclasses import dataclass

from pacs_ai.domain import Decision, ImagePrediction, StudyPrediction
from pacs_ai.results.content.selection import explains, nearest

MAX_POSITIVE_IMAGES = 16
"""Most images shown for one class, the most probable ones. More boxes add no information."""

MAX_PIXELS = 1 << 26
"""Most pixels of all maps of one class together: 256 MiB as float32."""


@dataclass(frozen=True, slots=True)
class PositiveImages:
    """A class, by index, and the images it is present on, in the order of the study."""

    class_index: int
    images: tuple[ImagePrediction, ...]


def positive_images(prediction: StudyPrediction) -> list[PositiveImages]:
    """Return the classes that are present in the study, the most probable first.

    A class can be present in the mean of the images and on none of them. It is then shown on the
    image where it is most probable.
    """
    found = []
    for class_index in sorted(
        prediction.positive_classes(), key=lambda k: -prediction.probabilities[k]
    ):
        present = [
            image
            for image in prediction.images
            if prediction.model.decide(class_index, image.probabilities) is Decision.PRESENT
        ]
        shown = _most_probable(
            present or prediction.images, class_index, MAX_POSITIVE_IMAGES if present else 1
        )
        found.append(PositiveImages(class_index, shown))
    return found


def explained_images(prediction: StudyPrediction) -> list[PositiveImages]:
    """Return `positive_images`, or the `nearest` class and image if there are none.

    Images whose heat map is the same everywhere are left out: the map explains nothing. Where the
    maps of a class together would exceed `MAX_PIXELS`, the less probable images are left out.
    """
    shown = nearest(prediction)
    instead = PositiveImages(shown.class_index, (prediction.images[shown.image],))
    found = []
    for one in positive_images(prediction) or [instead]:
        with_map = [image for image in one.images if explains(image.saliency[one.class_index])]
        largest = max((i.header.rows * i.header.columns for i in with_map), default=1)
        room = max(1, MAX_PIXELS // max(1, largest))
        if with_map:
            found.append(
                PositiveImages(one.class_index, _most_probable(with_map, one.class_index, room))
            )
    return found


def _most_probable(
    images: Sequence[ImagePrediction], class_index: int, count: int
) -> tuple[ImagePrediction, ...]:
    """Choose the most probable images; they stay in their order."""
    ranked = sorted(range(len(images)), key=lambda index: -images[index].probabilities[class_index])
    return tuple(images[index] for index in sorted(ranked[:count]))
