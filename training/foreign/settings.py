"""What is said about a foreign network besides its file: preprocessing, use, and names."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pacs_ai.errors import ConfigError
from pacs_ai.model.spec import PREPROCESSES, InputSpec, preprocess_id
from pacs_ai.model.steps import RESIZES
from training.foreign.rewrite import NetworkInput

_MOST_IMAGES = 512


@dataclass(frozen=True, slots=True)
class Said:
    """What the options of the command say; None for what is left out."""

    labels: str
    preprocess: str
    name: str
    version: str = "1"
    manufacturer: str = "imported"
    description: str = ""
    activation: str | None = None
    aggregation: str = "max"
    images: str | None = None
    max_images: int | None = None
    modalities: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    scores: str | None = None
    size: tuple[int, int] | None = None
    layout: str | None = None


@dataclass(frozen=True, slots=True)
class InputFile:
    """What a TOML file for ``--preprocess`` says, or the id of the steps alone."""

    values: dict[str, Any]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    applicability: dict[str, Any] = field(default_factory=dict)


def read_preprocess(given: str) -> InputFile:
    """Read ``--preprocess``: the id of known steps, or a TOML file with keys of ``[input]``.

    The file may have ``resize`` with ``mean`` and ``std`` in place of ``preprocess``: grey in
    [0, 1], minus mean, divided by standard deviation. Its table ``[applicability]`` is that of a
    bundle.

    Raises
    ------
    ConfigError
        If the id is not known, or the file is not in order.
    """
    if not given.lower().endswith(".toml"):
        if given not in PREPROCESSES:
            raise ConfigError(
                f"--preprocess: unknown {given!r}; a TOML file, or one of {', '.join(PREPROCESSES)}"
            )
        return InputFile({"preprocess": given})
    try:
        values = tomllib.loads(Path(given).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"--preprocess: {given} cannot be read as TOML") from error
    applicability = values.pop("applicability", {})
    mean, std = (_numbers(values.pop(key, ()), key) for key in ("mean", "std"))
    resize = values.pop("resize", None)
    if (resize is None) == ("preprocess" not in values) or bool(mean) != bool(std):
        raise ConfigError(f"--preprocess: {given} needs preprocess, or resize with mean and std")
    if resize is not None:
        if resize not in RESIZES or len(mean) not in (1, 3) or len(std) != len(mean):
            raise ConfigError(
                f"--preprocess: resize is one of {', '.join(RESIZES)}; mean and std have a number "
                "for each channel"
            )
        values["preprocess"] = preprocess_id(resize, "unit", 3 if len(mean) > 1 else 1)
    elif mean:
        raise ConfigError("--preprocess: mean and std go with resize; preprocess has its own")
    return InputFile(values, mean, std, applicability)


def input_spec(file: InputFile, taken: NetworkInput, said: Said) -> InputSpec:
    """Join what the network takes with what is said about its images.

    Raises
    ------
    ConfigError
        If something is missing or wrong, or the channels do not fit.
    """
    values = {
        "max_images": _MOST_IMAGES,
        **file.values,
        "height": taken.height,
        "width": taken.width,
    }
    for key, value in (("images", said.images), ("max_images", said.max_images)):
        if value is not None:
            values[key] = value
    if said.modalities:
        values["modalities"] = said.modalities
    if not values.get("modalities"):
        raise ConfigError("say --modality: which images the network was made for")
    try:
        spec = InputSpec.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ConfigError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if spec.channels != taken.channels:
        steps = spec.steps
        right = preprocess_id(steps.resize, steps.scaling, 3 if taken.channels > 1 else 1)
        raise ConfigError(
            f"--preprocess: {spec.preprocess} gives {spec.channels} channels, the network takes "
            f"{taken.channels}: {right}"
        )
    return spec


def _numbers(given: object, key: str) -> tuple[float, ...]:
    values = tuple(given) if isinstance(given, list | tuple) else (given,)
    numbers = tuple(float(value) for value in values if isinstance(value, int | float))
    if len(numbers) < len(values):
        raise ConfigError(f"--preprocess: {key} must be numbers")
    if key == "std" and not all(numbers):
        raise ConfigError("--preprocess: std must not be 0")
    return numbers
