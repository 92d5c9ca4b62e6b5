"""``pacs-ai evaluate --data``: evaluate the network of a run on other data."""

import tomllib
from pathlib import Path
from typing import Any

from pacs_ai.errors import ConfigError
from training.cli.opening import network_of, opened_run, place_of
from training.cli.options import print_result
from training.recipe.recipe import Recipe, load_recipe, with_data
from training.run.disk import DRAFT, draft_of
from training.run.run import RECIPE, Run

ERRORS = "errors"
"""A folder that every evaluation has."""


def evaluate_other_data(
    folder: Path, data: Path, device: str | None, limit: int | None, *, as_json: bool
) -> None:
    """Evaluate on other data; an older evaluation is replaced when the new one is complete."""
    with opened_run(folder, device, limit, calibrated=True) as run:
        trained = Run.open(folder)
        recipe = _recipe_of(folder / RECIPE, data).model_copy(update={"limit": limit})
        name = data_name(data)
        from training.data import build_other
        from training.evaluate import evaluate_other
        from training.evaluate.publish import calibration_of

        calibration_of(run)
        with draft_of(run.evaluation / name) as draft:
            other = Run.create(recipe, draft)
            found, network = build_other(other.recipe, other, trained), network_of(run)
            result = evaluate_other(run, run.recipe, found, network, name, folder=draft)
    report = place_of(folder, limit) / "evaluation" / name / "report.html"
    print_result(result.summary(), as_json=as_json, otherwise=f"the report is {report}")


def data_name(data: Path) -> str:
    """Return the name of the evaluation on other data: that of their folder or file.

    Raises
    ------
    ConfigError
        If they have no name of their own.
    """
    name = data.resolve().stem
    if not name or name == ERRORS or name.endswith(DRAFT):
        raise ConfigError(f"--data {data}: give the folder or the file another name")
    return name


def _recipe_of(path: Path, data: Path) -> Recipe:
    """Return the recipe of a run with other data, all of which is evaluated.

    Raises
    ------
    ConfigError
        If ``data`` is neither a folder nor a TOML file with a section ``[data]``.
    """
    recipe = load_recipe(path)
    if not data.is_dir():
        return with_data(recipe, *_sections(data), data.resolve().parent)
    labels = data / "labels.csv"
    section = {"source": "pictures", "folder": str(data.resolve())}
    section |= {"labels": str(labels.resolve())} if labels.exists() else {}
    return with_data(recipe, section, {}, data)


def _sections(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the sections ``[data]`` and ``[split]``; the second may be missing."""
    try:
        whole = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"--data {path}: neither a folder nor a TOML file") from error
    found, split = whole.get("data"), whole.get("split", {})
    if not isinstance(found, dict) or not isinstance(split, dict):
        raise ConfigError(f"--data {path}: has no section [data]")
    if unknown := sorted(whole.keys() - Recipe.model_fields.keys()):
        raise ConfigError(f"--data {path}: a recipe has no section [{unknown[0]}]")
    return found, split
