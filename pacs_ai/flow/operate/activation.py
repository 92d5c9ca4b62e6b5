"""Which version of a model analyses: activate, roll back, disable, while the node runs.

Each function changes one row. Workers read it when they begin a job, so the next job of any process
and of any node goes by it. A job that runs keeps the version that it began with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pacs_ai.config import Config, model_of
from pacs_ai.errors import ModelDisabled, StateError
from pacs_ai.flow.ask import ask_analysis
from pacs_ai.flow.classifiers import load_bundles
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import missing
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.store import active_models, waiting_jobs
from pacs_ai.store.active_models import ActiveModel, ModelState, Version
from pacs_ai.store.session import Transaction


@dataclass(frozen=True, slots=True)
class Activation:
    """What is active of a model now.

    ``earlier`` is the version that a rollback would make active, "" if there is none; ``queued``
    the number of jobs that had waited for the model and go on.
    """

    model: str
    state: str
    version: str
    manifest_sha256: str
    earlier: str
    since: datetime
    set_by: str
    queued: int = 0


def activate_model(context: FlowContext, reference: str) -> Activation:
    """Let a version of a model do its jobs from now on; jobs that had waited for it go on.

    Parameters
    ----------
    reference
        ``NAME@VERSION``, or ``NAME``: the only version, or the one that was active when the model
        was disabled.

    Raises
    ------
    StateError
        If the configuration has no such model or version, or several and none is named.
    BundleInvalid
        If the bundle is not in order.
    """
    name, version = _model(context.config, reference)
    bundles = load_bundles(context.config, name)
    with context.write() as transaction:
        row = active_models.find(transaction, name)
        chosen = _chosen(context.config, name, version, bundles, row)
        first = _version(context.config, name, bundles[name])
        row = active_models.activate(transaction, name, chosen, first)
        return _record(row, _go_on(context, transaction, name))


def roll_back_model(context: FlowContext, name: str) -> Activation:
    """Let the version that was active before do the jobs of a model; done twice, all is as it was.

    Raises
    ------
    StateError
        If the configuration has no such model, or no other version was active before.
    """
    name = _alone(context.config, name)
    with context.write() as transaction:
        row = active_models.roll_back(transaction, name)
        return _record(row, _go_on(context, transaction, name))


def disable_model(context: FlowContext, name: str) -> Activation:
    """Let no version of a model analyse; its jobs wait until one is made active.

    Raises
    ------
    StateError
        If the configuration has no such model.
    """
    name = _alone(context.config, name)
    first = _version(context.config, name, load_bundles(context.config, name)[name])
    with context.write() as transaction:
        return _record(active_models.disable(transaction, name, first))


def forget_model(context: FlowContext, name: str) -> None:
    """Remove what is known of a model that the configuration has no more."""
    with context.write() as transaction:
        active_models.forget(transaction, name)


def _model(config: Config, reference: str) -> tuple[str, str]:
    """Take name and version apart."""
    if reference in config.models and model_of(config.models, reference) == reference:
        return reference, ""
    name, _, version = reference.partition("@")
    if name not in config.models:
        raise missing(f"the configuration has no model {name!r}")
    return name, version


def _alone(config: Config, reference: str) -> str:
    name, version = _model(config, reference)
    if version:
        raise StateError(f"{reference!r}: name the model alone, {name!r}")
    return name


def _chosen(
    config: Config,
    name: str,
    version: str,
    bundles: Mapping[str, ModelBundle],
    row: ActiveModel | None,
) -> Version:
    if not version and row is not None and row.state == ModelState.DISABLED:
        return Version.of(row)
    found = [section for section, one in bundles.items() if version in ("", one.identity.version)]
    if len(found) == 1:
        return _version(config, found[0], bundles[found[0]])
    known = ", ".join(f"{name}@{one.identity.version}" for one in bundles.values())
    if found:
        raise StateError(f"model {name!r} has several versions, name one: {known}")
    raise missing(f"the configuration has no version {version!r} of {name!r} (known: {known})")


def _version(config: Config, section: str, bundle: ModelBundle) -> Version:
    identity = bundle.identity
    where = config.models[section].bundle
    return Version(identity.version, identity.sha256, identity.manifest_sha256, where)


def _go_on(context: FlowContext, transaction: Transaction, name: str) -> int:
    """Queue the jobs that waited because the model was disabled."""
    woken = waiting_jobs.wake_for(transaction, ModelDisabled.code, name)
    for job_id in woken:
        ask_analysis(context, transaction, job_id)
    return len(woken)


def _record(row: ActiveModel, queued: int = 0) -> Activation:
    return Activation(
        model=row.model_name,
        state=row.state,
        version=row.version,
        manifest_sha256=row.manifest_sha256,
        earlier=row.earlier.get("version", ""),
        since=row.since,
        set_by=row.set_by,
        queued=queued,
    )
