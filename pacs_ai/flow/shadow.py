"""Another version of a model analyses in shadow what the active one has analysed.

Its predictions are kept and never sent. It begins after the live results have gone and while no job
waits or runs, in a process of its own and in a thread that gives way to all others.
"""

import threading
from collections.abc import Callable, Mapping, MutableMapping
from functools import partial
from typing import Any

from pacs_ai.analysis.predict import PredictedStudy, predict_study
from pacs_ai.config import versions_of
from pacs_ai.domain import StudyId, StudyPrediction, StudyState
from pacs_ai.errors import PacsAIError, StateError, StorageError
from pacs_ai.flow.classifiers import with_classifier
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.integrity import check_instances
from pacs_ai.flow.loop_guard import OWN_RESULT
from pacs_ai.flow.record_outcome import record_outcome
from pacs_ai.flow.sources import sources_of
from pacs_ai.logs import get_logger
from pacs_ai.model.predict import Classifier
from pacs_ai.store import identities, instances, kept_predictions
from pacs_ai.store.kept_predictions import Maker
from pacs_ai.store.schema import Job, Study
from pacs_ai.store.session import Transaction

_LOOK_SECONDS = 0.2
_MOST_LOOKS = 150
"""After half a minute of a busy node the task ends; the next sweep asks for it again."""

_log = get_logger()


def has_shadows(context: FlowContext) -> bool:
    """Tell whether the configuration has a version that analyses in shadow."""
    return any(entry.shadow for entry in context.config.models.values())


def plan_shadows(
    context: FlowContext,
    transaction: Transaction,
    classifiers: Mapping[str, Classifier],
    job: Job,
    prediction: StudyPrediction,
) -> None:
    """Keep what a job says, if other versions analyse its study in shadow, and plan that they do.

    Parameters
    ----------
    classifiers
        The loaded models by section.
    """
    entries = versions_of(context.config.models, job.model_name)
    shadows = [
        maker_of(job.model_name, classifiers[section])
        for section, entry in entries.items()
        if entry.shadow and section in classifiers
    ]
    others = [one for one in shadows if one.manifest_sha256 != job.manifest_sha256]
    if others:
        kept_predictions.plan(transaction, job, content_of(prediction), others)


def maker_of(name: str, classifier: Classifier) -> Maker:
    """Return what names a version of a model in the rows of its predictions."""
    identity = classifier.identity
    return Maker(name, identity.version, identity.manifest_sha256)


def content_of(prediction: StudyPrediction) -> dict[str, Any]:
    """Return what is kept of a prediction: of each class its probability and decision."""
    classes = prediction.model.classes
    return {
        "images": len(prediction.images),
        "classes": {
            spec.name: [prediction.probabilities[index], prediction.decision(index) or ""]
            for index, spec in enumerate(classes)
        },
    }


def analyse_in_shadow(
    context: FlowContext,
    classifiers: MutableMapping[str, Classifier],
    key: str,
    stop: threading.Event,
    run: Callable[[Callable[[], PredictedStudy]], PredictedStudy] = lambda call: call(),
) -> None:
    """Make a prediction that is planned, unless the node is busy for long.

    Parameters
    ----------
    classifiers
        The models that analyse in shadow, by section.
    key
        The row of the prediction.
    stop
        Ends the wait for a moment without live work.
    run
        Calls what takes long, with a priority of its own.
    """
    if not _quiet(context, stop):
        return
    number = int(key)
    with context.write() as transaction:
        row = kept_predictions.begin(transaction, number)
    if row is None:
        return
    manifest = row.manifest_sha256
    classifier = next(
        (one for one in classifiers.values() if one.identity.manifest_sha256 == manifest), None
    )
    if classifier is None:
        _fail(context, number, "MODEL", "the configuration has no such version in shadow any more")
        return
    try:
        predicted = with_classifier(
            context,
            classifiers,
            classifier,
            lambda one: run(partial(predict_stored, context, one, row.study_id, row.revision)),
        )
    except StorageError:
        if row.attempts < kept_predictions.MOST_ATTEMPTS:
            raise  # the task keeps its lease, and comes again
        _fail(context, number, "STORAGE", "its files cannot be read")
    except PacsAIError as error:
        _fail(context, number, error.code, error.message)
    except Exception as error:  # noqa: BLE001 - whatever a decoder or runtime throws
        _fail(context, number, "RUNTIME_FAILED", f"unexpected {type(error).__name__}")
    else:
        content = content_of(predicted.prediction)
        record_outcome(
            context, lambda transaction: kept_predictions.succeed(transaction, number, content)
        )


def predict_stored(
    context: FlowContext, classifier: Classifier, study_id: int, revision: int
) -> PredictedStudy:
    """Predict a revision of a study whose files are kept, as a job would, and make no results.

    Raises
    ------
    DataError
        If this model cannot judge it.
    StateError
        If its files were removed, or nobody knows whose it is.
    StorageError
        If a file cannot be read.
    """
    with context.database.read() as session:
        study = session.get_one(Study, study_id)
        rows = instances.of_revision(session, StudyId(study_id), revision)
        named = identities.foreign(session, study)
    if study.state in (StudyState.PURGED, StudyState.DELETED, StudyState.CONFLICT) or not rows:
        raise StateError(f"study {study_id} is {study.state}: there is nothing to analyse")
    check_instances(context.spool, [row for row in rows if row.unusable_reason != OWN_RESULT])
    return predict_study(classifier, sources_of(context, rows, named))


def _quiet(context: FlowContext, stop: threading.Event) -> bool:
    """Wait for a moment at which no job waits or runs; False if none comes."""
    for _ in range(_MOST_LOOKS):
        with context.database.read() as session:
            if not kept_predictions.busy(session):
                return True
        if stop.wait(_LOOK_SECONDS):
            return False
    return False


def _fail(context: FlowContext, number: int, code: str, text: str) -> None:
    record_outcome(
        context, lambda transaction: kept_predictions.fail(transaction, number, code, text)
    )
    _log.warning("no prediction in shadow", prediction=number, error=code, reason=text)
