from pathlib import Path

import pytest

import pacs_ai
import training
from pacs_ai.errors import ConfigError
from training.recipe.recipe import RECIPES, load_recipe


def test_training_belongs_to_this_version_of_the_node() -> None:
    assert training.__pacs_ai__ == pacs_ai.__version__


def test_the_demo_recipe_loads() -> None:
    recipe = load_recipe("phantom")
    assert recipe.release.name == "demo"
    assert [entry.name for entry in recipe.classes] == ["no finding", "lesion"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epochs =", "epoch =", "epoch"),
        ("batch = 32", "batch = 0", "batch"),
        ("batch = 32", "batch = true", "batch"),
        ("learning_rate = 2e-3", "learning_rate = true", "learning_rate"),
        ("noise = ", "noise = false # ", "noise"),
        ("[data]", "[data", "TOML"),
        ("learning_rate = 2e-3", "learning_rate = -1", "learning_rate"),
        ("learning_rate = 2e-3", "learning_rate = inf", "learning_rate"),
        ("noise = ", "noise = nan # ", "noise"),
        ('name = "lesion"', 'name = "no finding"', "two classes have the name 'no finding'"),
    ],
)
def test_a_wrong_recipe_names_its_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (RECIPES / "phantom.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        load_recipe(path)


def test_a_recipe_may_start_with_a_byte_order_mark(tmp_path: Path) -> None:
    text = (RECIPES / "phantom.toml").read_text(encoding="utf-8")
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8-sig")
    assert load_recipe(path).classes == load_recipe("phantom").classes


def test_imagenet_weights_get_what_they_were_trained_on(tmp_path: Path) -> None:
    text = (RECIPES / "midrc-ricord-1c.toml").read_text(encoding="utf-8")
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace("letterbox-caffe-rgb-v1", "letterbox-v1"), encoding="utf-8")
    with pytest.raises(ConfigError, match='has to be "letterbox-caffe-rgb-v1"'):
        load_recipe(path)
    load_recipe(path, {"network": {"weights": "none"}, "optimisation": {"base": "trained"}})


@pytest.mark.parametrize("name", [path.stem for path in sorted(RECIPES.glob("*.toml"))])
def test_every_shipped_recipe_loads(name: str) -> None:
    assert load_recipe(name).classes


def test_a_missing_recipe_is_named() -> None:
    with pytest.raises(ConfigError, match="no-such-recipe"):
        load_recipe("no-such-recipe")
