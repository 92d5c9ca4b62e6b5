"""Models: those of the configuration, those that are shipped, and which versions are active."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from pacs_ai.config import Config, ModelEntry, model_of
from pacs_ai.config.sections import Engine
from pacs_ai.errors import ModelError
from pacs_ai.flow.classifiers import chosen_provider
from pacs_ai.flow.context import FlowContext
from pacs_ai.model.bundle import ModelBundle, load_bundle, shipped_bundles
from pacs_ai.model.network import CPU, ComputedBy
from pacs_ai.model.onnxruntime_provider import onnx_cpu
from pacs_ai.store import active_models
from pacs_ai.store.active_models import ActiveModel, ModelState
from pacs_ai.store.session import Session


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A version of a model, and whether its files are in order; empty where they are not.

    ``active``: rules that name the model are done by this version; ``disabled``: they would be, but
    a person has disabled the model. ``since`` and ``set_by`` say when and by whom, where a person
    has decided it; ``earlier`` is what a rollback would make active. ``shadow``: it analyses after
    the version that is active.
    """

    name: str
    model: str
    version: str
    sha256: str
    manifest_sha256: str
    modalities: list[str]
    classes: list[str]
    precision: str
    loses: str
    quantisation: dict[str, Any] | None
    configured: bool
    runtime: str
    folder: str
    state: str
    active: bool = False
    disabled: bool = False
    shadow: bool = False
    since: datetime | None = None
    set_by: str = ""
    earlier: str = ""

    @classmethod
    def of(
        cls,
        name: str,
        entry: ModelEntry,
        config: Config,
        bundle: ModelBundle | None,
        state: str,
        computed_by: ComputedBy | None = None,
    ) -> Self:
        """Make the record of a model.

        Parameters
        ----------
        bundle
            None if it is invalid.
        state
            What was seen of it.
        computed_by
            What computes it; by default what the configuration says.
        """
        on_cpu = computed_by and computed_by.instead_of and computed_by.device == CPU
        engine = Engine() if on_cpu else config.engine
        identity = bundle.identity if bundle is not None else None
        report = bundle.quantisation if bundle is not None else None
        return cls(
            name=name,
            model=identity.name if identity else "",
            version=identity.version if identity else "",
            sha256=identity.sha256[:12] if identity else "",
            manifest_sha256=identity.manifest_sha256 if identity else "",
            modalities=list(bundle.input.modalities) if bundle else [],
            classes=[spec.name for spec in identity.classes] if identity else [],
            precision=bundle.precision if bundle else "",
            loses=report.summary if report else "",
            quantisation=report.model_dump() if report else None,
            configured=name in config.models,
            runtime=f"{engine.runtime} on {', '.join(engine.devices)}",
            folder=str(bundle.folder) if bundle else entry.bundle,
            state=state,
        )


def list_models(config: Config, session: Session | None = None) -> list[ModelRecord]:
    """Return the versions of all models; if a bundle is invalid, its state says why.

    Parameters
    ----------
    session
        Of the node's database, which says what is active; None for a node that has none yet.
    """
    rows = () if session is None else active_models.listed(session)
    by_model = {row.model_name: row for row in rows if row.model_name in config.models}
    found = [_listed(name, entry, config) for name, entry in known_models(config).items()]
    there = {one.manifest_sha256 for one in found if one.configured}
    for name, row in by_model.items():
        if row.manifest_sha256 not in there:  # active, and not in the file
            entry = ModelEntry(bundle=row.bundle, sha256=row.manifest_sha256)
            found.append(_listed(f"{name}@{row.version}", entry, config))
    return [
        _with_use(one, by_model.get(model_of(config.models, one.name)), config) for one in found
    ]


def list_node_models(context: FlowContext) -> list[ModelRecord]:
    """Return the versions of all models of a node."""
    with context.database.read() as session:
        return list_models(context.config, session)


def _with_use(record: ModelRecord, row: ActiveModel | None, config: Config) -> ModelRecord:
    """Say of a version whether it is active, and who has decided that."""
    entry = config.models.get(record.name)
    if row is None:
        active = entry is not None and record.name == model_of(config.models, record.name)
        return replace(record, active=active, shadow=_shadow(entry, active=active))
    if row.manifest_sha256 != record.manifest_sha256:
        return replace(record, shadow=_shadow(entry, active=False))
    active = row.state == ModelState.ACTIVE
    return replace(
        record,
        active=active,
        disabled=not active,
        shadow=_shadow(entry, active=active),
        since=row.since,
        set_by=row.set_by,
        earlier=row.earlier.get("version", ""),
    )


def _shadow(entry: ModelEntry | None, *, active: bool) -> bool:
    return entry is not None and entry.shadow and not active


def known_models(config: Config) -> dict[str, ModelEntry]:
    """Return the entries of the configuration, and one for each other shipped bundle."""
    used = {entry.bundle for entry in config.models.values()}
    shipped = {
        name: ModelEntry(bundle=name)
        for name in shipped_bundles()
        if name not in used and name not in config.models
    }
    return {**config.models, **shipped}


def _listed(name: str, entry: ModelEntry, config: Config) -> ModelRecord:
    try:
        bundle = load_bundle(entry.bundle, entry.sha256, config.bundles.trusted_keys)
    except ModelError as error:
        return ModelRecord.of(name, entry, config, None, f"{error.code}: {error.message}")
    try:
        computed_by = _computed_by(bundle, config)
    except ModelError as error:
        return ModelRecord.of(name, entry, config, bundle, f"{error.code}: {error.message}")
    state = "files in order"
    if computed_by is not None and computed_by.instead_of:
        state += f"; {computed_by.instead_of}; {computed_by.with_batch} takes the place"
    return ModelRecord.of(name, entry, config, bundle, state, computed_by)


def _computed_by(bundle: ModelBundle, config: Config) -> ComputedBy | None:
    """Load a network to learn what computes it; None if only the default can."""
    provider = chosen_provider(config)
    return None if provider is onnx_cpu else provider(bundle, 1).computed_by
