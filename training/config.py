"""A recipe: everything that decides which model comes out, in one TOML file.

Frozen, and an unknown key is an error, so that a misspelt setting cannot pass for a default.
"""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pacs_ai.errors import ConfigError
from pacs_ai.model.bundle import ClassEntry
from pacs_ai.model.spec import InputSpec

RECIPES = Path(__file__).resolve().parent / "recipes"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PhantomData(_Strict):
    """How many phantom studies each split gets. Seeds differ, so no patient is in two splits."""

    train_studies: int = Field(ge=1)
    validation_studies: int = Field(ge=1)
    test_studies: int = Field(ge=1)
    seed: int


class Augmentation(_Strict):
    """What is varied from epoch to epoch; 0 or false switches a step off.

    ``rotation_degrees``, ``shift`` (share of the side) and ``zoom`` are drawn between plus and
    minus the value, ``contrast`` and ``brightness`` likewise around no change;
    ``noise`` is the largest standard deviation.
    """

    flip_horizontal: bool = False
    flip_vertical: bool = False
    rotation_degrees: float = Field(default=0.0, ge=0.0, le=180.0)
    shift: float = Field(default=0.0, ge=0.0, lt=1.0)
    zoom: float = Field(default=0.0, ge=0.0, lt=1.0)
    contrast: float = Field(default=0.0, ge=0.0, lt=1.0)
    brightness: float = Field(default=0.0, ge=0.0, lt=1.0)
    noise: float = Field(default=0.0, ge=0.0, lt=1.0)


class Network(_Strict):
    """A small residual network: width of the stem, then of each stage.

    The stem and the first ``halvings`` stages halve the side, so the last features have
    ``height / 2 ** (1 + halvings)`` rows.
    """

    stem: int = Field(ge=1)
    stages: tuple[int, ...] = Field(min_length=1)
    blocks: int = Field(ge=1)
    halvings: int = Field(ge=0)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)


class Optimisation(_Strict):
    """How the weights are found. ``images_per_epoch`` are drawn evenly from all groups.

    ``map_weight`` is what pointing away from the lesion's box costs beside a wrong class; 0 leaves
    the heat map to itself.
    """

    epochs: int = Field(ge=1)
    images_per_epoch: int = Field(ge=1)
    batch: int = Field(ge=1)
    learning_rate: float = Field(gt=0.0)
    weight_decay: float = Field(ge=0.0)
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    map_weight: float = Field(default=0.0, ge=0.0)
    threads: int = Field(ge=1)
    seed: int


class Release(_Strict):
    """What the bundle says of itself."""

    name: str
    version: str
    manufacturer: str
    description: str
    activation: Literal["softmax"]
    aggregation: Literal["max", "mean"]


class Recipe(_Strict):
    """The whole of it."""

    data: PhantomData
    input: InputSpec
    augmentation: Augmentation
    network: Network
    optimisation: Optimisation
    release: Release
    classes: tuple[ClassEntry, ...] = Field(min_length=2)


def load_recipe(path_or_name: str | Path) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    path_or_name
        A TOML file, or the name of a recipe that is shipped: ``demo``.

    Raises
    ------
    ConfigError
        If there is none, or a key is unknown, missing or out of range.
    """
    path = Path(path_or_name)
    if not path.is_file():
        path = RECIPES / f"{path_or_name}.toml"
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"no recipe {path_or_name}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: {key}: {first['msg']}") from error
