"""From flags, environment and a TOML file to one `Config`."""

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from pacs_ai.config.errors import explain
from pacs_ai.config.paths import SQLITE, anchored, anchored_value
from pacs_ai.config.schema import Config
from pacs_ai.errors import ConfigError

FILE_NAME = "pacs-ai.toml"
_ENVIRONMENT = "PACS_AI_"
_PASSWORD = re.compile(r"(://[^:/@]*:).*(@)|((?:ssl)?password=)[^&]*")
"""Up to the last @: a password may hold one."""
_ORCHESTRATOR = ("service_", "port_")
"""How Kubernetes goes on behind the name of a service, such as one called ``pacs-ai-node``."""
_TOML = {
    "Invalid value": ': a text stands in quotation marks, as in ae_title = "AI_NODE"',
    "Cannot overwrite a value": ": this key is there a second time",
    "Cannot declare": ": this section is there a second time",
}
"""How an error of the TOML reader begins: what most often is its cause."""

Overrides = Mapping[str, Mapping[str, object]]


def find_config() -> Path | None:
    """Return ``pacs-ai.toml`` of the working directory, if there is one."""
    path = Path(FILE_NAME)
    return path if path.is_file() else None


def state_folder() -> Path:
    """Return the user's state directory for this program (XDG Base Directory, 2021)."""
    root = os.environ.get("XDG_STATE_HOME", "")
    base = Path(root) if Path(root).is_absolute() else Path.home() / ".local" / "state"
    return base / "pacs-ai"


def load_config(
    path: Path | None = None, flags: Overrides | None = None, *, without: Collection[str] = ()
) -> Config:
    """Read and check the configuration.

    Parameters
    ----------
    path
        The TOML file; None takes ``pacs-ai.toml`` of the working directory, and without one the
        defaults with all data in the user's state directory.
    flags
        Values from the command line, section by section; None values do not count.
    without
        Sections to leave out, and with them all rules: to find the node of a faulty file.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a key is unknown, missing or wrong.
    """
    path = path or find_config()
    base = Path.cwd() if path is None else path.resolve().parent
    data = _default_storage() if path is None else _read(path)
    if without:
        data = {name: one for name, one in data.items() if name not in without} | {"rules": []}
    here = Path.cwd()
    environment = _environment()
    _merge(data, environment, here)
    _merge(data, flags or {}, here)
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{path or 'configuration'}: {explain(error, environment)}") from None
    return anchored(config, base)


def describe(config: Config) -> dict[str, Any]:
    """Return the configuration for printing, with the database's password hidden."""
    shown = config.model_dump(mode="json")
    shown["storage"]["database"] = _PASSWORD.sub(
        lambda found: f"{found[1] or found[3]}***{found[2] or ''}", config.storage.database
    )
    return shown


def _default_storage() -> dict[str, Any]:
    folder = state_folder()
    return {"storage": {"database": f"{SQLITE}{folder}/pacs-ai.db", "spool": str(folder / "spool")}}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}{_hint(str(error))}") from None


def _hint(said: str) -> str:
    """Say what is most often meant by what the reader of TOML says."""
    return next((hint for start, hint in _TOML.items() if said.startswith(start)), "")


def _environment() -> dict[str, dict[str, str]]:
    """Values for known sections: an orchestrator may set other ``PACS_AI_`` variables.

    Only our own variables are read. Another thread may set and delete others meanwhile: typer
    does, and ``os.environ.items()`` then raises KeyError.
    """
    found: dict[str, dict[str, str]] = {}
    ours = {name: os.environ[name] for name in os.environ if name.startswith(_ENVIRONMENT)}
    for section in Config.model_fields:
        keys = _fields(section)
        if not keys:
            continue
        start = f"{_ENVIRONMENT}{section}_".upper()
        for name, value in ours.items():
            key = name.removeprefix(start).lower()
            if not name.startswith(start) or key.startswith(_ORCHESTRATOR):
                continue
            if key not in keys:
                raise ConfigError(f"{name}: [{section}] has no key {key!r}")
            found.setdefault(section, {})[key] = value
    return found


def _merge(data: dict[str, Any], upper: Overrides, here: Path) -> None:
    """Lay `upper` over `data`; its relative paths start at the working directory."""
    for section, values in upper.items():
        below = data.get(section, {})
        if not isinstance(below, dict):
            continue  # node = "x": the check says that it must be a table
        fields = _fields(section)
        given = {
            key: _value(fields[key], value, here)
            for key, value in values.items()
            if value is not None
        }
        if given:
            data[section] = {**below, **given}


def _fields(section: str) -> dict[str, FieldInfo]:
    """Return the keys of a section with their types; none for a table of sections."""
    fields: dict[str, FieldInfo] = getattr(
        Config.model_fields[section].annotation, "model_fields", {}
    )
    return fields


def _value(field: FieldInfo, value: object, here: Path) -> object:
    """Read the value that a variable or a flag sets."""
    if get_origin(field.annotation) is tuple and isinstance(value, str):
        return _list(value)
    return anchored_value(field, value, here)


def _list(text: str) -> tuple[object, ...]:
    """Read several values out of a variable: ``A,B``, or as the file has them: ``["A", "B"]``."""
    with suppress(tomllib.TOMLDecodeError):
        written = tomllib.loads(f"list = {text}")["list"]
        if isinstance(written, list):
            return tuple(written)
    return tuple(part.strip() for part in text.split(",") if part.strip())
