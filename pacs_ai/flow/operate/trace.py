"""The timeline of a study, for programs."""

from dataclasses import dataclass

from pacs_ai.flow.audit import note
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import find_study
from pacs_ai.flow.timeline import revisions_of, steps_of
from pacs_ai.priorities import Priority
from pacs_ai.store.timeline import RevisionRecord, StepRecord


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """What happened to a study, step by step, and where the time of each revision went.

    ``priority`` is the most urgent one of the study and of its jobs.
    """

    study: int
    study_instance_uid: str
    state: str
    priority: str
    revision: int
    revisions: list[RevisionRecord]
    steps: list[StepRecord]


def trace_study(context: FlowContext, reference: str) -> TraceRecord:
    """Return the timeline of a study; that somebody looked is in the ledger.

    Raises
    ------
    StateError
        If there is no such study.
    """
    line, now = find_study(context, reference), context.now()
    note.accessed(context, line.study.id, "traced")
    study = line.study
    priority = Priority(min([study.priority, *(job.priority for job in line.jobs)]))
    with context.database.read() as session:
        steps = steps_of(session, line, now)
        revisions = revisions_of(session, line, steps, now)
    return TraceRecord(
        study.id,
        study.study_instance_uid,
        study.state,
        priority.word,
        study.revision,
        revisions,
        steps,
    )
