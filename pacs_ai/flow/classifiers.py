"""The models of a process: load them with the runtime of the configuration, and find a job's."""

import threading
from collections.abc import Callable, Collection, MutableMapping
from typing import TypeVar

from pacs_ai.config import Config, model_of, versions_of
from pacs_ai.errors import BundleChanged, ConfigError, ModelError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.replaced_runtimes import note_replaced
from pacs_ai.logs import get_logger
from pacs_ai.model.bundle import ModelBundle, load_bundle
from pacs_ai.model.network import DeviceFailed, Provider
from pacs_ai.model.predict import Classifier
from pacs_ai.model.providers import GpuUse, provider_of
from pacs_ai.model.reference import Reference
from pacs_ai.store import active_models
from pacs_ai.store.active_models import ActiveModel
from pacs_ai.store.schema import Job

T = TypeVar("T")

_log = get_logger()

_changing = threading.Lock()
"""Held while a model of this process is loaded or replaced: no two threads do that at a time."""


def load_bundles(config: Config, model: str | None = None) -> dict[str, ModelBundle]:
    """Load the bundles of the configuration, by the names of their sections.

    Parameters
    ----------
    model
        Only the versions of this model.

    Raises
    ------
    BundleInvalid
        As `load_bundle`.
    ConfigError
        If a section names another version than its bundle, or two sections the same one.
    """
    entries = config.models if model is None else versions_of(config.models, model)
    keys = config.bundles.trusted_keys
    bundles = {
        section: load_bundle(one.bundle, one.sha256, keys) for section, one in entries.items()
    }
    for section, bundle in bundles.items():
        name, _, version = section.partition("@")
        if not version or name not in config.models:
            continue
        found = bundle.identity.version
        if version != found:
            raise ConfigError(f'models."{section}": its bundle is version {found}')
        if found == bundles[name].identity.version:
            raise ConfigError(f'models."{section}": models.{name} is the same version')
    return bundles


def named_bundle(config: Config, reference: str) -> tuple[str, ModelBundle]:
    """Load the bundle that a person names.

    Parameters
    ----------
    reference
        ``NAME@VERSION`` or a section of the configuration, a shipped bundle, or a folder.

    Returns
    -------
    model
        The model of the configuration that it is a version of, or "".
    bundle
        The bundle.

    Raises
    ------
    BundleInvalid
        If there is no such bundle, or it is not in order.
    """
    keys = config.bundles.trusted_keys
    if entry := config.models.get(reference):
        name = model_of(config.models, reference)
        return name, load_bundle(entry.bundle, entry.sha256, keys)
    name, _, version = reference.partition("@")
    if version and name in config.models:
        for bundle in load_bundles(config, name).values():
            if bundle.identity.version == version:
                return name, bundle
    return "", load_bundle(reference, None, keys)


def load_classifier(config: Config, bundle: ModelBundle, threads: int) -> Classifier:
    """Load a model; if another runtime takes the place of the chosen one, the log says why.

    Parameters
    ----------
    config
        Names runtime and device; of several devices it is the first: see `on_device`.
    threads
        Threads that compute one prediction.

    Raises
    ------
    BundleInvalid
        As `pacs_ai.model.runtime.Runtime`.
    """
    classifier = Classifier.load(bundle, threads, chosen_provider(config))
    _tell(classifier)
    return classifier


def chosen_provider(config: Config) -> Provider:
    """Return what the configuration chooses to compute networks, on the first of its devices."""
    engine = config.engine
    use = GpuUse(engine.device_memory, engine.batch_images, engine.batch_wait_ms / 1000)
    return provider_of(engine.runtime, engine.devices[0], use)


def on_device(config: Config, device: str) -> Config:
    """Return the configuration of a process that has one of its devices."""
    engine = config.engine.model_copy(update={"device": device})
    return config.model_copy(update={"engine": engine})


def with_classifier(
    context: FlowContext,
    classifiers: MutableMapping[str, Classifier],
    classifier: Classifier,
    use: Callable[[Classifier], T],
) -> T:
    """Use a model; if its GPU fails meanwhile, use from the beginning what takes its place.

    Parameters
    ----------
    classifiers
        The loaded models by section: this one is replaced there, for all threads of the process.
    use
        Leaves nothing behind that does harm if it raises `DeviceFailed`.
    """
    while True:
        try:
            return use(classifier)
        except DeviceFailed as failure:
            classifier = _replaced(context, classifiers, classifier, failure)


def _replaced(
    context: FlowContext,
    classifiers: MutableMapping[str, Classifier],
    failed: Classifier,
    failure: DeviceFailed,
) -> Classifier:
    """Return what takes the place of a model, which another thread may have replaced already."""
    manifest = failed.identity.manifest_sha256
    with _changing:
        for section, one in dict(classifiers).items():
            if one.identity.manifest_sha256 != manifest:
                continue
            if one is not failed:
                return one
            classifiers[section] = failed.after(failure)
            _tell(classifiers[section])
            note_replaced(context, classifiers)
            return classifiers[section]
    return failed.after(failure)


def _tell(classifier: Classifier) -> None:
    """Log what takes the place of the choice of the configuration, if anything does."""
    by = classifier.computed_by
    if by.instead_of:
        _log.error(
            "another runtime takes the place",
            model=classifier.bundle.identity.name,
            error=by.error,
            reason=by.instead_of,
            runtime=by.with_batch,
        )


def classifier_of(
    context: FlowContext,
    classifiers: MutableMapping[str, Classifier],
    job: Job,
    changed: Collection[str],
) -> Classifier:
    """Return what the row of a running job names.

    Parameters
    ----------
    classifiers
        The loaded models, by the names of their sections. A version that was made active and is not
        among them, because the node began before it was added, is loaded and added.
    changed
        Names of sections whose files are not those that the node began with.

    Raises
    ------
    BundleChanged
        If the files of the bundle are not there, or not those that the row names.
    ModelError
        If the configuration has no such model.
    """
    for section, one in dict(classifiers).items():  # another thread may add one meanwhile
        if section not in changed and one.identity.manifest_sha256 == job.manifest_sha256:
            return one
    with context.database.read() as session:
        active = active_models.find(session, job.model_name)
    if active is not None and active.manifest_sha256 == job.manifest_sha256:
        return _load_active(context, active, classifiers)
    if job.model_name in changed or active is not None:
        raise BundleChanged(
            f"the files of model {job.model_name!r} were replaced while the node runs: start it "
            "again to use them, or put the old ones back"
        )
    raise ModelError(f"the configuration has no model {job.model_name!r} any more")


def active_reference(
    context: FlowContext, model_name: str, manifest_sha256: str
) -> Reference | None:
    """Return the statistics of the validation images of a version that is active now.

    Returns
    -------
    Reference
        None if another version is active, or its bundle has none or does not load.
    """
    with context.database.read() as session:
        active = active_models.find(session, model_name)
    if active is None or active.manifest_sha256 != manifest_sha256:
        return None
    try:
        keys = context.config.bundles.trusted_keys
        return load_bundle(active.bundle, manifest_sha256, keys).reference
    except ModelError:
        return None


def _load_active(
    context: FlowContext, active: ActiveModel, loaded: MutableMapping[str, Classifier]
) -> Classifier:
    config, section = context.config, f"{active.model_name}@{active.version}"
    try:
        with _changing:
            there = loaded.get(section)
            if there and there.identity.manifest_sha256 == active.manifest_sha256:
                return there  # another thread was faster
            threads = max((one.threads for one in loaded.values()), default=1)
            keys = config.bundles.trusted_keys
            bundle = load_bundle(active.bundle, active.manifest_sha256, keys)
            loaded[section] = load_classifier(config, bundle, threads)
            note_replaced(context, loaded)
            return loaded[section]
    except ModelError as error:
        raise BundleChanged(
            f"version {active.version} of model {active.model_name!r} is active, and cannot be"
            f" loaded: {error.message}"
        ) from error
