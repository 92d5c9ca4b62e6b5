"""Claim a job, let `pacs_ai.analysis` analyse the study, enter the outcome.

The job's lease is renewed meanwhile. The outcome is fenced by the number of the attempt: if two
workers do one job, because one of them was only suspended, exactly one has an effect.
"""

import contextlib
from collections.abc import Callable, Collection, Iterable, MutableMapping, Sequence
from functools import partial

from pacs_ai.analysis.predict import PredictedStudy
from pacs_ai.analysis.study import Analysis, analyse_study
from pacs_ai.clock import heartbeat
from pacs_ai.domain import JobId, StudyId
from pacs_ai.errors import DataError, LeaseLost, PacsAIError, RuntimeFailed, StorageError
from pacs_ai.flow import retry
from pacs_ai.flow.ask import ask_delivery
from pacs_ai.flow.asked_rules import rules_of, series_of
from pacs_ai.flow.classifiers import classifier_of, with_classifier
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.integrity import check_instances, is_outage
from pacs_ai.flow.loop_guard import OWN_RESULT
from pacs_ai.flow.priors.compare import Comparing
from pacs_ai.flow.priors.wait import reason_to_wait
from pacs_ai.flow.record_outcome import record_outcome
from pacs_ai.flow.shadow import plan_shadows
from pacs_ai.flow.sources import sources_of
from pacs_ai.flow.store_results import (
    SpoolWriter,
    addressed,
    asking_for_refusals,
    wanted_results,
)
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.model.predict import Classifier
from pacs_ai.results.kinds import NEED_HEAT_MAPS
from pacs_ai.store import completeness, identities, instances, jobs, observations
from pacs_ai.store.results import StoredResult
from pacs_ai.store.schema import Instance, Job, Study
from pacs_ai.store.session import Transaction

_log = get_logger()


def analyse(
    context: FlowContext,
    classifiers: MutableMapping[str, Classifier],
    job_id: JobId,
    changed: Collection[str] = (),
) -> None:
    """Do a job that is queued; one that is not is left alone.

    Parameters
    ----------
    classifiers
        The loaded models by the names of their sections. The job's row says from its claim on
        which of them it is that runs, whatever bundle the job was made for.
    changed
        Names of sections whose models may not run, as their files are not those that the node began
        with.
    """
    loaded = dict(classifiers)  # another thread may add one meanwhile
    identities = {name: one.identity for name, one in loaded.items() if name not in changed}
    seconds = context.config.engine.lease_seconds
    with context.write() as transaction:
        lease = jobs.claim(
            transaction,
            job_id,
            seconds,
            runs=identities,
            closed=lambda job: reason_to_wait(context, transaction, job),
        )
    if lease is None:
        return
    with heartbeat(seconds / 3, lambda: _renew(context, lease)):
        try:
            _perform(context, classifiers, lease, changed)
        except LeaseLost as error:
            _log.warning("job was taken over", job=job_id, error=error.code)
        except PacsAIError as error:
            _postpone_or_fail(context, lease, error)
        except Exception as error:  # noqa: BLE001 - whatever a decoder or runtime throws, the job must end in a state
            kind = type(error).__name__
            _postpone_or_fail(context, lease, RuntimeFailed(f"unexpected {kind} while analysing"))


def _renew(context: FlowContext, lease: jobs.Lease) -> None:
    """Renew the lease; a failure is made up for by the next time, a loss shows at the end."""
    with contextlib.suppress(StorageError), context.write(durable=False) as transaction:
        jobs.renew(transaction, lease, context.config.engine.lease_seconds)


def _postpone_or_fail(context: FlowContext, lease: jobs.Lease, error: PacsAIError) -> None:
    outage = is_outage(context.spool, error)
    hours = context.config.engine.retry_hours

    def write(transaction: Transaction) -> None:
        pauses = jobs.pauses(transaction, lease.job_id, error.code)
        if isinstance(error, DataError):
            jobs.reject(transaction, lease, error.code, error.message)
        elif retry.may_retry(error, pauses, outage=outage, hours=hours, limits=retry.JOB_PAUSES):
            wait = retry.pause(pauses + 1, *retry.JOB_PAUSES)
            due_at = transaction.now + wait
            jobs.postpone(transaction, lease, error.code, error.message, due_at)
        else:
            jobs.fail(transaction, lease, error.code, error.message)

    try:
        record_outcome(context, write)
    except LeaseLost as lost:
        _log.warning("job was taken over", job=lease.job_id, error=lost.code)
        return
    _log.error("job failed", job=lease.job_id, error=error.code, attempt=lease.attempt)


def _perform(
    context: FlowContext,
    classifiers: MutableMapping[str, Classifier],
    lease: jobs.Lease,
    changed: Collection[str],
) -> None:
    with context.database.read() as session:
        job = session.get_one(Job, lease.job_id)
        study = session.get_one(Study, job.study_id)
        rows = instances.of_revision(session, StudyId(study.id), job.revision)
        named = identities.foreign(session, study)
        not_received = completeness.not_received(session, study.id, job.revision)
    check_instances(context.spool, [row for row in rows if row.unusable_reason != OWN_RESULT])
    rules = rules_of(context.config, job)
    series, comparing = series_of(job), Comparing(context, job, rules)
    sources = sources_of(context, rows, named, series)
    wanted = wanted_results(context.config, rules, comparing.context_of)
    analysis = with_classifier(
        context,
        classifiers,
        classifier_of(context, classifiers, job, changed),
        lambda one: analyse_study(one, sources, wanted, SpoolWriter(context), not_received),
    )
    if analysis.predicted is not None:
        _note_unusable(context, rows, analysis.predicted)
    _log_missing(job, analysis)
    made = [
        *addressed(context, job, analysis.results.made, rules, positive=analysis.positive),
        *analysis.results.reserve,
        *addressed(
            context, job, analysis.refusals.made, asking_for_refusals(rules), positive=False
        ),
    ]

    def keep(transaction: Transaction) -> None:
        if (predicted := analysis.predicted) is not None:
            measured = predicted.measured
            observations.add(transaction, lease.job_id, measured.modality, measured.values)
            plan_shadows(context, transaction, classifiers, job, predicted.prediction)
            comparing.keep(transaction)

    _finish(context, lease, made, _end(analysis), keep)
    if analysis.error is None:
        _log.info(
            "study analysed",
            study=study_ref(study.study_instance_uid),
            job=lease.job_id,
            images=analysis.images,
            seconds=round((context.now() - (job.started_at or job.created_at)).total_seconds(), 3),
        )


def _end(analysis: Analysis[StoredResult]) -> Callable[..., list[str]]:
    """Return the arrow of the job's state machine that an analysis ends with."""
    if (error := analysis.error) is not None:
        return partial(jobs.reject, code=error.code, text=error.message)
    return partial(
        jobs.succeed,
        summary=analysis.summary,
        findings=analysis.findings,
        fault=(analysis.results.code, analysis.results.remark),
        stages=analysis.stages,
    )


def _log_missing(job: Job, analysis: Analysis[StoredResult]) -> None:
    """Log why a study has no results, or which of them are missing."""
    error = analysis.error
    if error is not None:
        _log.warning("job rejected", job=job.id, error=error.code, reason=error.message)
    else:
        _log_faults(job, analysis)
    for kind, fault in analysis.refusals.failed.items():
        _log.error("no report of a rejected job", job=job.id, kind=kind, error=fault.code)


def _log_faults(job: Job, analysis: Analysis[StoredResult]) -> None:
    """Log which kinds were not made; that a model has no heat maps is no fault."""
    reason = analysis.predicted.prediction.model.unexplained if analysis.predicted else ""
    hidden = [kind for kind in analysis.results.failed if reason and kind in NEED_HEAT_MAPS]
    if hidden:
        _log.info("results of heat maps left out", job=job.id, kinds=hidden, reason=reason)
    for kind, fault in analysis.results.failed.items():
        if kind not in hidden:
            _log.error(
                "result not made", job=job.id, kind=kind, error=fault.code, reason=fault.message
            )


def _note_unusable(
    context: FlowContext, rows: Sequence[Instance], predicted: PredictedStudy
) -> None:
    """Write down which instances cannot be read, and which can after all."""
    before = {row.id: row.unusable_reason for row in rows}
    notes = {**dict.fromkeys(predicted.used, ""), **predicted.unusable}
    changed = {key: reason for key, reason in notes.items() if before[key] != reason}
    if not changed:
        return

    def write(transaction: Transaction) -> None:
        for instance_id, reason in changed.items():
            instances.mark_unusable(transaction, instance_id, reason)

    record_outcome(context, write)


def _finish(
    context: FlowContext,
    lease: jobs.Lease,
    made: Sequence[StoredResult],
    end: Callable[..., list[str]],
    keep: Callable[[Transaction], None],
) -> None:
    """Flush the files of results, and commit results, deliveries and their tasks together.

    The files of a lost lease are dropped.

    Parameters
    ----------
    end
        The arrow of the job's state machine; gives the destinations that have something to get.
    keep
        Keeps what else is known of the prediction.
    """

    def write(transaction: Transaction) -> None:
        for destination in end(transaction, lease, made=made):
            ask_delivery(context, transaction, lease.job_id, destination)
        keep(transaction)

    fresh = [result.path for result in made if result.fresh]
    try:
        context.spool.flush(fresh)
    except StorageError:
        _drop(context, fresh)
        raise
    try:
        record_outcome(context, write, durable=False)  # the delivery begins with a durable commit
    except LeaseLost:
        _drop(context, fresh)
        raise


def _drop(context: FlowContext, files: Iterable[str]) -> None:
    for file in files:
        context.spool.delete(file)
