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
from training.pretrained.folder import is_present
from training.recipe.learning import Network
from training.recipe.recipe import Recipe, Start, load_recipe

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

    If it starts from ImageNet weights that are absent, its section ``[alternative]`` is used if
    those weights are here, else its section ``[scratch]``; standard error says so. A recipe without
    these sections stays as it is, and building its network ends with an error.
    """
    optimisation = {
        key: value for key, value in (("seed", seed), ("epochs", epochs)) if value is not None
    }
    over: dict[str, object] = {"optimisation": optimisation} if optimisation else {}
    if limit is not None:
        over["limit"] = limit
    recipe = load_recipe(name, over)
    if _can_start(recipe.network):
        return recipe
    for section, start in (("alternative", recipe.alternative), ("scratch", recipe.scratch)):
        if start is not None and _can_start(start.network):
            why, warning = _explained(recipe, section, start)
            print(warning, file=sys.stderr)
            return recipe.starting_from(start, optimisation, why)
    return recipe


def _can_start(network: Network) -> bool:
    """Tell whether the weights that a network starts from are here; a file is looked for later."""
    return network.weights != "imagenet" or is_present(network.architecture)


def _explained(recipe: Recipe, section: str, start: Start) -> tuple[str, str]:
    """Say for the model card, and for the person, that another network is trained."""
    wanted, used = recipe.network.architecture, start.network.architecture
    pretrained = start.network.weights == "imagenet"
    better = [wanted, *([recipe.alternative.network.architecture] if recipe.alternative else [])]
    commands = " or ".join(f"pacs-ai weights fetch {name}" for name in better if name != used)
    from_what = f"ImageNet weights of {used}" if pretrained else "random weights"
    hint = from_what if pretrained else f"{from_what}, which need far more images"
    return (
        f"Trained from {from_what}: the ImageNet weights of {wanted} were absent.",
        f"WARNING: no ImageNet weights of {wanted} here, so the recipe's [{section}] is used: "
        f"{hint}. To get the weights: {commands}",
    )


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
    # TensorFlow turns oneDNN on by itself only for some processors; others gain by it, too
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
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
