from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_ai.domain import ImagePrediction
from tests.unit.results import samples

Images = Callable[..., list[ImagePrediction]]


@pytest.fixture
def images(tmp_path: Path) -> Images:
    """``images([0.1, 0.9], **values)``: CT slices with these lesion probabilities."""

    def make(lesion: list[float], **values: object) -> list[ImagePrediction]:
        made = []
        for number, p in enumerate(lesion, start=1):
            path = samples.save(samples.ct_slice(number, **values), tmp_path / f"{number}.dcm")
            made.append(samples.image(path, (1 - p, p)))
        return made

    return make
