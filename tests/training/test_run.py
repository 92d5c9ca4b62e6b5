"""What a run keeps, and what it refuses."""

import json
from pathlib import Path

import pytest

from pacs_ai.errors import ConfigError
from training.recipe.recipe import load_recipe
from training.run.run import STATE, Run


def test_a_run_keeps_its_recipe_exactly(tmp_path: Path) -> None:
    recipe = load_recipe("phantom", {"limit": 3, "optimisation": {"seed": 5}})
    run = Run.create(recipe, tmp_path / "run")
    assert run.recipe == recipe
    assert run.seed == 5
    again = Run.open(tmp_path / "run")
    assert again.recipe == recipe
    assert load_recipe(tmp_path / "run" / "recipe.toml") == recipe


def test_steps_are_remembered_and_taken_back(tmp_path: Path) -> None:
    run = Run.create(load_recipe("phantom"), tmp_path)
    assert not run.done("train")
    run.finish("train", {"loss": 0.5}, 1.25)
    assert Run.open(tmp_path).summary("train") == {"loss": 0.5}
    run.forget("train", "export")
    assert not Run.open(tmp_path).done("train")
    assert {"keras", "python"} <= set(json.loads((tmp_path / STATE).read_text())["versions"])


def test_a_run_is_neither_overwritten_nor_mixed_with_another(tmp_path: Path) -> None:
    recipe = load_recipe("phantom")
    Run.create(recipe, tmp_path)
    with pytest.raises(ConfigError, match="--resume"):
        Run.start(recipe, tmp_path, resume=False)
    assert Run.start(recipe, tmp_path, resume=True).recipe == recipe
    other = load_recipe("phantom", {"optimisation": {"epochs": 9}})
    with pytest.raises(ConfigError, match="optimisation"):
        Run.start(other, tmp_path, resume=True)


def test_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=STATE):
        Run.open(tmp_path)
    (tmp_path / STATE).write_text("{")
    (tmp_path / "recipe.toml").write_text("")
    with pytest.raises(ConfigError):
        Run.open(tmp_path)
