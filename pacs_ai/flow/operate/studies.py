"""Studies: list, show, close, reroute, resolve, delete."""

from dataclasses import dataclass

from pacs_ai.domain import JobId, StudyId, StudyState
from pacs_ai.errors import IllegalTransition, StateError
from pacs_ai.flow import complete, correct, remove
from pacs_ai.flow.audit import note
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.expire import held_studies
from pacs_ai.flow.operate.find import find_study, missing
from pacs_ai.flow.timeline import revisions_of, steps_of
from pacs_ai.store import (
    corrections,
    feedback,
    overview,
    pulls,
    repeats,
    results,
    sending,
    studies,
)
from pacs_ai.store.overview import StudyLine
from pacs_ai.store.records import (
    ChoiceRecord,
    DeliveryRecord,
    EventRecord,
    InstanceRecord,
    JobRecord,
    ResultRecord,
    StudyDetails,
    StudyRecord,
    filled,
)
from pacs_ai.store.schema import Event
from pacs_ai.store.selection import Filter
from pacs_ai.store.sending import DestinationSummary
from pacs_ai.store.session import Session

_ALL = 10**9


@dataclass(frozen=True, slots=True)
class StudyRevision:
    """A study, and the revision that an action was about."""

    id: int
    revision: int


@dataclass(frozen=True, slots=True)
class DeletedStudy:
    """A study that was deleted: the number of files removed, and of results that peers keep."""

    id: int
    files: int
    delivered: int


def list_studies(context: FlowContext, wanted: Filter) -> list[StudyRecord]:
    """Return the studies that a filter selects, the newest first."""
    with context.database.read() as session:
        return [StudyRecord.of(line) for line in overview.studies(session, wanted)]


def list_destinations(context: FlowContext, wanted: Filter) -> list[DestinationSummary]:
    """Count the deliveries of those studies by destination and state, whatever the limit."""
    with context.database.read() as session:
        return sending.destinations_of_studies(session, wanted)


def get_study(context: FlowContext, reference: str) -> StudyRecord:
    """Return one study.

    Parameters
    ----------
    reference
        Row id, Study Instance UID, or reference of the log; so for all functions here.

    Raises
    ------
    StateError
        If there is no such study; so for all functions here.
    """
    return StudyRecord.of(find_study(context, reference))


def show_study(context: FlowContext, reference: str) -> StudyDetails:
    """Return a study with everything that belongs to it; that somebody looked is in the ledger."""
    line = find_study(context, reference)
    note.accessed(context, line.study.id, "shown")
    return _details(context, line)


def show_accession(context: FlowContext, accession_number: str) -> list[StudyDetails]:
    """Return the studies with this accession number, with everything that belongs to them.

    Raises
    ------
    StateError
        If there is none.
    """
    key = context.accession_key(accession_number)
    with context.database.read() as session:
        lines = overview.studies(session, Filter(), accession_key=key)
    if not lines:
        raise missing("no study with this accession number")
    for line in lines:
        note.accessed(context, line.study.id, "shown by its accession number")
    return [_details(context, line) for line in lines]


def close_study(context: FlowContext, reference: str) -> StudyRevision:
    """Close a study that is RECEIVING: wait for nothing more.

    Raises
    ------
    IllegalTransition
        If it is in another state.
    """
    line = find_study(context, reference)
    _close(context, line)
    return StudyRevision(line.study.id, line.study.revision)


def reroute_study(context: FlowContext, reference: str) -> StudyRevision:
    """Apply the rules again, to a new revision: after a change of rules or models.

    Raises
    ------
    IllegalTransition
        If it is neither COMPLETE nor ROUTED.
    """
    study = find_study(context, reference).study
    if study.state not in (StudyState.COMPLETE, StudyState.ROUTED):
        raise IllegalTransition(f"study {study.id} is {study.state}, not ROUTED")
    with context.write() as transaction:
        revision = studies.reopen(transaction, study, note="reroute")
    _close(context, find_study(context, str(study.id)))
    return StudyRevision(study.id, revision)


def list_choices(context: FlowContext, reference: str) -> list[ChoiceRecord]:
    """Return the patients that a study in CONFLICT may be of.

    Raises
    ------
    IllegalTransition
        If it is not in CONFLICT.
    StateError
        If the patients are not known.
    """
    study = find_study(context, reference).study
    if study.state != StudyState.CONFLICT:
        raise IllegalTransition(f"study {study.id} is {study.state}, not CONFLICT")
    with context.database.read() as session:
        known = corrections.choices(session, study)
    if not known:
        raise StateError(
            f"study {study.id}: the patients of its images are not known. An older version received"
            " it: start the node, which reads its files, and try again. If no file of the study is"
            " left, delete it"
        )
    return [ChoiceRecord.of(choice) for choice in known]


def resolve_study(context: FlowContext, reference: str, keep: str) -> StudyRevision:
    """End a CONFLICT: say whose study it is.

    Parameters
    ----------
    keep
        The right patient: ``first``, ``corrected``, or the number of a choice.

    Raises
    ------
    IllegalTransition
        If it is not in CONFLICT.
    StateError
        If there is no such choice, or no file that names this patient.
    """
    known = list_choices(context, reference)
    study = find_study(context, reference).study
    chosen = next((one for one in known if keep in (one.keep, str(one.number))), None)
    if chosen is None:
        names = ", ".join(one.keep for one in known)
        raise StateError(f"study {study.id} has no choice {keep!r}: it is one of {names}")
    revision = correct.resolve(context, StudyId(study.id), chosen.number)
    _close(context, find_study(context, str(study.id)))
    return StudyRevision(study.id, revision)


def delete_study(context: FlowContext, reference: str) -> DeletedStudy:
    """Remove a study's files, rows and results, so that it can be sent again.

    Raises
    ------
    IllegalTransition
        If anything of it is under way; the message says what.
    """
    study = find_study(context, reference).study
    deleted = remove.delete(context, study)
    return DeletedStudy(study.id, len(deleted.paths), deleted.delivered)


def _close(context: FlowContext, line: StudyLine) -> None:
    reason = complete.Reason(complete.OPERATOR, complete.OPERATOR)
    if not complete.close(context, line.study, reason, actor=context.owner):
        raise IllegalTransition(f"study {line.study.id} is {line.study.state}, not RECEIVING")


def _details(context: FlowContext, line: StudyLine) -> StudyDetails:
    ends = {study.id: ends for study, ends in held_studies(context)}
    with context.database.read() as session:
        made = [one for job in line.jobs for one in results.of_job(session, JobId(job.id))]
        choices = corrections.choices(session, line.study)
        steps = steps_of(session, line, context.now())
        return filled(
            StudyDetails,
            StudyRecord.of(line),
            node=line.study.node,
            files_removed_at=ends.get(line.study.id),
            revisions=revisions_of(session, line, steps, context.now()),
            steps=steps,
            senders=repeats.senders(session, line.study.id),
            patients=[ChoiceRecord.of(one) for one in choices] if len(choices) > 1 else [],
            not_analysed=[
                InstanceRecord.of(one) for one in overview.left_out(session, line.study.id)
            ],
            jobs=[JobRecord.of(job, line.study) for job in line.jobs],
            results=[ResultRecord.of(result, context.spool) for result in made],
            deliveries=[DeliveryRecord.of(*pair) for pair in line.deliveries],
            events=[EventRecord.of(event) for event in _events(session, line)],
        )


def _events(session: Session, line: StudyLine) -> list[Event]:
    """Return the audit trail of a study, its jobs, deliveries and feedback, oldest first."""
    said = feedback.listed(session, Filter(study=line.study.id, limit=_ALL))
    keys = [(name, str(line.study.id)) for name in ("study", "arrival", "prior", "document")]
    keys += [("feedback", str(one.id)) for one in said]
    asked = pulls.of_studies(session, [line.study.study_instance_uid])
    keys += [(pulls.PULL, str(one.id)) for one in asked]
    keys += [("job", job.id) for job in line.jobs]
    keys += [("delivery", str(delivery.id)) for delivery, _ in line.deliveries]
    trail = [event for key in keys for event in overview.events(session, *key)]
    return sorted(trail, key=lambda event: event.id)
