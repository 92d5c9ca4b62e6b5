from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pacs_ai.domain import ClassSpec, Code, ImagePrediction, InstanceHeader
from pacs_ai.results.content.selection import (
    ShownClass,
    captures,
    explains,
    nearest_class,
    peak,
    reported_images,
)
from tests.unit.results.samples import (
    FOURTEEN_CLASSES,
    NO_FINDING,
    blob,
    model,
    study,
)


def picture(number: int, *probabilities: float, instance: int | None = None) -> ImagePrediction:
    header = InstanceHeader(
        Path(), "1", f"1.{instance or number}", "1", "1", "1", rows=9, columns=9
    )
    return ImagePrediction(header, number, probabilities, np.zeros((len(probabilities), 2, 2)))


def pictures(*lesion: float) -> list[ImagePrediction]:
    return [picture(number, 1 - p, p) for number, p in enumerate(lesion, start=1)]


def test_up_to_three_images_are_reported_one_by_one() -> None:
    assert reported_images(study(pictures(0.1, 0.9, 0.2))) == (0, 1, 2)


def test_of_a_long_series_only_the_decisive_image_is_reported() -> None:
    assert reported_images(study(pictures(0.1, 0.9, 0.2, 0.3))) == (1,)


def test_frames_of_one_instance_are_not_reported_beside_each_other() -> None:
    frames = [picture(1, 0.9, 0.1, instance=7), picture(2, 0.2, 0.8, instance=7)]
    assert reported_images(study(frames)) == ()
    assert reported_images(study([*frames, picture(3, 0.9, 0.1)])) == (1,)


def test_a_negative_study_shows_its_decisive_image_once() -> None:
    assert captures(study(pictures(0.1, 0.4, 0.2))) == (ShownClass(1, 1, found=False),)


def test_a_positive_study_shows_the_loudest_images_first_and_three_at_most() -> None:
    shown = captures(study(pictures(0.6, 0.1, 0.9, 0.8, 0.7)))
    assert [one.image for one in shown] == [2, 3, 4]
    assert all(one.found and one.class_index == 1 for one in shown)


def test_every_class_that_was_found_is_shown_before_any_is_shown_twice() -> None:
    first = [0.9, 0.8, 0.7, 0.6, 0.55] + [0.1] * 9
    second = [0.95, *first[1:]]
    identity = model(FOURTEEN_CLASSES, "sigmoid")
    shown = captures(study([picture(1, *first), picture(2, *second)], identity))
    assert [one.class_index for one in shown] == [0, 1, 2, 3, 4]
    assert shown[0].image == 1


def test_the_class_nearest_to_its_operating_point_counts_as_loudest() -> None:
    specs = [
        replace(FOURTEEN_CLASSES[0], threshold=0.9),
        replace(FOURTEEN_CLASSES[1], threshold=0.2),
    ]
    identity = model(tuple(specs), "sigmoid")
    assert nearest_class(study([picture(1, 0.3, 0.15)], identity)) == 1


def test_a_model_without_positive_classes_still_has_something_to_show() -> None:
    other = ClassSpec("Normal", Code("17621005", "SCT", "Normal"), 0.5, positive=False)
    prediction = study(pictures(0.3))
    assert captures(replace(prediction, model=model((NO_FINDING, other)))) == (
        ShownClass(0, 0, found=False),
    )


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, np.nan])
def test_a_map_that_is_the_same_everywhere_explains_nothing(value: float) -> None:
    flat = np.full((5, 5), value, dtype=np.float32)
    assert not explains(flat)
    assert peak(flat) is None


def test_the_peak_is_given_in_parts_of_the_image() -> None:
    saliency = np.zeros((4, 10), dtype=np.float32)
    saliency[1, 7] = 1
    assert peak(saliency) == pytest.approx((0.75, 0.375))
    assert explains(blob())
