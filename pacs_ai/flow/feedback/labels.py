"""The labels that a user's feedback means, from what the model decided."""

from collections.abc import Mapping

from pacs_ai.domain import Decision
from pacs_ai.errors import StateError
from pacs_ai.feedback_kinds import FeedbackKind, Label

_MEANS = {
    Decision.PRESENT: Label.PRESENT,
    Decision.ABSENT: Label.ABSENT,
    Decision.UNDETERMINED: Label.UNCERTAIN,
}


def decided_labels(findings: list[dict[str, str]]) -> dict[str, Label]:
    """Return what the model decided, as labels; classes that are not decided upon are left out."""
    return {one["name"]: _MEANS[Decision(one["decision"])] for one in findings if one["decision"]}


def meant_labels(
    findings: list[dict[str, str]], kind: FeedbackKind, given: Mapping[str, Label]
) -> dict[str, Label]:
    """Return the labels that feedback means.

    Parameters
    ----------
    findings
        What the model decided; see `pacs_ai.store.schema.Job`.
    kind
        Who accepts a result agrees with every decision; who modifies it, with those that have no
        other label. Who rejects it says nothing but the labels that are given.
    given
        Labels by the name of the class, in capital or small letters.

    Raises
    ------
    StateError
        If a class is not one that the model decides upon, or is there twice, or the labels do not
        fit the kind.
    """
    decided = decided_labels(findings)
    folded = {name.casefold(): name for name in decided}
    meant = {name: name if name in decided else folded.get(name.casefold()) for name in given}
    if None in meant.values():
        known = ", ".join(decided) or "no class that is known, as an older version made the result"
        raise StateError(
            f"a label is of a class that the model does not decide upon. It decides upon {known}"
        )
    labels = {name: given[own] for own, name in meant.items() if name is not None}
    if len(labels) < len(given):
        raise StateError("a class has two labels")
    changed = {name for name, label in labels.items() if label != decided[name]}
    if kind is FeedbackKind.ACCEPT and changed:
        raise StateError("a result that is accepted has the labels of the model: use modify")
    if kind is FeedbackKind.MODIFY and not changed:
        raise StateError("no label differs from what the model decided: use accept")
    return labels if kind is FeedbackKind.REJECT else {**decided, **labels}


def whole_labels(decisions: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, Label]:
    """Complete labels for the training by those of classes that mean: nothing is found.

    Parameters
    ----------
    decisions
        What the model decided; "" for a class that is not decided upon.
    labels
        What a user said of the others.

    Returns
    -------
    dict
        Such a class is present if all others are absent, and absent if one is present. Without any
        label there is none of it either.
    """
    found = {name: Label(label) for name, label in labels.items()}
    if not found:
        return {}
    others = [found.get(name) for name, decision in decisions.items() if decision]
    if Label.PRESENT in others:
        rest = Label.ABSENT
    else:
        rest = Label.PRESENT if set(others) == {Label.ABSENT} else Label.UNCERTAIN
    return {**dict.fromkeys((name for name, one in decisions.items() if not one), rest), **found}
