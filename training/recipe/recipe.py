"""A recipe: all settings of a training, in one TOML file.

An unknown key is an error, so that a misspelt key is not mistaken for a default. The sections are
in `training.recipe.data`, `training.recipe.learning` and `training.recipe.evaluation`.
"""

import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from pacs_ai.errors import ConfigError
from pacs_ai.model.manifest import ClassEntry
from pacs_ai.model.spec import InputSpec, preprocess_id
from training.recipe.anatomy import anatomy_fault
from training.recipe.data import Augmentation, Data, Feeding, PhantomData, Split
from training.recipe.evaluation import Card, Evaluation, Explanation, Export
from training.recipe.learning import Finetune, Network, Optimisation, Release, Tuning
from training.recipe.strict import Strict
from training.recipe.texts import text_fault

RECIPES = Path(__file__).resolve().parent / "shipped"


class Start(Strict):
    """Sections that replace those of the same name where the ImageNet weights are absent."""

    input: InputSpec
    network: Network
    optimisation: Optimisation
    finetune: Finetune | None = None


class Alternative(Start):
    """Another pretrained network, where the ImageNet weights of ``[network]`` are absent.

    The sections ``[alternative.input]``, ``[alternative.network]`` and
    ``[alternative.optimisation]`` have the keys of ``[input]`` and so on; all three are needed.
    ``[alternative.finetune]`` may be left out: nothing is fine-tuned then. If these weights are
    absent too, ``[scratch]`` is used.
    """


class Scratch(Start):
    """A network with random weights, where all ImageNet weights that the recipe names are absent.

    It has the sections of ``[alternative]``. A recipe without ``[scratch]`` ends with an error that
    says how to get the weights.
    """


class Recipe(Strict):
    """The whole recipe; each section is described below.

    ``limit`` is the largest number of patients of each split, for a trial; without it all are used.
    """

    limit: int | None = Field(default=None, ge=1)
    data: Data
    split: Split = Split()
    input: InputSpec
    augmentation: Augmentation = Augmentation()
    feeding: Feeding = Feeding()
    network: Network
    optimisation: Optimisation = Optimisation()
    finetune: Finetune | None = None
    alternative: Alternative | None = None
    scratch: Scratch | None = None
    tuning: Tuning = Tuning()
    evaluation: Evaluation = Evaluation()
    explanation: Explanation = Explanation()
    export: Export = Export()
    card: Card = Card()
    release: Release
    classes: tuple[ClassEntry, ...] = Field(min_length=1)

    @property
    def positive(self) -> tuple[int, ...]:
        """Indices of the classes that are findings."""
        return tuple(index for index, entry in enumerate(self.classes) if entry.positive)

    def starting_from(self, start: Start, optimisation: Mapping[str, object], why: str) -> Self:
        """Return the recipe with the sections of ``[alternative]`` or ``[scratch]``.

        Parameters
        ----------
        start
            One of the two.
        optimisation
            Keys that flags of the command line replace.
        why
            Becomes one of the limits in the model card.

        Raises
        ------
        ValidationError
            If the sections do not fit the others.
        """
        sections = start.model_dump()
        sections["optimisation"] |= optimisation
        sections["card"] = self.card.model_dump() | {"limits": (*self.card.limits, why)}
        if start.optimisation.base == "trained":
            sections["augmentation"] = self.augmentation.model_dump() | {"steps": "all"}
        used = {"alternative": None, "scratch": None}
        return self.model_validate(self.model_dump() | sections | used)

    @property
    def masks_labels(self) -> bool:
        """Whether labels may be uncertain, and are left out of the loss then."""
        sigmoid = self.release.activation == "sigmoid"
        return sigmoid and not isinstance(self.data, PhantomData) and self.data.masks_labels

    @model_validator(mode="after")
    def _shows_bytes_as_pictures(self) -> Self:
        """Let the node show images of eight bits as pictures were shown in training."""
        if self.data.source == "pictures" and self.input.eight_bits is None:
            shown = self.input.model_copy(update={"eight_bits": "full-range"})
            object.__setattr__(self, "input", shown)
        return self

    @model_validator(mode="after")
    def _names_each_class(self) -> Self:
        counts = Counter(entry.name for entry in self.classes)
        if twice := [name for name, count in counts.items() if count > 1]:
            raise ValueError(f"two classes have the name {twice[0]!r}")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.release.activation == "softmax" and len(self.classes) < 2:  # noqa: PLR2004
            raise ValueError("softmax needs at least two classes")
        if self.optimisation.base == "frozen" and self.network.weights == "none":
            raise ValueError(
                'optimisation.base = "frozen" would keep random features: name network.weights'
            )
        if self.augmentation.steps == "fine-tuning" and self.optimisation.base == "trained":
            raise ValueError(
                'augmentation.steps = "fine-tuning" needs optimisation.base = "frozen"'
            )
        if self.evaluation.views == "flips" and not self.augmentation.flips:
            raise ValueError('evaluation.views = "flips" needs a flip that [augmentation] permits')
        if self.optimisation.map_weight > 0 and len(self.positive) != 1:
            raise ValueError("optimisation.map_weight needs exactly one positive class")
        if self.optimisation.map_weight > 0 and self.augmentation.mixes:
            raise ValueError(
                "augmentation.mixup and cutmix do not go together with optimisation.map_weight: "
                "the finding of a mixed image is not where its box is"
            )
        return self

    @model_validator(mode="after")
    def _keeps_the_anatomy(self) -> Self:
        parts = self.export.applicability.body_parts
        if fault := anatomy_fault(self.augmentation, self.classes, self.input.modalities, parts):
            raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _can_be_reported(self) -> Self:
        if fault := text_fault(self.model_dump()):
            raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _preprocesses_as_weights_were_trained(self) -> Self:
        wanted = self.network.scaling
        steps = self.input.steps
        if wanted is not None and (steps.scaling, steps.channels) != (wanted, 3):
            right = preprocess_id(steps.resize, wanted, 3)
            raise ValueError(
                f"network.weights of {self.network.architecture} were trained with another "
                f'preprocessing: input.preprocess has to be "{right}"'
            )
        return self


def load_recipe(
    path_or_name: str | Path, overrides: Mapping[str, Mapping[str, object] | object] | None = None
) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    path_or_name
        A TOML file, or the name of a recipe that is shipped, such as ``phantom``.
    overrides
        Values that replace those of the file, as flags do: ``{"limit": 10, "optimisation":
        {"epochs": 3}}``. Sections are merged key by key.

    Raises
    ------
    ConfigError
        If there is no such recipe, or a key is unknown, missing or out of range.
    """
    path = Path(path_or_name)
    if not path.is_file():
        path = RECIPES / f"{path_or_name}.toml"
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        shipped = ", ".join(sorted(each.stem for each in RECIPES.glob("*.toml")))
        raise ConfigError(
            f"no recipe {path_or_name}: neither a file nor one that is shipped ({shipped})"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    try:
        recipe = Recipe.model_validate(merge(given, overrides or {}))
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first(error)}") from error
    return _rooted(recipe, Path.cwd() if path.parent == RECIPES else path.resolve().parent)


def with_data(
    recipe: Recipe,
    section: Mapping[str, object],
    split: Mapping[str, object],
    folder: Path,
) -> Recipe:
    """Replace the data of a recipe, to evaluate on all of them.

    Parameters
    ----------
    recipe
        The recipe.
    section
        The section ``[data]``; relative paths start at ``folder``.
    split
        The section ``[split]``. Only what it says of leakage and of near-duplicates counts: no
        split is drawn.
    folder
        The folder of the sections.

    Raises
    ------
    ConfigError
        If a section is invalid.
    """
    near = recipe.split.model_dump(include={"near_bits", "near_correlation"})
    values = recipe.model_dump() | {"data": section, "split": near | dict(split)}
    try:
        return _rooted(Recipe.model_validate(values), folder)
    except ValidationError as error:
        raise ConfigError(f"[data] of {folder}: {_first(error)}") from error


def merge(values: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """Return ``values`` with those of ``over``, merged section by section."""
    merged = dict(values)
    for key, value in over.items():
        below = merged.get(key)
        nested = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = merge(below, value) if nested else value  # type: ignore[arg-type]
    return merged


def _rooted(recipe: Recipe, folder: Path) -> Recipe:
    """Make relative paths absolute, so that a copy elsewhere names the same files."""
    recipe = recipe.model_copy(update={"network": _rooted_weights(recipe.network, folder)})
    for name in ("alternative", "scratch"):
        if (start := getattr(recipe, name)) is not None:
            network = _rooted_weights(start.network, folder)
            start = start.model_copy(update={"network": network})
            recipe = recipe.model_copy(update={name: start})
    rooted = {name: _absolute(getattr(recipe, name), folder) for name in ("data", "split")}
    return recipe.model_copy(update=rooted)


def _rooted_weights(network: Network, folder: Path) -> Network:
    if network.weights in ("none", "imagenet"):
        return network
    return network.model_copy(update={"weights": str(folder / network.weights)})


def _absolute(section: BaseModel, folder: Path) -> BaseModel:
    changed: dict[str, object] = {}
    for name, value in section:
        if isinstance(value, Path):
            changed[name] = folder / value
        elif isinstance(value, BaseModel):
            changed[name] = _absolute(value, folder)
        elif isinstance(value, tuple):
            changed[name] = tuple(
                _absolute(each, folder) if isinstance(each, BaseModel) else each for each in value
            )
    return section.model_copy(update=changed)


def _first(error: ValidationError) -> str:
    """Describe the first error, with its key."""
    first = error.errors(include_url=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    return f"{key}: {first['msg']}" if key else first["msg"].removeprefix("Value error, ")
