"""``pacs-ai models``: the models that can analyse studies."""

import contextlib
from dataclasses import asdict
from typing import Annotated

import typer

from pacs_ai.cli.import_model import import_model
from pacs_ai.cli.models_activate import activate, disable, rollback
from pacs_ai.cli.models_change import add_model, remove_model
from pacs_ai.cli.models_compare import compare_models
from pacs_ai.cli.node import opened_node
from pacs_ai.cli.options import AsJson, ConfigPath, Verbose, group, read_config
from pacs_ai.cli.tables import Record, show_records
from pacs_ai.config import Config, ModelEntry
from pacs_ai.errors import ConfigError, ModelError
from pacs_ai.flow.classifiers import chosen_provider
from pacs_ai.flow.operate import models as operate
from pacs_ai.flow.operate.models import ModelRecord
from pacs_ai.model.verify import verify_bundle
from pacs_ai.store.records import to_dict

app = group("Models: what can analyse studies.")
app.command("import")(import_model)
app.command("add")(add_model)
app.command("remove")(remove_model)
app.command("activate")(activate)
app.command("rollback")(rollback)
app.command("disable")(disable)
app.command("compare")(compare_models)

_COLUMNS = (
    "name",
    "model",
    "version",
    "active",
    "disabled",
    "shadow",
    "since",
    "set_by",
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
    """List the models of the configuration and the shipped ones, and which versions are active."""
    settings = read_config(config, verbose=verbose)
    records = [to_dict(record) for record in _listed(settings)]
    show_records(records, _COLUMNS, as_json=as_json, nothing="no models")


def _listed(config: Config) -> list[ModelRecord]:
    """List models with what the database says; a node that never ran has none."""
    with contextlib.suppress(ConfigError), opened_node(config) as node:
        return operate.list_node_models(node)
    return operate.list_models(config)


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
    entries = operate.known_models(settings)
    if names:
        entries = {name: entries.get(name, ModelEntry(bundle=name)) for name in names}
    records = [_verified(name, entry, settings) for name, entry in entries.items()]
    show_records(records, _COLUMNS, as_json=as_json, nothing="no models")
    failed = [record["name"] for record in records if record["state"] != "ok"]
    if failed:
        raise ModelError(f"not in order: {', '.join(map(str, failed))}")


def _verified(name: str, entry: ModelEntry, config: Config) -> Record:
    """Check a model; its state is ok, or the first problem."""
    provider, keys = chosen_provider(config), config.bundles.trusted_keys
    found = verify_bundle(entry.bundle, entry.sha256, provider, keys)
    state = next((check.said for check in found.checks if not check.ok), "ok")
    record = ModelRecord.of(name, entry, config, found.bundle, state, found.computed_by)
    return {**to_dict(record), "checks": [asdict(check) for check in found.checks]}
