"""The change since an earlier study, in words."""

from collections.abc import Sequence

from pacs_ai.domain import ClassSpec, Decision
from pacs_ai.results.common.codes import class_title
from pacs_ai.results.common.prior import PriorFinding
from pacs_ai.results.content.report_level import NOTABLE_DECISIONS

ARROW = "\N{RIGHTWARDS ARROW}"

_MOST = 6
"""Classes that a sentence names; each has its own change beside it in messages and bundles."""

Class = tuple[ClassSpec, float, Decision | None, PriorFinding | None]
"""A class, its probability in [0, 1] and its decision, and those of the earlier study."""


def change(before: float, now: float, day: str) -> str:
    """Write a change: ``0.31 → 0.82 since 2024-03-01``.

    Parameters
    ----------
    before, now
        Probabilities, in [0, 1].
    day
        Of the earlier study.
    """
    return f"{before:.2f} {ARROW} {now:.2f} since {day}"


def change_sentence(day: str, model: str, classes: Sequence[Class]) -> str:
    """Write the change of the classes that matter in one sentence, without a full stop.

    A class matters if it is, or was, present or undetermined. Where none is, the most probable one
    is named.

    Parameters
    ----------
    day
        Of the earlier study.
    model
        Name and version of the model, which are the same for both studies.
    classes
        In the order of the report.
    """
    known = [(spec, now, decision, was) for spec, now, decision, was in classes if was is not None]
    matter = [one for one in known if _matters(one[2], one[3].decision)] or known[:1]
    if not matter:
        return ""
    parts = [
        f"{class_title(spec)} {change(was.probability, now, day)}{_decided(decision, was.decision)}"
        for spec, now, decision, was in matter[:_MOST]
    ]
    if len(matter) > _MOST:
        parts.append(f"and {len(matter) - _MOST} more")
    return f"Compared with the study of {day}, by the same model ({model}): {'; '.join(parts)}"


def _matters(now: Decision | None, before: str) -> bool:
    return now in NOTABLE_DECISIONS or before in NOTABLE_DECISIONS


def _decided(now: Decision | None, before: str) -> str:
    """Write how the decision has changed; "" if it has not, or there is none."""
    if now is None or not before or before == now:
        return ""
    return f" ({before} {ARROW} {now})"
