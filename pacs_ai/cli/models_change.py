"""``pacs-ai models add`` and ``models remove``: bundles of the node, and its configuration file."""

import contextlib
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.cli.options import ConfigPath, Verbose, read_config
from pacs_ai.config import Config, find_config, load_config, model_of, versions_of
from pacs_ai.config.edit import with_model, without_model
from pacs_ai.domain import JobState
from pacs_ai.errors import ConfigError, ModelError
from pacs_ai.files import atomic_write
from pacs_ai.flow.classifiers import load_bundles
from pacs_ai.flow.operate.activation import forget_model
from pacs_ai.flow.operate.models import list_node_models
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.model.copying import copy_bundle
from pacs_ai.model.verify import verify_bundle
from pacs_ai.node.wiring import opened_node
from pacs_ai.store import overview
from pacs_ai.store.selection import Filter

_WAITS = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING)


def add_model(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Folder of the bundle.")],
    *,
    name: Annotated[
        str | None,
        typer.Option(help="Name that rules use. Default: that of the model.", show_default=False),
    ] = None,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Check a bundle, copy it into the node's folder of models, and name it in the configuration.

    The configuration file gets a section [models.NAME] that pins the bundle; the rest of the file
    stays as it is. The node uses the model when a rule names it and the node has started again.
    If there is a model of this name, the bundle becomes another version of it, [models."NAME@1.2"],
    which `models activate` takes into use at once.
    """
    settings, file = read_config(config, verbose=verbose), _file(config)
    found = _verified(bundle, settings)
    called = _called(settings, name or found.identity.name, found)
    text = file.read_text(encoding="utf-8")
    copy = copy_bundle(found, models_folder(settings))
    changed = with_model(text, called, str(copy.folder), copy.manifest_sha256)
    _replace(file, changed)
    print(f"{called}: {copy.folder}")
    use = f"name {called!r} in a rule of {file}, and start the node again"
    if (name or found.identity.name) in settings.models:
        use = f"pacs-ai models activate {called} takes it into use"
    print(use, file=sys.stderr)


def remove_model(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="Name in the configuration.")],
    *,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Remove its rules too, and leave the jobs that wait without a model."
        ),
    ] = False,
    keep_files: Annotated[
        bool, typer.Option("--keep-files", help="Keep the folder of the bundle.")
    ] = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Take a model out of the configuration, and delete its bundle.

    Refused while a rule uses the model or a job waits for it. The bundle is deleted only if it lies
    in the node's folder of models and no other section uses it.
    """
    settings, file = read_config(config, verbose=verbose), _file(config)
    if name not in settings.models:
        raise ConfigError(f"the configuration has no model {name!r}")
    if others := [one for one in versions_of(settings.models, name) if one != name]:
        raise ConfigError(f"model {name!r} has other versions, remove them first: {others}")
    rules = [rule.name for rule in settings.rules if name in rule.models]
    waiting, active = _waiting(settings, name), _is_active_version(settings, name)
    if (rules or waiting or active) and not force:
        used = [f"the rule {rule!r} uses it" for rule in rules]
        used += [f"jobs that wait for it: {waiting}"] if waiting else []
        used += ["it is the version that is active"] if active else []
        raise ConfigError(f"model {name!r}: {', '.join(used)}; --force removes it all the same")
    _replace(file, without_model(file.read_text(encoding="utf-8"), name, rules))
    _forget(settings, name)
    folder = Path(settings.models[name].bundle)
    others = [entry.bundle for key, entry in settings.models.items() if key != name]
    ours = folder.parent == models_folder(settings) and str(folder) not in others
    if ours and not keep_files:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{name}: removed{' with its bundle' if ours and not keep_files else ''}")
    print("start the node again", file=sys.stderr)


def models_folder(config: Config) -> Path:
    """Return the folder that bundles are copied to."""
    return config.bundles.folder or config.storage.spool.parent / "models"


def _file(config: Path | None) -> Path:
    file = config or find_config()
    if file is None:
        raise ConfigError("there is no configuration file to change: name it with --config")
    return file


def _verified(bundle: str, config: Config) -> ModelBundle:
    found = verify_bundle(bundle, trusted_keys=config.bundles.trusted_keys)
    failed = [check.said for check in found.checks if not check.ok]
    if found.bundle is None or failed:
        raise ModelError(f"{bundle} is not added: {'; '.join(failed)}")
    return found.bundle


def _waiting(config: Config, name: str) -> int:
    """Count the jobs that wait for a model; none where the node has no database yet."""
    try:
        with opened_node(config, lambda _: None) as node, node.database.read() as session:
            found = [
                overview.jobs(session, Filter(state=state, model=name, limit=10**9))
                for state in _WAITS
            ]
    except ConfigError:
        return 0
    return sum(map(len, found))


def _called(config: Config, name: str, bundle: ModelBundle) -> str:
    """Return the name of the section: with the version, if the model is there already."""
    if name not in config.models:
        return name
    version = bundle.identity.version
    known = [one.identity.version for one in load_bundles(config, name).values()]
    if version in known:
        raise ConfigError(f"the configuration has version {version} of model {name!r} already")
    return f"{name}@{version}"


def _is_active_version(config: Config, section: str) -> bool:
    """Tell whether a section is the version of a model that a person has made active."""
    if model_of(config.models, section) == section:
        return False
    with contextlib.suppress(ConfigError), opened_node(config, lambda _: None) as node:
        found = list_node_models(node)
        return any(one.name == section and (one.active or one.disabled) for one in found)
    return False


def _forget(config: Config, section: str) -> None:
    """Remove what the database says of a model that the configuration has no more."""
    if model_of(config.models, section) == section:
        with contextlib.suppress(ConfigError), opened_node(config, lambda _: None) as node:
            forget_model(node, section)


def _replace(file: Path, text: str) -> None:
    """Replace the configuration file if the new one can be read."""
    trial = file.with_name(f".{file.name}.new")
    try:
        trial.write_text(text, encoding="utf-8")
        load_config(trial)
        mode = file.stat().st_mode
        atomic_write(file, text.encode())
        file.chmod(mode)
    except OSError as error:
        raise ConfigError(f"{file} cannot be changed: {error.strerror}") from error
    finally:
        trial.unlink(missing_ok=True)
