"""How often people agree with a model, by version, class and month."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pacs_ai.feedback_kinds import FeedbackKind, Label
from pacs_ai.statistics.wilson import wilson
from pacs_ai.store.feedback_table import Feedback

WHOLE = "whole result"
"""Stands for the class where a line is about results as a whole."""

_DECIDED = (Label.PRESENT, Label.ABSENT)


@dataclass(frozen=True, slots=True)
class Concordance:
    """Agreement of users with one model version in one month (UTC).

    ``finding`` is a class, or `WHOLE`. ``agreed`` of ``cases`` are results that were accepted, or
    decisions that have the label of the user. A decision or label that is undetermined or uncertain
    is no case. ``low`` and ``high`` bound the share with a confidence of 95 % (Wilson).
    """

    model: str
    version: str
    manifest_sha256: str
    month: str
    finding: str
    cases: int
    agreed: int
    share: float
    low: float
    high: float


def concordance(rows: Iterable[Feedback]) -> list[Concordance]:
    """Count agreement.

    Parameters
    ----------
    rows
        The feedback that counts: the newest of each user about each result.

    Returns
    -------
    list of Concordance
        By model, version, month and class; a line about whole results before those of its classes.
    """
    counts: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        key = (row.model_name, row.model_version, row.manifest_sha256, f"{row.at:%Y-%m}")
        outcomes = {"": row.kind == FeedbackKind.ACCEPT, **_agreed(row.decisions, row.labels)}
        for finding, agrees in outcomes.items():
            counted = counts[*key, finding]
            counted[0] += 1
            counted[1] += agrees
    return [_line(key, cases, agreed) for key, (cases, agreed) in sorted(counts.items())]


def _agreed(decisions: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, bool]:
    return {
        name: label == decisions[name]
        for name, label in labels.items()
        if label in _DECIDED and decisions.get(name) in _DECIDED
    }


def _line(key: tuple[str, ...], cases: int, agreed: int) -> Concordance:
    model, version, manifest, month, finding = key
    low, high = wilson(agreed, cases)
    named = (model, version, manifest, month, finding or WHOLE)
    return Concordance(*named, cases, agreed, agreed / cases, low, high)
