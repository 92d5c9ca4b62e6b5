"""Models: those of the configuration, and those that are shipped."""

from dataclasses import dataclass
from typing import Any, Self

from pacs_ai.config import Config, ModelEntry
from pacs_ai.config.sections import Engine
from pacs_ai.errors import ModelError
from pacs_ai.model.bundle import ModelBundle, load_bundle, shipped_bundles
from pacs_ai.model.network import ComputedBy
from pacs_ai.model.onnxruntime_provider import onnx_cpu
from pacs_ai.model.providers import provider_of


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model and whether its files are in order; empty values where its bundle is invalid."""

    name: str
    model: str
    version: str
    sha256: str
    modalities: list[str]
    classes: list[str]
    precision: str
    loses: str
    quantisation: dict[str, Any] | None
    configured: bool
    runtime: str
    folder: str
    state: str

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
        replaced = computed_by is not None and computed_by.instead_of
        engine = Engine() if replaced else config.engine
        identity = bundle.identity if bundle is not None else None
        report = bundle.quantisation if bundle is not None else None
        return cls(
            name=name,
            model=identity.name if identity else "",
            version=identity.version if identity else "",
            sha256=identity.sha256[:12] if identity else "",
            modalities=list(bundle.input.modalities) if bundle else [],
            classes=[spec.name for spec in identity.classes] if identity else [],
            precision=bundle.precision if bundle else "",
            loses=report.summary if report else "",
            quantisation=report.model_dump() if report else None,
            configured=name in config.models,
            runtime=f"{engine.runtime} on {engine.device}",
            folder=str(bundle.folder) if bundle else entry.bundle,
            state=state,
        )


def list_models(config: Config) -> list[ModelRecord]:
    """Return the models; if a bundle is invalid, its state says why."""
    return [_listed(name, entry, config) for name, entry in known_models(config).items()]


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
        state += f"; {computed_by.instead_of}; ONNX Runtime on the processor takes the place"
    return ModelRecord.of(name, entry, config, bundle, state, computed_by)


def _computed_by(bundle: ModelBundle, config: Config) -> ComputedBy | None:
    """Load a network to learn what computes it; None if only the default can."""
    provider = provider_of(config.engine.runtime, config.engine.device)
    return None if provider is onnx_cpu else provider(bundle, 1).computed_by
