"""Load a model with the runtime that the configuration chooses."""

from pacs_ai.config import Config
from pacs_ai.logs import get_logger
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.model.predict import Classifier
from pacs_ai.model.providers import provider_of

_log = get_logger()


def load_classifier(config: Config, bundle: ModelBundle, threads: int) -> Classifier:
    """Load a model; if another runtime takes the place of the chosen one, the log says why.

    Parameters
    ----------
    config
        Names runtime and device.
    threads
        Threads that compute one prediction.

    Raises
    ------
    BundleInvalid
        As `pacs_ai.model.runtime.Runtime`.
    """
    engine = config.engine
    classifier = Classifier.load(bundle, threads, provider_of(engine.runtime, engine.device))
    if reason := classifier.computed_by.instead_of:
        _log.error("another runtime takes the place", model=bundle.identity.name, reason=reason)
    return classifier
