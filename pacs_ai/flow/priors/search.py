"""Earlier studies are looked for, fetched, and given to the model that is to be compared.

What is looked for stands in rows, see `pacs_ai.store.prior_searches`: a node that is killed goes on
where it was. A fetched study is analysed and nothing more: no rule applies to it, and what is found
goes nowhere, unless the rule that has asked for it says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pacs_ai.config import Rule
from pacs_ai.config.rules import Priors
from pacs_ai.dicom.header import read_header
from pacs_ai.domain import InstanceHeader, JobState, StudyId, StudyState
from pacs_ai.errors import PacsAIError, PeerError
from pacs_ai.flow.arrivals import Signal
from pacs_ai.flow.ask import ask_analysis
from pacs_ai.flow.asked_rules import AskedFor, asked_for, rules_of
from pacs_ai.flow.complete import Reason, close
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.loop_guard import stays_passive
from pacs_ai.flow.priors.archive import Archived, earlier_at
from pacs_ai.flow.priors.choice import Sought, alike_studies, same_version
from pacs_ai.flow.priors.compare import merged_priors
from pacs_ai.flow.priors.examined import examined_of
from pacs_ai.flow.priors.patient import patient_of
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.priorities import Priority
from pacs_ai.results.common.evidence import read_source, study_moment
from pacs_ai.store import identities, instances, jobs, prior_searches, priors, pulls
from pacs_ai.store.active_models import Stamp, Version
from pacs_ai.store.prior_searches import Found
from pacs_ai.store.priors import Candidate
from pacs_ai.store.schema import Job, Study
from pacs_ai.store.session import Session, Transaction

_AGAIN = timedelta(seconds=5)
"""Time between two questions to an archive that does not answer."""

_NOT_HERE = (StudyState.PURGED, StudyState.RECEIVING, StudyState.COMPLETE)
"""States of a study that has to be fetched again, or is being fetched."""

_WAITS = (JobState.QUEUED, JobState.WAITING)
_NOT_ASKED = "nobody asks for earlier studies any more"
_log = get_logger()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is looked for: for which job, as its rules ask for it, and what it has to be like."""

    job: Job
    asked: Priors
    rules: Sequence[Rule]
    sought: Sought


def search_priors(context: FlowContext) -> None:
    """Do what is due: searches, and studies of which the archive has sent all."""
    _close_fetched(context)
    with context.database.read() as session:
        due = prior_searches.due(session, context.now())
    for job_id in due:
        if context.stopping.is_set():
            return
        search_for(context, job_id)


def _close_fetched(context: FlowContext) -> None:
    """Close what an archive has sent completely: nothing is to be waited for."""
    with context.database.read() as session:
        studies = prior_searches.fetched_and_open(session)
    for study in studies:
        close(context, study, Reason(Signal.FETCHED.name.lower(), str(Signal.FETCHED)))


def search_for(context: FlowContext, job_id: str) -> None:
    """Look for the earlier studies of a job once; what is in the way is tried again later."""
    with context.database.read() as session:
        job = session.get_one(Job, job_id)
        study = session.get_one(Study, job.study_id)
    rules = [rule for rule in rules_of(context.config, job) if rule.priors is not None]
    asked = merged_priors(rules)
    try:
        if asked is None or not asked.analyse or job.state not in _WAITS:
            _over(context, job, _NOT_ASKED)
            return
        wanted = _wanted(context, job, study, asked, rules)
        if wanted is None:
            _over(context, job, "the images state no patient or no date")
            return
        at = [] if not asked.peer else _at_archive(context, asked.peer, wanted)
    except PacsAIError as error:
        _again(context, job, study, error)
        return
    except Exception as error:  # noqa: BLE001 - an archive may answer anything
        _again(context, job, study, PeerError(f"unexpected {type(error).__name__}"))
        return
    _enter(context, wanted, at)


def _again(context: FlowContext, job: Job, study: Study, error: PacsAIError) -> None:
    with context.write(durable=False) as transaction:
        due = transaction.now + _AGAIN
        prior_searches.postpone(transaction, job.id, due, f"{error.code}: {error.message}")
    reference = study_ref(study.study_instance_uid)
    _log.warning("earlier studies not found", study=reference, error=error.code)


def _over(context: FlowContext, job: Job, note: str) -> None:
    with context.write(durable=False) as transaction:
        prior_searches.found(transaction, job, [], [], note)


def _wanted(
    context: FlowContext, job: Job, study: Study, asked: Priors, rules: Sequence[Rule]
) -> _Wanted | None:
    """Read from the images of a job what its earlier studies have to be like."""
    with context.database.read() as session:
        patient = patient_of(context, session, study)
        right = identities.right_file(session, study)
        headers = _headers(context, session, job)
    if patient is None or not patient.stated().get("PatientID") or not headers:
        return None
    when = study_moment(read_source(context.spool.path_of(right)))
    examined = examined_of(context, headers, when)
    if examined is None:
        return None
    sought = Sought(study, job.model_name, examined, patient, asked.months)
    return _Wanted(job, asked, rules, sought)


def _headers(context: FlowContext, session: Session, job: Job) -> list[InstanceHeader]:
    """Read the headers of the images that the job is about."""
    series = set((job.asked or {}).get("series", ()))
    found = []
    for row in instances.of_revision(session, StudyId(job.study_id), job.revision):
        if row.unusable_reason or (series and row.series_instance_uid not in series):
            continue
        header = read_header(context.spool.path_of(row.path))
        if not stays_passive(header):
            found.append(header)
    return found


def _at_archive(context: FlowContext, name: str, wanted: _Wanted) -> list[Archived]:
    found = earlier_at(context, name, wanted.sought, wanted.asked.count)
    uid = wanted.sought.study.study_instance_uid
    return [one for one in found if one.study_instance_uid != uid]


def _enter(context: FlowContext, wanted: _Wanted, at: Sequence[Archived]) -> None:
    """Enter what is to be fetched and what is to be analysed, in one transaction."""
    job, asked = wanted.job, wanted.asked
    sent = [rule for rule in wanted.rules if rule.priors is not None and rule.priors.send]
    names, getting = [rule.name for rule in sent], asked_for(sent, [], [])
    with context.write() as transaction:
        here, _ = alike_studies(context, transaction, wanted.sought)
        latest = _latest(job, here, at, asked.count)
        known = priors.of_studies(transaction, [one.study_instance_uid for one in at])
        archived = {one.study_instance_uid for one in at}
        found, analyses, fetch = [], [], []
        for uid, candidate in latest.items():
            if candidate is not None and same_version(candidate.job, job):
                continue
            row = known.get(uid) if candidate is None else candidate.study
            if row is not None and row.state == StudyState.ROUTED:
                found.append(Found(uid))
                analyses.append(row)
            elif uid in archived and (row is None or row.state in _NOT_HERE):
                found.append(Found(uid, asked.peer))
                fetch += [uid] if row is None or row.state == StudyState.PURGED else []
        note = f"{len(found)} earlier studies to be analysed"
        if not prior_searches.found(transaction, job, found, names, note):
            return
        pulls.enter(transaction, asked.peer, fetch, again=True, priority=Priority.URGENT)
        for study in analyses:
            create_job(context, transaction, study, job.model_name, _stamp(job), getting)
    reference = study_ref(wanted.sought.study.study_instance_uid)
    _log.info("earlier studies found", study=reference, analyse=len(found), fetch=len(fetch))


def _latest(
    job: Job, here: Sequence[Candidate], at: Sequence[Archived], most: int
) -> Mapping[str, Candidate | None]:
    """Return the latest of the studies that are here and of those that an archive has.

    Of results of several versions on one study it is that of the version of the job.
    """
    times = {one.study_instance_uid: (one.day, one.time) for one in at}
    ordered_here = sorted(here, key=lambda one: same_version(one.job, job))
    candidates = {one.study.study_instance_uid: one for one in ordered_here}
    times |= {uid: (one.examined.day, one.examined.time) for uid, one in candidates.items()}
    ordered = sorted(times, key=lambda uid: times[uid], reverse=True)
    return {uid: candidates.get(uid) for uid in ordered[:most]}


def _stamp(job: Job) -> Version:
    return Version(job.model_version, job.bundle_sha256, job.manifest_sha256, "")


def create_job(
    context: FlowContext,
    transaction: Transaction,
    study: Study,
    model_name: str,
    model: Stamp,
    asked: AskedFor,
) -> None:
    """Let a model analyse an earlier study, after all other work.

    Parameters
    ----------
    asked
        The rules that get the results, usually none: see `pacs_ai.flow.asked_rules.asked_for`.
    """
    names = [rule["name"] for rule in asked["rules"]]
    job_id = jobs.create(
        transaction, study, names, model_name, model, priority=Priority.LOW, asked=asked
    )
    if job_id is not None:
        ask_analysis(context, transaction, job_id)
