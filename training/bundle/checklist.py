"""The items of CLAIM and TRIPOD+AI: where the card answers each, or that it is not answered.

Tejani et al., Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 update.
Collins et al., TRIPOD+AI statement, 2024. Only items that concern a model are listed; items on
the article itself (title, abstract, registration of the study) are left out.
"""

from collections.abc import Collection, Mapping
from typing import Any

from training.recipe.recipe import Recipe

USE, DATA, TRAINING = "Intended use", "Where it comes from", "How it was trained"
IS, GOOD, HEAT, LIMITS = (
    "What it is",
    "How good it is",
    "What its heat maps are worth",
    "Known limits",
)
ETHICS = "Ethics and funding"

ITEMS: tuple[tuple[str, str, str, str], ...] = (
    ("intended use and clinical role", "introduction", "background", USE),
    ("data sources, inclusion and exclusion", "data", "data, participants", DATA),
    ("population and setting", "data", "participants", "population"),
    ("licence and access of the data", "other information", "open science", "data_licence"),
    ("who made the labels, and how", "reference standard", "outcome", "reference_standard"),
    ("agreement of annotators", "reference standard", "outcome", "agreement"),
    ("preprocessing, the same in training and serving", "data", "data preparation", IS),
    ("classes and their codes", "data", "outcome, predictors", IS),
    ("images, studies, patients", "data partitions", "sample size", DATA),
    ("partitions without shared patients", "data partitions", "analytical methods", DATA),
    ("what was dropped, and why", "data", "missing data", DATA),
    ("network, inputs, outputs, parameters", "model", "model specification", IS),
    ("software, versions, seed", "model", "open science", TRAINING),
    (
        "training and choice of the final model",
        "training",
        "model development",
        TRAINING,
    ),
    ("operating point", "evaluation", "model output", IS),
    ("figures with measures of uncertainty", "evaluation", "model performance", GOOD),
    ("calibration", "evaluation", "model performance", GOOD),
    ("performance in subgroups", "evaluation", "fairness", "subgroups"),
    ("external test", "evaluation", "training versus evaluation", "external"),
    ("comparison with something simple", "evaluation", "model performance", GOOD),
    ("explanation, and how it was checked", "evaluation", "analytical methods", HEAT),
    ("analysis of errors", "results", "model performance", "report.html of the run"),
    ("limits", "discussion", "limitations", LIMITS),
    ("where not to use it", "discussion", "usability", "Out of scope"),
    ("ethics", "introduction", "ethical approval", "ethics"),
    ("funding", "other information", "open science", "funding"),
    ("contact", "other information", "open science", "Contact"),
)
"""The item, its heading in CLAIM and in TRIPOD+AI, and the section of the card that answers it."""


def checklist(recipe: Recipe, metrics: Mapping[str, Any], stated: Collection[str]) -> str:
    """Write the checklist as a table.

    Parameters
    ----------
    recipe
        Its section ``[card]`` answers some items.
    metrics
        From `bundle_metrics`; answers others.
    stated
        Titles of the card's sections that are not empty.
    """
    rows = [
        f"| {asked} | {claim} | {tripod} | {_where(place, recipe, metrics, stated)} |"
        for asked, claim, tripod, place in ITEMS
    ]
    return "\n".join(["| item | CLAIM | TRIPOD+AI | answered in |", "|---|---|---|---|", *rows])


def _where(place: str, recipe: Recipe, metrics: Mapping[str, Any], stated: Collection[str]) -> str:
    missing = "**not stated**"
    if place in type(recipe.card).model_fields:
        section = ETHICS if place in ("ethics", "funding") else DATA
        return section if getattr(recipe.card, place) else missing
    if place == "agreement":
        return GOOD if metrics.get("agreement") else "**no second annotator**"
    if place == "external":
        return GOOD if metrics.get("external") else "**none yet**"
    if place == "subgroups":
        units = metrics.get("units", {}).values()
        return GOOD if any(unit["subgroups"] for unit in units) else "**no subgroup large enough**"
    return place if place in stated or place.startswith("report") else missing
