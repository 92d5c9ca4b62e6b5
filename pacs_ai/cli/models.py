"""``pacs-ai models``: the models that can analyse studies."""

from dataclasses import asdict
from typing import Annotated

import typer

from pacs_ai.cli.import_model import import_model
from pacs_ai.cli.models_change import add_model, remove_model
from pacs_ai.cli.options import AsJson, ConfigPath, Verbose, group, read_config
from pacs_ai.cli.tables import Record, show_records
from pacs_ai.config import Config, ModelEntry
from pacs_ai.config.sections import Engine
from pacs_ai.errors import ModelError
from pacs_ai.model.bundle import ModelBundle, load_bundle, shipped_bundles
from pacs_ai.model.network import ComputedBy
from pacs_ai.model.onnxruntime_provider import onnx_cpu
from pacs_ai.model.providers import provider_of
from pacs_ai.model.verify import verify_bundle

app = group("Models: what can analyse studies.")
app.command("import")(import_model)
app.command("add")(add_model)
app.command("remove")(remove_model)

_COLUMNS = (
    "name",
    "model",
    "version",
    "sha256",
    "modalities",
    "classes",
    "precision",
    "loses",
    "configured",
    "runtime",
    "folder",
    "state",
)


@app.command("list")
def list_models(
    *, as_json: AsJson = False, config: ConfigPath = None, verbose: Verbose = False
) -> None:
    """List the models of the configuration, and those that are shipped."""
    settings = read_config(config, verbose=verbose)
    records = [_listed(name, entry, settings) for name, entry in _entries(settings).items()]
    show_records(records, _COLUMNS, as_json=as_json, nothing="no models")


@app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL", help="Names, or folders of bundles.", show_default=False),
    ] = None,
    *,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Check every file of the models, run their networks once, and look for their cards.

    Exit code 1 if one is not in order; with --json each check says what it saw.
    """
    settings = read_config(config, verbose=verbose)
    entries = _entries(settings)
    if names:
        entries = {name: entries.get(name, ModelEntry(bundle=name)) for name in names}
    records = [_verified(name, entry, settings) for name, entry in entries.items()]
    show_records(records, _COLUMNS, as_json=as_json, nothing="no models")
    failed = [record["name"] for record in records if record["state"] != "ok"]
    if failed:
        raise ModelError(f"not in order: {', '.join(map(str, failed))}")


def _entries(config: Config) -> dict[str, ModelEntry]:
    used = {entry.bundle for entry in config.models.values()}
    shipped = {
        name: ModelEntry(bundle=name)
        for name in shipped_bundles()
        if name not in used and name not in config.models
    }
    return {**config.models, **shipped}


def _listed(name: str, entry: ModelEntry, config: Config) -> Record:
    """Describe a model; if its bundle is invalid, say why."""
    try:
        bundle = load_bundle(entry.bundle, entry.sha256, config.bundles.trusted_keys)
    except ModelError as error:
        return _record(name, entry, config, None, f"{error.code}: {error.message}")
    try:
        computed_by = _computed_by(bundle, config)
    except ModelError as error:
        return _record(name, entry, config, bundle, f"{error.code}: {error.message}")
    state = "files in order"
    if computed_by is not None and computed_by.instead_of:
        state += f"; {computed_by.instead_of}; ONNX Runtime on the processor takes the place"
    return _record(name, entry, config, bundle, state, computed_by)


def _computed_by(bundle: ModelBundle, config: Config) -> ComputedBy | None:
    """Load a network to learn what computes it; None if only the default can."""
    provider = provider_of(config.engine.runtime, config.engine.device)
    return None if provider is onnx_cpu else provider(bundle, 1).computed_by


def _verified(name: str, entry: ModelEntry, config: Config) -> Record:
    """Check a model; its state is ok, or the first problem."""
    provider = provider_of(config.engine.runtime, config.engine.device)
    found = verify_bundle(entry.bundle, entry.sha256, provider, config.bundles.trusted_keys)
    state = next((check.said for check in found.checks if not check.ok), "ok")
    record = _record(name, entry, config, found.bundle, state, found.computed_by)
    return {**record, "checks": [asdict(check) for check in found.checks]}


def _record(
    name: str,
    entry: ModelEntry,
    config: Config,
    bundle: ModelBundle | None,
    state: str,
    computed_by: ComputedBy | None = None,
) -> Record:
    """Describe a model; the runtime is that of the configuration, or what takes its place."""
    replaced = computed_by is not None and computed_by.instead_of
    engine = Engine() if replaced else config.engine
    identity = bundle.identity if bundle is not None else None
    report = bundle.quantisation if bundle is not None else None
    return {
        "name": name,
        "model": identity.name if identity else "",
        "version": identity.version if identity else "",
        "sha256": identity.sha256[:12] if identity else "",
        "modalities": list(bundle.input.modalities) if bundle else [],
        "classes": [spec.name for spec in identity.classes] if identity else [],
        "precision": bundle.precision if bundle else "",
        "loses": report.summary if report else "",
        "quantisation": report.model_dump() if report else None,
        "configured": name in config.models,
        "runtime": f"{engine.runtime} on {engine.device}",
        "folder": str(bundle.folder) if bundle else entry.bundle,
        "state": state,
    }
