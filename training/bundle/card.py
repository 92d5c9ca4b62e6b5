"""The model card: what a bundle is, its data and training, its figures, and what is not known.

The card is composed from the recipe, the run, the evaluation and the explanation. The section
``[card]`` of the recipe has the texts that only a person can write.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pacs_ai.model.outlier import OutlierEntry
from pacs_ai.pages.figures import NAMES, span, value
from training.bundle.checklist import checklist
from training.data.samples import SPLITS, Dataset
from training.recipe.learning import SmallResNet
from training.recipe.recipe import Recipe
from training.run.run import Run
from training.statistics.calibration import Calibration

NOT_STATED = "*Not stated.*"
_ROWS = ("auc", "sensitivity", "specificity", "balanced_accuracy", "f1", "mcc", "calibration_error")
_DIGITS = 4
_START_FACTS = ("source", "licence", "file", "digest", "sha256")


def model_card(
    run: Run,
    recipe: Recipe,
    dataset: Dataset,
    *,
    calibration: Calibration,
    parameters: int,
    outlier: OutlierEntry | None,
    metrics: Mapping[str, Any],
) -> str:
    """Write the model card of a bundle.

    Parameters
    ----------
    run
        Has the versions and the seed.
    recipe
        The recipe of the run.
    dataset
        The data of training and evaluation.
    calibration
        Temperature and thresholds.
    parameters
        Number of weights of the network.
    outlier
        The limit for images unlike those of training, if there is one.
    metrics
        From `training.bundle.results.bundle_metrics`.
    """
    said = recipe.card
    sections = {
        "Intended use": said.intended_use,
        "Out of scope": said.out_of_scope,
        "What it is": _identity(recipe, calibration, parameters, metrics, outlier),
        "Where it comes from": _data(recipe, dataset),
        "How it was trained": _training(run, recipe),
        "How good it is": _performance(metrics),
        "What its heat maps are worth": _explanation(metrics),
        "Known limits": _bullets(said.limits),
        "Ethics and funding": "\n\n".join(filter(None, (said.ethics, said.funding))),
        "Contact": said.contact,
    }
    parts = [f"# Model card: {recipe.release.name} {recipe.release.version}"]
    parts += [
        f"> **{line}**" for line in filter(None, (said.banner, *metrics["warnings"], _RESEARCH))
    ]
    parts += [f"## {title}\n{text.strip() or NOT_STATED}" for title, text in sections.items()]
    stated = {title for title, text in sections.items() if text.strip()}
    parts.append(f"## Reporting checklist\n{checklist(recipe, metrics, stated)}")
    return "\n\n".join(parts) + "\n"


_RESEARCH = "For research only. Not a medical device; no basis for a decision on a patient."


def _identity(
    recipe: Recipe,
    calibration: Calibration,
    parameters: int,
    metrics: Mapping[str, Any],
    outlier: OutlierEntry | None,
) -> str:
    spec, release, parity = recipe.input, recipe.release, metrics["parity"]
    rows = [
        f"| {entry.name} | {entry.code.value} ({entry.code.scheme}), {entry.code.meaning} | "
        f"{'finding' if entry.positive else 'no finding'} | {threshold:.4g} |"
        for entry, threshold in zip(recipe.classes, calibration.thresholds, strict=True)
    ]
    applies = recipe.export.applicability.model_dump(exclude_defaults=True)
    told = [f"{name.replace('_', ' ')}: {_words(each)}" for name, each in applies.items()]
    far = (
        f"An image whose features are further than {outlier.limit:g} (Mahalanobis) from those of "
        f"training is unlike them; policy: {outlier.policy}."
        if outlier
        else "It has no statistics of its training: images of another kind are not told."
    )
    return (
        f"{release.description}\n\n"
        f"- Input: one grey image, {spec.height} x {spec.width}, `{spec.preprocess}`; "
        f"modalities {', '.join(spec.modalities)}{''.join(f'; {each}' for each in told)}.\n"
        f"- Output: {release.activation} over {len(rows)} classes, temperature "
        f"{calibration.temperature:g}; images become a study by `{release.aggregation}` "
        f"(images of a sequence that it is shown: {spec.images}).\n"
        f"- Network: {recipe.network.architecture}, {parameters:,} parameters, float32; the "
        f"exported network differs by at most {parity['relative']:.0e} of the largest value "
        f"({parity['images']} images).\n"
        f"- {far}\n\n"
        "| class | code | | threshold |\n|---|---|---|---|\n" + "\n".join(rows)
    )


def _data(recipe: Recipe, dataset: Dataset) -> str:
    said = recipe.card
    rows = []
    for name in SPLITS:
        samples = dataset.split(name)
        counts = [sum(k in s.labels for s in samples) for k in range(len(dataset.classes))]
        cells = (name, len(samples), len({s.unit for s in samples}), len({s.key for s in samples}))
        rows.append(f"| {' | '.join(str(each) for each in (*cells, *counts))} |")
    head = ["split", "images", "studies", "patients", *dataset.classes]
    table = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows]
    origin = getattr(recipe.data, "collection", "") or recipe.data.source
    return (
        f"- Source: {origin}\n"
        f"- Population: {said.population or NOT_STATED}\n"
        f"- Reference standard: {said.reference_standard or NOT_STATED}\n"
        f"- Licence of the data: {said.data_licence or NOT_STATED}\n"
        f"- Cite: {'; '.join(said.data_citation) or NOT_STATED}\n\n"
        + "\n".join(table)
        + f"\n\n{_shared_patients(dataset)} (leakage policy: {recipe.split.leakage}).\n\n"
        + _bullets(dataset.notes)
    )


def _shared_patients(dataset: Dataset) -> str:
    splits = Counter(key for name in SPLITS for key in {s.key for s in dataset.split(name)})
    shared = sum(count > 1 for count in splits.values())
    return f"{shared} patients are in two splits" if shared else "No patient is in two splits"


def _training(run: Run, recipe: Recipe) -> str:
    how, versions = recipe.optimisation, run.report().get("versions")
    used = recipe.augmentation.model_dump(exclude_defaults=True)
    tuned = recipe.finetune
    boxes = (
        "\n- The heat map was taught with the findings' boxes (`map_weight`): that it points at "
        "them is no sign that heat maps of other models do."
        if how.map_weight > 0
        else ""
    )
    own = isinstance(recipe.network, SmallResNet)
    made_from = "".join(f"- {line}.\n" for line in run.provenance("export").lines())
    return (
        f"- Start: {_start(run, recipe)}"
        f"{' (small residual network for CPUs)' if own else ''}; base {how.base}.\n"
        f"- {how.epochs} epochs at most, learning rate {how.learning_rate:g} ({how.schedule}), "
        f"the epoch with the best {how.monitor} on validation; seed {run.seed}.\n"
        f"- Fine-tuned: {f'{tuned.epochs} epochs at {tuned.learning_rate:g}' if tuned else 'no'}.\n"
        f"- Augmentation: {_words(used) if used else 'none'}.{boxes}\n"
        f"- Versions: {_words(versions) if isinstance(versions, Mapping) else NOT_STATED}.\n"
        f"{made_from}"
        "- To make it again: `pacs-ai train` with the same recipe and versions. On the same "
        "machine it comes out bit for bit; another processor sums in another order, and the "
        "figures below hold within their intervals."
    )


def _start(run: Run, recipe: Recipe) -> str:
    """Say what the network started from: origin, licence and hash of pretrained weights."""
    weights = recipe.network.weights
    if weights == "none":
        return "random weights"
    found = run.summary("train").get("start", {})
    facts = found if isinstance(found, Mapping) else {}
    kind = "weights learned on ImageNet" if weights == "imagenet" else "weights of another training"
    said = [f"{key} {facts[key]}" for key in _START_FACTS if facts.get(key)]
    unsure = "; not a file that is known" if facts.get("pinned") is False else ""
    return f"{kind} ({', '.join(said)}{unsure})" if said else kind


def _performance(metrics: Mapping[str, Any]) -> str:
    if not metrics["units"]:
        return ""
    parts = [
        "On a test split that nothing was chosen on. In brackets the 95 % interval by drawing "
        "patients with replacement."
    ]
    for name, unit in metrics["units"].items():
        rows = [_figures("**all**", unit["all"])]
        rows += [
            _figures(f"{kind} {group}", table)
            for kind, groups in unit["subgroups"].items()
            for group, table in groups.items()
        ]
        head = ["", "cases", "patients", *(NAMES[key] for key in _ROWS)]
        table = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows]
        parts.append(f"### By {name}\n" + "\n".join(table))
        gains = [
            f"- AUC less that of *{baseline}*: {_figure(found['advantage']['auc'])}."
            for baseline, found in unit["baselines"].items()
        ]
        parts.append("\n".join(gains))
    parts.append(_sets(metrics.get("prediction_sets")))
    for name, drop in metrics["external"].items():
        for unit, found in (drop or {}).items():
            parts.append(
                f"### External test: {name}, by {unit}\nAUC {_figure(found['auc']['external'])}, "
                f"against the internal test {_figure(found['auc']['difference'])}."
            )
    if metrics["left_out"]:
        names = _words(metrics["left_out"])
        parts.append(f"External tests of another network are left out: {names}.")
    return "\n\n".join(part for part in parts if part)


def _sets(found: Mapping[str, Any] | None) -> str:
    """State how often the prediction sets hold the truth, and what they leave open."""
    if not found:
        return ""
    figures = {key: _figure(each) for key, each in found["figures"].items()}
    return (
        f"### Prediction sets, by {found['unit']}\n"
        f"At a confidence of {found['confidence']:.0%} the sets hold the truth in a share of "
        f"{figures['coverage']}, with {figures['size']} answers in a set. The share of "
        f"undetermined findings is {figures['undetermined']}; among those decided, the share of "
        f"right ones is {figures['decided']}."
    )


def _figures(name: str, table: Mapping[str, Any]) -> str:
    cells = [name, table["cases"], table["patients"]]
    cells += [_figure(table["overall"][key]) for key in _ROWS]
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _figure(found: Mapping[str, Any]) -> str:
    known = dict(found)
    return f"{value(known)} ({span(known)})" if known["value"] is not None else "not defined"


def _explanation(metrics: Mapping[str, Any]) -> str:
    measured = metrics["explanation"]
    if not measured:
        return ""
    return _bullets([f"{name}: {_figure(found)}" for name, found in measured.items()])


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _words(found: object) -> str:
    if isinstance(found, Mapping):
        return ", ".join(f"{name} {_words(each)}" for name, each in found.items())
    if isinstance(found, list | tuple):
        return ", ".join(map(_words, found))
    return str(found)
