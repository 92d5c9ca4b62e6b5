"""The figures of an acceptance test, as values for JSON: with all digits, None if not defined."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from typing import Any

import numpy as np

from pacs_ai.acceptance.judge import Judged
from pacs_ai.acceptance.limits import Limits
from pacs_ai.acceptance.truth import GROUPS
from pacs_ai.digests import digest_of
from pacs_ai.domain import ModelIdentity
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.pages.figures import LOWER_IS_BETTER
from pacs_ai.statistics.cases import Cases, Question, exclusive_loss, separate_loss
from pacs_ai.statistics.curves import all_curves
from pacs_ai.statistics.figures import HEADLINE, OVERALL, draw_figures, subgroups, tabulate
from pacs_ai.statistics.metrics import confusion
from pacs_ai.statistics.operating_point import choose_threshold

_DECIDED = ("sensitivity", "specificity", "ppv", "npv")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the figures are computed with; see `pacs_ai.statistics.figures.Settings`."""

    resamples: int
    bins: int
    smallest_group: int
    subgroups: tuple[str, ...] = GROUPS


def figures_of(
    judged: Sequence[Judged], bundle: ModelBundle, model: ModelIdentity, limits: Limits
) -> dict[str, Any]:
    """Compute all figures of a test.

    Parameters
    ----------
    judged
        All studies of the table.
    bundle
        The model, with the figures of its card.
    model
        The same with its runtime.
    limits
        Has the settings, and the rule of the operating point that is proposed.

    Returns
    -------
    dict
        ``studies`` (numbers), ``all`` (figures overall and by class, with intervals; None if no
        study was analysed), ``confusion`` by class, ``subgroups``, ``curves``, ``card``,
        ``proposed`` (operating points).

    Raises
    ------
    BundleInvalid
        If the figures of the card are not those that the bundle was made with.
    """
    settings = Settings(limits.resamples, limits.bins, limits.smallest_group)
    analysed = [one for one in judged if one.probabilities]
    found: dict[str, Any] = {
        "studies": _counted(judged, model),
        "all": None,
        **{name: {} for name in ("confusion", "subgroups", "curves", "card", "proposed")},
    }
    if not analysed:
        return found
    cases = cases_of(analysed, model)
    overall = plain(tabulate(cases, draw_figures(cases, settings)))
    groups = subgroups(cases, settings)
    return found | {
        "all": overall,
        "confusion": _confusion(cases),
        "subgroups": plain(groups),
        "curves": plain(all_curves(cases, settings.bins)),
        "card": against_card(overall["overall"], bundle),
        "proposed": _proposed(cases, settings, limits),
    }


def cases_of(analysed: Sequence[Judged], model: ModelIdentity) -> Cases:
    """Put the probabilities of studies beside their truth."""
    classes = model.classes
    probabilities = np.array([one.probabilities for one in analysed])
    truth = np.array([one.row.truth for one in analysed])
    softmax = model.activation == "softmax"
    return Cases(
        question=Question(
            classes=tuple(entry.name for entry in classes),
            positive=tuple(entry.positive for entry in classes),
            activation=model.activation,
            aggregation=model.aggregation,
        ),
        thresholds=tuple(entry.threshold for entry in classes),
        keys=tuple(one.row.value for one in analysed),
        patients=tuple(one.patient for one in analysed),
        probabilities=probabilities,
        truth=truth,
        loss=exclusive_loss(probabilities, truth.argmax(axis=1))
        if softmax
        else separate_loss(probabilities, truth),
        groups={name: tuple(one.groups.get(name, "") for one in analysed) for name in GROUPS},
    )


def _counted(judged: Sequence[Judged], model: ModelIdentity) -> dict[str, Any]:
    """Count studies, and those that are not analysable by reason and by what is true of them."""
    left_out = [one for one in judged if not one.probabilities]
    names = [entry.name for entry in model.classes]
    undetermined = Counter(name for one in judged for name in one.undetermined)
    return {
        "all": len(judged),
        "analysed": len(judged) - len(left_out),
        "not_analysable": len(left_out),
        "reasons": dict(Counter(one.reason for one in left_out).most_common()),
        "not_analysable_with": {
            name: sum(one.row.truth[index] for one in left_out) for index, name in enumerate(names)
        },
        "undetermined": {name: undetermined[name] for name in names if undetermined[name]},
    }


def _confusion(cases: Cases) -> dict[str, list[list[int]]]:
    """Count the decisions of each class: rows are the truth, first no and then yes."""
    once = np.ones((1, len(cases.keys)))
    pairs = zip(
        cases.question.classes,
        cases.truth.T.astype(np.int64),
        cases.decisions.T.astype(np.int64),
        strict=True,
    )
    return {
        name: confusion(true, said, 2, once)[0].astype(int).tolist() for name, true, said in pairs
    }


def _proposed(cases: Cases, settings: Settings, limits: Limits) -> dict[str, Any]:
    """Choose an operating point for each finding on these cases, and say what it would give."""
    proposed = {}
    for index in cases.question.findings:
        name, truth = cases.question.classes[index], cases.truth[:, index]
        if truth.all() or not truth.any():
            continue
        cut = choose_threshold(cases.probabilities[:, index], truth, limits.operating_point)
        cuts = list(cases.thresholds)
        cuts[index] = cut
        moved = replace(cases, thresholds=tuple(cuts))
        found = tabulate(moved, draw_figures(moved, settings)).classes[name]
        figures = {key: plain(found[key]) for key in _DECIDED}
        proposed[name] = {"threshold": cut, "now": cases.thresholds[index], **figures}
    return proposed


def against_card(overall: Mapping[str, Any], bundle: ModelBundle) -> dict[str, Any]:
    """Compare the headline figures with those of the bundle's card.

    Returns
    -------
    dict
        For each figure ``card`` and ``here`` with their intervals, how much it is ``worse`` here,
        and ``apart``: whether the intervals do not overlap. Empty if the bundle states none.
    """
    units = bundle.read_metrics().get("units") or {}
    stated = (units.get("study") or units.get("image") or {}).get("all", {}).get(OVERALL, {})
    compared = {}
    for name in HEADLINE:
        card, here = stated.get(name), overall[name]
        if card is None or None in (card["value"], here["value"]):
            continue
        loss = here["value"] - card["value"]
        apart = _apart(card, here)
        worse = loss if name in LOWER_IS_BETTER else -loss
        compared[name] = {"card": card, "here": here, "worse": worse, "apart": apart}
    return compared


def _apart(card: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    """Tell whether two intervals do not overlap; one of no width tells nothing."""
    ends = [one[end] for one in (card, here) for end in ("low", "high")]
    if None in ends or ends[0] == ends[1] or ends[2] == ends[3]:
        return False
    return bool(ends[3] < ends[0] or ends[1] < ends[2])


def plain(value: Any) -> Any:  # noqa: ANN401 - values of JSON
    """Convert figures to values for JSON: all digits, None for not a number."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value


def inputs_of(judged: Sequence[Judged], files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the digests of all inputs, and ``all``: one digest of them.

    Parameters
    ----------
    judged
        Has the digests of the studies.
    files
        The other inputs by name.
    """
    digests = {name: digest_of(content) for name, content in files.items()}
    digests["cases"] = digest_of("\n".join(sorted(one.digest for one in judged)).encode())
    lines = [f"{name} {digest}" for name, digest in sorted(digests.items())]
    return {**digests, "all": digest_of("\n".join(lines).encode())}
