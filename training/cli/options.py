"""Options that several training commands share."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.errors import ConfigError
from training.cli import need_extra
from training.cli.chatter import hide_chatter
from training.pretrained.folder import find_record
from training.recipe.recipe import Recipe, load_recipe

RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE", help="A recipe's TOML file, or the name of one that is shipped."
    ),
]
RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="The folder of a run, as train makes it.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Folder of the run. Default: runs/NAME, with the name of the recipe's release.",
        show_default=False,
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Continue a run that was stopped; start it if there is none."),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed", metavar="N", help="Random seed, instead of the recipe's.", show_default=False
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        metavar="N",
        min=1,
        help="The largest number of patients of each split, for a trial.",
        show_default=False,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs", metavar="N", min=1, help="Epochs, instead of the recipe's.", show_default=False
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="cpu, gpu, or gpu:N. Default: what TensorFlow finds.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")]

_DEVICE = re.compile(r"cpu|gpu(?::(\d+))?")


def read_recipe(name: str, *, seed: int | None, limit: int | None, epochs: int | None) -> Recipe:
    """Read a recipe, and override it by the flags.

    If it starts from ImageNet weights that are absent, its section ``[scratch]`` is used, if it has
    one, and standard error says so.
    """
    optimisation = {
        key: value for key, value in (("seed", seed), ("epochs", epochs)) if value is not None
    }
    over: dict[str, object] = {"optimisation": optimisation} if optimisation else {}
    if limit is not None:
        over["limit"] = limit
    recipe = load_recipe(name, over)
    network = recipe.network
    absent = network.weights == "imagenet" and find_record(network.architecture) is None
    if recipe.scratch is None or not absent:
        return recipe
    why = (
        f"Trained from random weights: the ImageNet weights of {network.architecture} were absent."
    )
    print(
        f"WARNING: no ImageNet weights of {network.architecture} here, so the recipe's [scratch] "
        "is used: random weights, which need far more images. To get the weights: pacs-ai weights "
        f"fetch {network.architecture}",
        file=sys.stderr,
    )
    return recipe.from_scratch(optimisation, why)


def folder_of(recipe: Recipe, out: Path | None) -> Path:
    """Return the folder of a run."""
    return out if out is not None else Path("runs") / recipe.release.name


def prepare(device: str | None) -> None:
    """Check that training is installed, and choose the device, before TensorFlow starts.

    Raises
    ------
    ConfigError
        If the ``train`` extra is missing, or the device is invalid or missing.
    """
    need_extra()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    hide_chatter()
    if device is None:
        return
    chosen = _DEVICE.fullmatch(device)
    if chosen is None:
        raise ConfigError(f"--device {device}: use cpu, gpu, or gpu:N")
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        return
    if chosen[1]:
        os.environ["CUDA_VISIBLE_DEVICES"] = chosen[1]
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        raise ConfigError(f"--device {device}: TensorFlow finds no such accelerator here")


def print_result(summary: object, *, as_json: bool, otherwise: str) -> None:
    """Print the result of a command: as JSON, or one line for people."""
    if as_json:
        print(json.dumps(summary, indent=2, default=str, ensure_ascii=False))
    else:
        print(otherwise)
    sys.stdout.flush()
