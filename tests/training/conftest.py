"""Small recipes and phantoms for the tests that train."""

import importlib.util
import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from pacs_ai.demo.phantom import write_phantom_collection
from training.config import Recipe, load_recipe

if importlib.util.find_spec("keras") is None and not os.environ.get("CI"):
    # On a machine without the train extra these tests cannot even be imported.
    collect_ignore = [
        "test_command.py",
        "test_backbones_export.py",
        "test_demo_export.py",
        "test_demo_model.py",
        "test_evaluate.py",
        "test_explain.py",
        "test_quantise.py",
        "test_export.py",
        "test_network.py",
        "test_train.py",
    ]


@pytest.fixture(scope="session")
def demo_recipe() -> Recipe:
    return load_recipe("demo")


@pytest.fixture(scope="session")
def small_recipe(demo_recipe: Recipe) -> Recipe:
    """The demonstration's recipe with a tiny network and two steps of training."""
    return demo_recipe.model_copy(
        update={
            "network": demo_recipe.network.model_copy(
                update={"stem": 4, "stages": (4, 6, 8), "blocks": 1}
            ),
            "optimisation": demo_recipe.optimisation.model_copy(update={"epochs": 1}),
            "feeding": demo_recipe.feeding.model_copy(update={"images_per_epoch": 16, "batch": 8}),
        }
    )


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight phantom studies with labels."""
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantom_collection(folder, 8, seed=11)
    return folder
