"""Which results a structured report judges, and how."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pacs_ai.domain import JobState
from pacs_ai.errors import StateError
from pacs_ai.feedback_kinds import FeedbackKind, Label
from pacs_ai.flow.feedback.labels import decided_labels, meant_labels
from pacs_ai.results.sr.read_assessment import AssessedFinding, Assessment
from pacs_ai.store.feedback import Target

Find = Callable[[str], Target | None]
"""Gives the result that an SOP Instance UID leads to."""

_OTHER = {
    Label.PRESENT: Label.ABSENT,
    Label.ABSENT: Label.PRESENT,
    Label.UNCERTAIN: Label.UNCERTAIN,
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a report says about one result."""

    target: Target
    kind: FeedbackKind
    labels: dict[str, Label]


@dataclass(slots=True)
class _Said:
    """What a report says about one result, as it stands there."""

    target: Target
    kind: FeedbackKind | None = None
    findings: dict[str, list[AssessedFinding]] = field(default_factory=dict)


def judgements(assessment: Assessment, find: Find) -> list[Judgement]:
    """Return what a report says about results of ours, nothing if it is about none.

    A report that states the presence of findings without judging a result counts if a person made
    it: other programs refer to our results, too.

    Raises
    ------
    StateError
        If it is not clear which result is meant, or the statements contradict each other.
    """
    about = _about(assessment, find)
    said: dict[str, _Said] = {}
    for finding in assessment.findings:
        meant = _results(finding.refers_to, find) or about
        if (finding.kind or finding.label) and any(_class(one, finding) for one in meant):
            one = _only(meant)
            entry = said.setdefault(one.result.sop_instance_uid, _Said(one))
            entry.findings.setdefault(_class(one, finding), []).append(finding)
    if assessment.kind is not None and about:
        one = _only(about)
        said.setdefault(one.result.sop_instance_uid, _Said(one)).kind = assessment.kind
    judged = assessment.kind or any(finding.kind for finding in assessment.findings)
    return [_judgement(one) for one in said.values()] if judged or assessment.observer else []


def _about(assessment: Assessment, find: Find) -> list[Target]:
    """Return the results that a report is about, by the strongest reference there is."""
    for uids in assessment.refers_to:
        if found := _results(uids, find):
            return found
    return []


def _results(uids: Sequence[str], find: Find) -> list[Target]:
    found = [target for uid in dict.fromkeys(uids) if (target := find(uid)) is not None]
    return list({one.result.sop_instance_uid: one for one in found}.values())


def _only(targets: Sequence[Target]) -> Target:
    if len(targets) > 1:
        raise StateError(f"it refers to {len(targets)} results, and does not say which it is about")
    return targets[0]


def _class(target: Target, finding: AssessedFinding) -> str:
    """Return the name of the class of a finding, "" if the model decides upon no such class."""
    for one in target.job.findings:
        if one["decision"] and (one["code"], one["scheme"]) == finding.finding:
            return one["name"]
    return ""


def _judgement(said: _Said) -> Judgement:
    job = said.target.job
    if job.state != JobState.SUCCEEDED:
        raise StateError("the result has no finding that could be judged")
    decided = decided_labels(job.findings)
    labels = {name: _label(name, decided[name], ones) for name, ones in said.findings.items()}
    changed = any(label != decided[name] for name, label in labels.items())
    kind = said.kind or (FeedbackKind.MODIFY if changed else FeedbackKind.ACCEPT)
    if kind is FeedbackKind.MODIFY and not changed:
        return Judgement(said.target, kind, {})  # it does not say what is changed
    return Judgement(said.target, kind, meant_labels(job.findings, kind, labels))


def _label(name: str, decided: Label, findings: Sequence[AssessedFinding]) -> Label:
    """Return the label that all statements about a class agree upon."""
    labels = {_one_label(name, decided, finding) for finding in findings}
    if len(labels) > 1:
        raise StateError(f"it says different things of {name!r}")
    return labels.pop()


def _one_label(name: str, decided: Label, finding: AssessedFinding) -> Label:
    implied = {FeedbackKind.ACCEPT: decided, FeedbackKind.REJECT: _OTHER[decided]}
    label = finding.label or (implied.get(finding.kind) if finding.kind else None)
    if label is None or (finding.kind is FeedbackKind.ACCEPT and label != decided):
        raise StateError(f"it does not say what is right of {name!r}")
    return label
