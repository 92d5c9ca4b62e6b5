"""The limits that a model has to keep before it goes live: a TOML file, and what came of them."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from pacs_ai.errors import ConfigError
from pacs_ai.pages.figures import LOWER_IS_BETTER, NAMES
from pacs_ai.toml_table import TomlTable

Share = Field(default=None, ge=0.0, le=1.0)


class Bounds(TomlTable):
    """Figures with their limits: the smallest value, for ``calibration_error`` the largest."""

    auc: float | None = Share
    average_precision: float | None = Share
    sensitivity: float | None = Share
    specificity: float | None = Share
    balanced_accuracy: float | None = Share
    accuracy: float | None = Share
    ppv: float | None = Share
    npv: float | None = Share
    f1: float | None = Share
    calibration_error: float | None = Share

    def given(self) -> dict[str, float]:
        """Return the limits that are set, by figure."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


class OperatingPoint(TomlTable):
    """How an operating point is proposed; see `pacs_ai.statistics.operating_point.Rule`."""

    rule: Literal["youden", "sensitivity", "specificity"] = "youden"
    target: float | None = Field(default=None, gt=0.0, lt=1.0)

    @property
    def operating_point(self) -> str:
        """The rule."""
        return self.rule

    @model_validator(mode="after")
    def _has_target_if_needed(self) -> Self:
        if (self.target is None) != (self.rule == "youden"):
            raise ValueError("target belongs to the rules sensitivity and specificity")
        return self


class Limits(TomlTable):
    """The whole file.

    ``compared`` says what a limit is compared with: the figure itself (``value``) or the end of its
    95 % interval that is worse (``interval``). ``min_studies`` and ``max_not_analysable`` (a share
    of all studies) are about the cases. ``overall`` has the limits of the headline figures,
    ``classes`` those of single classes, ``subgroups`` those of every subgroup with at least
    ``smallest_group`` patients. ``card`` says how much worse than on the card of the bundle a
    figure may be. ``resamples`` and ``bins`` are as in a recipe.
    """

    compared: Literal["value", "interval"] = "value"
    min_studies: int = Field(default=0, ge=0)
    max_not_analysable: float | None = Share
    smallest_group: int = Field(default=10, ge=1)
    resamples: int = Field(default=2000, ge=100, le=100_000)
    bins: int = Field(default=10, ge=2, le=100)
    overall: Bounds = Bounds()
    classes: dict[str, Bounds] = Field(default_factory=dict)
    subgroups: Bounds = Bounds()
    card: Bounds = Bounds()
    operating_point: OperatingPoint = OperatingPoint()


@dataclass(frozen=True, slots=True)
class Check:
    """One limit: what it is about, the limit and the figure in words, and whether it is kept."""

    about: str
    limit: str
    found: str
    kept: bool


def read_limits(path: Path, classes: Sequence[str]) -> Limits:
    """Read the limits.

    Parameters
    ----------
    path
        A TOML file.
    classes
        Names of the classes of the model.

    Raises
    ------
    ConfigError
        If the file cannot be read, or has a key or a class that is not known.
    """
    try:
        limits = Limits.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        said = "unknown key" if first["type"] == "extra_forbidden" else first["msg"]
        raise ConfigError(f"{path}: {key}: {said}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as TOML") from error
    unknown = [name for name in limits.classes if name not in classes]
    if unknown:
        raise ConfigError(f"{path}: the model has no class {unknown[0]!r}: {', '.join(classes)}")
    return limits


def check(limits: Limits, figures: Mapping[str, Any]) -> list[Check]:
    """Compare the figures of a test with the limits.

    Parameters
    ----------
    limits
        The limits.
    figures
        From `pacs_ai.acceptance.figures.figures_of`.
    """
    counted = figures["studies"]
    many, share = counted["analysed"], counted["not_analysable"] / counted["all"]
    checks = []
    if limits.min_studies:
        kept = many >= limits.min_studies
        checks.append(Check("studies", f"at least {limits.min_studies}", str(many), kept))
    if limits.max_not_analysable is not None:
        kept, most = share <= limits.max_not_analysable, f"at most {limits.max_not_analysable:.1%}"
        checks.append(Check("studies that are not analysable", most, f"{share:.1%}", kept))
    tables = figures["all"]
    checks += _bounded(limits, "all studies", limits.overall, tables["overall"] if tables else {})
    for name, bounds in limits.classes.items():
        checks += _bounded(limits, name, bounds, tables["classes"][name] if tables else {})
    groups = {
        f"{kind} {name}": table["overall"]
        for kind, found in figures["subgroups"].items()
        for name, table in found.items()
    }
    for name, overall in (groups or {"subgroups, of which none is large enough": {}}).items():
        checks += _bounded(limits, name, limits.subgroups, overall)
    return checks + _against_card(limits, figures["card"])


def _bounded(
    limits: Limits, about: str, bounds: Bounds, found: Mapping[str, Mapping[str, Any]]
) -> list[Check]:
    checks = []
    for name, bound in bounds.given().items():
        lower = name in LOWER_IS_BETTER
        figure = found.get(name, {"value": None, "low": None, "high": None})
        end = "high" if lower else "low"
        value = figure["value" if limits.compared == "value" else end]
        kept = value is not None and (value <= bound if lower else value >= bound)
        limit = f"{'at most' if lower else 'at least'} {bound:g}"
        said = "not defined" if value is None else f"{value:.4f}"
        if limits.compared == "interval":
            limit += f" ({end} end of the interval)"
        checks.append(Check(f"{NAMES[name]}: {about}", limit, said, kept))
    return checks


def _against_card(limits: Limits, card: Mapping[str, Mapping[str, Any]]) -> list[Check]:
    checks = []
    for name, most in limits.card.given().items():
        worse = card[name]["worse"] if name in card else None
        kept = worse is not None and worse <= most
        said = "not on the card" if worse is None else f"{worse:+.4f}"
        checks.append(
            Check(f"{NAMES[name]}: worse than on the card", f"at most {most:g}", said, kept)
        )
    return checks
