"""The first picture of a series is the one to look at first."""

from dataclasses import replace
from pathlib import Path

import pytest

from pacs_ai.results.content.selection import captures
from tests.unit.results.conftest import Images
from tests.unit.results.images.test_capture import capture
from tests.unit.results.samples import FOURTEEN_CLASSES, ct_slice, image, model, save, study


def test_the_first_picture_of_an_image_is_what_is_read_first(tmp_path: Path) -> None:
    path = save(ct_slice(), tmp_path / "1.dcm")
    chances = [0.6, 0.1, 0.99, *[0.1] * 11]
    prediction = study([image(path, chances)], model(FOURTEEN_CLASSES, "sigmoid"))
    numbers = {int(capture(prediction, n).InstanceNumber): n for n in range(2)}
    assert [captures(prediction)[numbers[n]].class_index for n in sorted(numbers)] == [2, 0]


@pytest.mark.parametrize("lesion", [[0.6, 0.99, 0.7], [0.9, 0.2, 0.91]])
def test_the_first_picture_of_a_series_is_the_decisive_image(
    images: Images, lesion: list[float]
) -> None:
    prediction = study(images(lesion))
    made = [capture(prediction, n) for n in range(len(captures(prediction)))]
    first = min(made, key=lambda one: int(one.InstanceNumber))
    decisive = prediction.images[prediction.decisive].header.sop_instance_uid
    assert first.SourceImageSequence[0].ReferencedSOPInstanceUID == decisive


def test_what_is_undetermined_comes_after_what_is_present(tmp_path: Path) -> None:
    specs = tuple(replace(one, undetermined=(0.4, 0.95)) for one in FOURTEEN_CLASSES[:2])
    path = save(ct_slice(), tmp_path / "1.dcm")
    numbers = []
    for chances in ((0.96, 0.1), (0.94, 0.1), (0.3, 0.1)):
        made = capture(study([image(path, chances)], model(specs, "sigmoid")))
        numbers.append(int(made.InstanceNumber))
    assert numbers == [41, 1062, 2703]
