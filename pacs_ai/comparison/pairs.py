"""What two versions of a model say of the same studies: known already, or predicted now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pacs_ai.config import Config
from pacs_ai.errors import DataError, PacsAIError, StateError
from pacs_ai.flow.classifiers import load_classifier, named_bundle
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import find_study
from pacs_ai.flow.shadow import content_of, maker_of, predict_stored
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.model.predict import Classifier
from pacs_ai.store import kept_predictions
from pacs_ai.store.kept_predictions import Content, KeptState
from pacs_ai.store.schema import Job, Study


@dataclass(frozen=True, slots=True)
class Said:
    """What a version says of a study.

    ``classes`` has probability and decision by the name of the class, {} if it says nothing:
    ``reason`` says why then. ``kept`` if that was known before.
    """

    classes: dict[str, tuple[float, str]]
    reason: str
    kept: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """A study of the node, its revision, and what both versions say of it."""

    study: Study
    revision: int
    said: tuple[Said, Said]


class Side:
    """One of the two versions; its network is loaded when it is needed first.

    Parameters
    ----------
    config
        Of the node.
    reference
        See `named_bundle`.
    threads
        Threads that compute one prediction.
    """

    def __init__(self, config: Config, reference: str, threads: int) -> None:
        self.reference = reference
        self.model, self.bundle = named_bundle(config, reference)
        self._config, self._threads = config, threads
        self._loaded: Classifier | None = None

    @property
    def classifier(self) -> Classifier:
        """The loaded model."""
        if self._loaded is None:
            self._loaded = load_classifier(self._config, self.bundle, self._threads)
        return self._loaded

    @property
    def name(self) -> str:
        """How pages call it."""
        return f"{self.model or self.bundle.identity.name} {self.bundle.identity.version}"

    def says(self, context: FlowContext, job: Job) -> Said:
        """Return what it says of the revision of a job; a new prediction is kept.

        Raises
        ------
        StorageError
            If a file of the study cannot be read: another time it may be possible.
        """
        manifest = self.bundle.manifest_sha256
        with context.database.read() as session:
            known = kept_predictions.of_study(session, job.study_id, job.revision).get(manifest)
        if known is not None and known.state == KeptState.DONE:
            return _said(known.content, kept=True)
        if known is not None:
            return Said({}, f"{known.error_code}: {known.error_text}", kept=True)
        return self._replay(context, job)

    def _replay(self, context: FlowContext, job: Job) -> Said:
        maker = maker_of(job.model_name, self.classifier)
        content: Content = {}
        error = ("", "")
        try:
            predicted = predict_stored(context, self.classifier, job.study_id, job.revision)
            content = content_of(predicted.prediction)
        except DataError as reason:
            error = (reason.code, reason.message)
        with context.write() as transaction:
            kept_predictions.keep_replay(transaction, job, maker, content, error)
        if error[0]:
            return Said({}, ": ".join(error), kept=False)
        return _said(content, kept=False)


def _said(content: Content, *, kept: bool) -> Said:
    classes = {name: (float(one[0]), str(one[1])) for name, one in content["classes"].items()}
    return Said(classes, "", kept)


def check_comparable(first: ModelBundle, second: ModelBundle) -> list[str]:
    """Return the classes that both versions have.

    Raises
    ------
    StateError
        If the bundles are the same, or have no class in common.
    """
    if first.manifest_sha256 == second.manifest_sha256:
        raise StateError("both names are the same bundle: there is nothing to compare")
    names = {one.name for one in second.identity.classes}
    shared = [one.name for one in first.identity.classes if one.name in names]
    if not shared:
        raise StateError("the two bundles have no class in common")
    return shared


def jobs_to_compare(
    context: FlowContext, models: set[str], studies: Sequence[str], since: datetime | None
) -> list[str]:
    """Return the ids of the last job of each study that has some, the oldest study first.

    Parameters
    ----------
    models
        Only studies that these models were to analyse; any if there are none.
    studies
        Only these: row ids, Study Instance UIDs, or references of the log; any if there are none.
    since
        Only studies whose last image came since then.

    Raises
    ------
    StateError
        If there is no such study.
    """
    chosen = [find_study(context, reference).study.id for reference in studies]
    with context.database.read() as session:
        return kept_predictions.last_jobs(session, models, chosen, since)


def pairs(context: FlowContext, sides: tuple[Side, Side], jobs: Sequence[str]) -> Iterator[Pair]:
    """Go through studies, one at a time; a study that cannot be read is left out with a reason."""
    for key in jobs:
        with context.database.read() as session:
            job = session.get(Job, key)
            study = None if job is None else session.get(Study, job.study_id)
        if job is None or study is None:
            continue
        yield Pair(
            study, job.revision, (_says(context, sides[0], job), _says(context, sides[1], job))
        )


def _says(context: FlowContext, side: Side, job: Job) -> Said:
    try:
        return side.says(context, job)
    except PacsAIError as error:  # of the storage or the runtime: not kept, the next time decides
        return Said({}, f"{error.code}: {error.message}", kept=False)
