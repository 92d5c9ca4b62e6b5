"""Feedback: say what a result is worth, list it, concordance, labels for the training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pacs_ai.domain import JobState
from pacs_ai.errors import IllegalTransition, StateError
from pacs_ai.feedback_kinds import FeedbackKind, Label
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.feedback.concordance import Concordance, concordance
from pacs_ai.flow.feedback.labels import meant_labels, whole_labels
from pacs_ai.flow.feedback.training_labels import StudyLabels, agreed_labels
from pacs_ai.flow.operate.find import find_job, missing
from pacs_ai.store import feedback, overview
from pacs_ai.store.feedback import Target
from pacs_ai.store.feedback_table import Feedback
from pacs_ai.store.records import filled
from pacs_ai.store.schema import Job, Study
from pacs_ai.store.selection import Filter
from pacs_ai.store.session import Session

_ALL = 10**9


@dataclass(frozen=True, slots=True)
class FeedbackRecord:
    """What one user says about one result.

    ``counts`` is False once the same user has said something else about the result. ``holds`` says
    what became of the result: it is ``current``, ``amended`` by a later revision, ``withdrawn``
    because the patient was corrected, or ``deleted``.
    """

    id: int
    at: datetime
    study: int
    study_instance_uid: str | None
    job: str
    sop_instance_uid: str
    model: str
    manifest_sha256: str
    user: str
    kind: str
    source: str
    document_uid: str | None
    decisions: dict[str, str]
    labels: dict[str, str]
    counts: bool
    holds: str


@dataclass(frozen=True, slots=True)
class JudgedResult:
    """A result that users can judge: its job, its model, and the decision about each class."""

    job: str
    model: str
    decisions: dict[str, str]


@dataclass(frozen=True, slots=True)
class TrainingLabels:
    """Labels for the training, and how many studies are left out as their result holds no more."""

    studies: list[StudyLabels]
    left_out: int


def add_feedback(
    context: FlowContext,
    reference: str,
    kind: FeedbackKind,
    labels: Mapping[str, Label],
    source: str,
) -> FeedbackRecord:
    """Say what a result is worth, in the name of the user of the node.

    Parameters
    ----------
    reference
        SOP Instance UID of a result, or the id of its job, or enough of its first characters.
    labels
        Labels by the name of the class; those that are not given follow from the kind.
    source
        ``cli``, ``api`` or ``page``.

    Raises
    ------
    StateError
        If the reference names no result, or several, or the labels do not fit.
    IllegalTransition
        If the job has found nothing that could be judged.
    """
    with context.database.read() as session:
        target = _target(context, session, reference)
    if target.job.state != JobState.SUCCEEDED:
        raise IllegalTransition(
            f"job {target.job.id} is {target.job.state}: it has found nothing to judge"
        )
    try:
        meant = meant_labels(target.job.findings, kind, labels)
    except StateError as error:
        where = f"job {target.job.id} of study {target.job.study_id}"
        raise StateError(f"{where}: {error.message}") from None
    with context.write() as transaction:
        row = feedback.add(transaction, target, kind, meant, source, user=context.user)
        return _record(transaction, row, counts=True)


def list_judged(context: FlowContext, study_id: int) -> list[JudgedResult]:
    """Return the newest result of each model version of a study, with what it decided."""
    newest: dict[str, Job] = {}
    with context.database.read() as session:
        for job, _ in overview.jobs(session, Filter(study=study_id, limit=_ALL)):
            if job.state == JobState.SUCCEEDED:
                newest.setdefault(f"{job.model_name} {job.model_version}", job)
    return [
        JudgedResult(
            job.id,
            model,
            {one["name"]: one["decision"] for one in job.findings if one["decision"]},
        )
        for model, job in newest.items()
    ]


def list_feedback(context: FlowContext, wanted: Filter) -> list[FeedbackRecord]:
    """Return the feedback that a filter selects, the newest first."""
    with context.database.read() as session:
        rows = feedback.listed(session, wanted)
        counting = feedback.counting(session, rows)
        return [_record(session, row, counts=row.id in counting) for row in rows]


def list_concordance(context: FlowContext, wanted: Filter) -> list[Concordance]:
    """Return how often users agree with models, by version, month and class."""
    return concordance(_counted(context, wanted))


def training_labels(context: FlowContext, wanted: Filter) -> TrainingLabels:
    """Return labels for the training, from the feedback that counts.

    What was said about a result that was amended, withdrawn or deleted is left out: it was made of
    other images than the study has now.
    """
    said: list[tuple[str, dict[str, Label]]] = []
    left_out: set[int] = set()
    with context.database.read() as session:
        for row in feedback.listed(session, replace(wanted, limit=_ALL), counted=True):
            study = session.get(Study, row.study_id)
            if study is None or _holds(session, row) != "current":
                left_out.add(row.study_id)
            else:
                labels = whole_labels(row.decisions, row.labels)
                said.append((study.study_instance_uid, labels))
    return TrainingLabels(agreed_labels(said), len(left_out))


def _counted(context: FlowContext, wanted: Filter) -> Sequence[Feedback]:
    with context.database.read() as session:
        return feedback.listed(session, replace(wanted, limit=_ALL), counted=True)


def _target(context: FlowContext, session: Session, reference: str) -> Target:
    if "." in reference:
        found = feedback.by_uid(session, reference)
        if found is None:
            raise missing(f"no result has the SOP Instance UID {reference}")
        return found
    job = find_job(context, reference)
    found = feedback.of_job(session, job)
    if found is None:
        raise StateError(f"job {job.id} has no result")
    return found


def _record(session: Session, row: Feedback, *, counts: bool) -> FeedbackRecord:
    study = session.get(Study, row.study_id)
    return filled(
        FeedbackRecord,
        row,
        study=row.study_id,
        study_instance_uid=study.study_instance_uid if study is not None else None,
        job=row.job_id,
        model=f"{row.model_name} {row.model_version}",
        user=row.user_name,
        counts=counts,
        holds=_holds(session, row),
    )


def _holds(session: Session, row: Feedback) -> str:
    """Say what became of the result that feedback is about."""
    target = feedback.by_uid(session, row.sop_instance_uid)
    if target is None:
        return "deleted"
    result = target.result
    if result.withdrawal_id is not None or result.correction < target.study.correction:
        return "withdrawn"
    return "amended" if feedback.superseded(session, target) else "current"
