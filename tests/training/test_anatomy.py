"""What anatomy forbids is refused, whatever the recipe switches on."""

import pytest

from pacs_ai.errors import ConfigError
from training.recipe.recipe import load_recipe

SIDED = [
    {
        "name": name,
        "positive": True,
        "threshold": 0.5,
        "code": {"value": str(number), "scheme": "99X", "meaning": meaning},
    }
    for number, (name, meaning) in enumerate(
        (("effusion_left", "Pleural effusion"), ("other", "Effusion of the right side"))
    )
]
BESIDE = [entry | {"name": name, "code": entry["code"] | {"meaning": "Copyright, upright"}}
          for entry, name in zip(SIDED, ("cleft", "brightness"), strict=True)]  # fmt: skip
PARTS = {"body_parts": ["chest"]}


@pytest.mark.parametrize(
    "augmentation",
    [{"flip_horizontal": True}, {"flip_vertical": True}, {"rotation_degrees": 91}, {"cutmix": 1}],
)
def test_classes_that_name_a_side_are_not_mirrored(
    augmentation: dict[str, object],
) -> None:
    over = {
        "augmentation": {"flip_horizontal": False, **augmentation},
        "optimisation": {"map_weight": 0.0},
    }
    key = next(iter(augmentation))
    with pytest.raises(ConfigError, match=f"augmentation.{key}.*'effusion_left'"):
        load_recipe("phantom", {**over, "classes": SIDED})
    assert load_recipe("phantom", {**over, "classes": BESIDE})


def test_a_chest_radiograph_is_never_mirrored() -> None:
    over = {"input": {"modalities": ["CR", "DX"]}, "export": {"applicability": PARTS}}
    with pytest.raises(ConfigError, match="heart lies on the left"):
        load_recipe("phantom", over)
    assert load_recipe("phantom", {**over, "augmentation": {"flip_horizontal": False}})
    assert load_recipe("phantom", {**over, "input": {"modalities": ["CT"]}})


def test_a_mixed_image_has_no_box() -> None:
    with pytest.raises(ConfigError, match="map_weight"):
        load_recipe("phantom", {"augmentation": {"mixup": 0.2}})
