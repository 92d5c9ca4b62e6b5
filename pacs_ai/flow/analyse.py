"""Step 4: one model looks at one study revision, and its findings become DICOM objects.

The job's lease is renewed all the while; what is written at the end is fenced by the attempt, so
that of two workers on one job (one of them was only asleep) exactly one has an effect.
"""

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from pacs_ai.clock import beating
from pacs_ai.domain import JobId, StudyId, StudyPrediction, TaskKind
from pacs_ai.errors import (
    BundleChanged,
    DataError,
    InvalidResult,
    LeaseLost,
    ModelError,
    PacsAIError,
    RuntimeFailed,
    StorageError,
)
from pacs_ai.flow import retry
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.flow.encode import Encoded, encode
from pacs_ai.flow.insist import insist
from pacs_ai.flow.intact import check_instances, is_outage
from pacs_ai.flow.look import Looked, Source, look
from pacs_ai.flow.loopguard import OWN_RESULT
from pacs_ai.flow.refuse import say_why
from pacs_ai.flow.whose import sources_of
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.model.predict import Classifier
from pacs_ai.results.content.wording import fraction
from pacs_ai.store import identities, instances, jobs
from pacs_ai.store.results import StoredResult
from pacs_ai.store.schema import Instance, Job, Study
from pacs_ai.store.session import Session

_log = get_logger()


def analyse(
    context: FlowContext,
    classifiers: Mapping[str, Classifier],
    job_id: JobId,
    changed: Collection[str] = (),
) -> None:
    """Do a job that is queued; one that is not is left alone.

    Parameters
    ----------
    classifiers
        The loaded models by the names that rules use. The job's row says from its claim on which
        of them it is that runs, whatever bundle the job was made for.
    changed
        Names of models that may not run, as their files are not those that the node began with.
    """
    identities = {name: one.identity for name, one in classifiers.items() if name not in changed}
    seconds = context.config.engine.lease_seconds
    with context.database.write() as session:
        lease = jobs.claim(session, job_id, context.owner, seconds, context.now(), runs=identities)
    if lease is None:
        return
    with beating(seconds / 3, lambda: _renew(context, lease)):
        try:
            _perform(context, classifiers, lease, changed)
        except LeaseLost as error:
            _log.warning("job was taken over", job=job_id, error=error.code)
        except PacsAIError as error:
            _put_off(context, lease, error)
        except Exception as error:  # noqa: BLE001 - whatever a decoder or runtime throws, the job must end in a state
            kind = type(error).__name__
            _put_off(context, lease, RuntimeFailed(f"unexpected {kind} while analysing"))


def _renew(context: FlowContext, lease: jobs.Lease) -> None:
    """Renew the lease; a failure is made up for by the next time, a loss shows at the end."""
    with contextlib.suppress(StorageError), context.database.write() as session:
        jobs.renew(session, lease, context.config.engine.lease_seconds, context.now())


def _put_off(context: FlowContext, lease: jobs.Lease, error: PacsAIError) -> None:
    outage = is_outage(context.spool, error)
    hours = context.config.engine.retry_hours

    def write(session: Session) -> None:
        now = context.now()
        pauses = jobs.pauses(session, lease.job_id, error.code)
        if isinstance(error, DataError):
            jobs.reject(session, lease, error.code, error.message, now)
        elif retry.worth(error, pauses, outage=outage, hours=hours, limits=retry.JOB_PAUSES):
            wait = retry.pause(pauses + 1, *retry.JOB_PAUSES)
            jobs.postpone(session, lease, error.code, error.message, now + wait, now)
        else:
            jobs.fail(session, lease, error.code, error.message, now)

    try:
        insist(context, write)
    except LeaseLost as lost:
        _log.warning("job was taken over", job=lease.job_id, error=lost.code)
        return
    _log.error("job failed", job=lease.job_id, error=error.code, attempt=lease.attempt)


def _perform(
    context: FlowContext,
    classifiers: Mapping[str, Classifier],
    lease: jobs.Lease,
    changed: Collection[str],
) -> None:
    with context.database.read() as session:
        job = session.get_one(Job, lease.job_id)
        study = session.get_one(Study, job.study_id)
        rows = instances.of_revision(session, StudyId(study.id), job.revision)
        named = identities.foreign(session, study)
    classifier = _chosen(classifiers, job.model_name, changed)
    check_instances(context.spool, [row for row in rows if row.unusable_reason != OWN_RESULT])
    sources = sources_of(context, rows, named)
    rules = [rule for rule in context.config.rules if rule.name in job.rules]
    try:
        looked = look(classifier, sources)
        _note_unusable(context, rows, looked)
        encoded = encode(context, job, looked.prediction, rules)
        if encoded.failed and not encoded.made:
            raise next(iter(encoded.failed.values()))
    except DataError as error:
        made = say_why(context, job, classifier.identity, sources, error)
        _log.warning("job rejected", job=job.id, error=error.code, reason=error.message)
        _finish(context, lease, made, partial(jobs.reject, code=error.code, text=error.message))
        return
    prediction = looked.prediction
    made = encoded.made + _say_what_is_missing(context, job, classifier, sources, encoded)
    fault = (encoded.code, encoded.remark)
    end = partial(jobs.succeed, summary=summarise(prediction), fault=fault)
    _finish(context, lease, made, end)
    _log.info(
        "study analysed",
        study=study_ref(study.study_instance_uid),
        job=lease.job_id,
        images=len(prediction.images),
        seconds=round((context.now() - (job.started_at or job.created_at)).total_seconds(), 3),
    )


def _chosen(
    classifiers: Mapping[str, Classifier], name: str, changed: Collection[str]
) -> Classifier:
    if name in changed:
        raise BundleChanged(
            f"the files of model {name!r} were replaced while the node runs: start it again to use "
            "them, or put the old ones back"
        )
    if name not in classifiers:
        raise ModelError(f"the configuration has no model {name!r} any more")
    return classifiers[name]


def _say_what_is_missing(
    context: FlowContext,
    job: Job,
    classifier: Classifier,
    sources: Sequence[Source],
    encoded: Encoded,
) -> list[StoredResult]:
    """Tell the log of results that could not be made, and who asked for it of their absence."""
    for kind, error in encoded.failed.items():
        _log.error("result not made", job=job.id, kind=kind, error=error.code, reason=error.message)
    if not encoded.failed:
        return []
    error = InvalidResult(f"the images were analysed, but {encoded.remark}")
    return say_why(context, job, classifier.identity, sources, error, encoded.failed)


def _note_unusable(context: FlowContext, rows: Sequence[Instance], looked: Looked) -> None:
    """Write down which instances cannot be read, and which can after all."""
    before = {row.id: row.unusable_reason for row in rows}
    notes = {**dict.fromkeys(looked.used, ""), **looked.unusable}
    changed = {key: reason for key, reason in notes.items() if before[key] != reason}
    if not changed:
        return

    def write(session: Session) -> None:
        for instance_id, reason in changed.items():
            instances.mark_unusable(session, instance_id, reason)

    insist(context, write)


def _finish(
    context: FlowContext,
    lease: jobs.Lease,
    made: Sequence[StoredResult],
    end: Callable[..., list[str]],
) -> None:
    """Commit results, deliveries and their tasks together, or drop the files of a lost lease.

    Parameters
    ----------
    end
        The arrow of the job's state machine; gives the destinations that have something to get.
    """

    def write(session: Session) -> None:
        for destination in end(session, lease, made=made, now=context.now()):
            key = pair_key(lease.job_id, destination)
            context.engine.enqueue(session, TaskKind.DELIVER, key)

    try:
        insist(context, write)
    except LeaseLost:
        for result in made:
            if result.fresh:
                context.spool.delete(result.path)
        raise


def summarise(prediction: StudyPrediction) -> str:
    """Say the outcome in a line for the listings: every class, then the reservations."""
    parts = [
        f"{spec.name} {fraction(p)}"
        for spec, p in zip(prediction.model.classes, prediction.probabilities, strict=True)
    ]
    return "; ".join([", ".join(parts), *(one.text for one in prediction.reservations)])
