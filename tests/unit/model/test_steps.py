"""A resize step and a scaling of our own, as docs/extending.md tells."""

import numpy as np
import pytest
from pydantic import ValidationError

from pacs_ai.model import spec as spec_module
from pacs_ai.model.preprocess import (
    affine,
    box_to_input,
    preprocess,
    saliency_to_image,
)
from pacs_ai.model.spec import InputSpec, Preprocess, preprocesses
from pacs_ai.model.steps import RESIZES, SCALINGS, Scaling, Size, Span


class Corner:
    """The upper left corner of the image, pixel for pixel."""

    def seen(self, image: Size, target: Size) -> Span:
        return 0, 0, min(image[0], target[0]), min(image[1], target[1])

    def content(self, seen: Size, target: Size) -> Span:  # noqa: ARG002 - see `Resize`
        return 0, 0, *seen


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> InputSpec:
    monkeypatch.setitem(RESIZES, "corner", Corner())
    monkeypatch.setitem(SCALINGS, "negative", Scaling((-1.0,) * 3, (-1.0,) * 3))
    monkeypatch.setattr(spec_module, "PREPROCESSES", preprocesses())
    return InputSpec(
        height=32, width=32, preprocess="corner-negative-v1", modalities=("CT",), max_images=1
    )


def test_a_new_step_gets_ids_of_its_own(spec: InputSpec) -> None:
    assert spec.steps == Preprocess("corner", "negative", 1)
    assert {"corner-v1", "corner-rgb-v1", "corner-caffe-rgb-v1", "stretch-negative-v1"} <= set(
        spec_module.PREPROCESSES
    )


def test_without_the_step_a_bundle_that_names_it_is_refused() -> None:
    with pytest.raises(ValidationError, match="unknown preprocess"):
        InputSpec(height=32, width=32, preprocess="corner-v1", modalities=("CT",), max_images=1)


def test_the_network_sees_what_the_steps_say(spec: InputSpec) -> None:
    image = np.zeros((48, 20), dtype=np.float32)
    image[:16, :10] = 0.75
    x = preprocess(image, spec)
    assert np.allclose(x[0, :16, :10], 0.25)
    assert np.allclose(x[0, 16:, :], 1)
    assert np.allclose(x[0, :, 20:], 1)  # padding is black before it is scaled
    assert [float(part[0]) for part in affine(spec)] == [-1, -1]


def test_heat_maps_and_boxes_follow_the_step(spec: InputSpec) -> None:
    maps = saliency_to_image(np.ones((1, 4, 4), dtype=np.float32), 64, 64, spec)
    assert maps.shape == (1, 32, 32)
    assert np.all(maps[0, :16, :16] == 1)
    assert not maps[0, 16:].any()
    assert not maps[0, :, 16:].any()
    assert box_to_input((8, 4, 40, 16), 64, 64, spec) == (8, 4, 32, 16)
    assert box_to_input((40, 40, 60, 60), 64, 64, spec) == (0, 0, 0, 0)
