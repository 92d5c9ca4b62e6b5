"""Where relative paths of the configuration start; the type of a key says that it is a path."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pacs_ai.errors import ConfigError

SQLITE = "sqlite:///"
"""How the URL of a SQLite database begins; its file's path follows."""
_MANIFEST = "model.toml"

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Anchored:
    """Marks a text that may hold a relative path, by the function that lets it start at a folder.

    A `Path` needs no mark.
    """

    anchor: Callable[[str, Path], str]


def _database(url: str, base: Path) -> str:
    """Anchor the path of a SQLite URL; name the driver of a PostgreSQL one."""
    if url.startswith("postgresql://"):
        return url.replace("postgresql://", "postgresql+psycopg://", 1)
    if url.startswith("postgresql+psycopg://"):
        return url
    if not url.startswith(SQLITE) or url == SQLITE:
        raise ConfigError(
            f"storage.database: {url.split(':', 1)[0]!r} is not sqlite:/// or postgresql://"
        )
    return f"{SQLITE}{base / url.removeprefix(SQLITE)}"


def _bundle(bundle: str, base: Path) -> str:
    """Anchor a bundle's folder; a bare word that is no bundle's folder names a shipped one.

    A folder ``demo`` may be anything: only its manifest makes it a bundle.
    """
    folder = base / bundle
    return str(folder) if "/" in bundle or (folder / _MANIFEST).is_file() else bundle


DatabaseUrl = Annotated[str, Anchored(_database)]
BundleName = Annotated[str, Anchored(_bundle)]


def anchored_value(field: FieldInfo, value: object, base: Path) -> object:
    """Let the value of one key start at a folder, if the key's type is that of a path.

    Parameters
    ----------
    value
        As it was set or as it was read; None and values of other types are returned unchanged.
    base
        Absolute path of the folder; an absolute path in `value` stays as it is.
    """
    if value is None:
        return None
    for mark in field.metadata:
        if isinstance(mark, Anchored):
            return mark.anchor(str(value), base)
    if Path in (field.annotation, *get_args(field.annotation)):
        return base / str(value)
    return value


def anchored(section: M, base: Path) -> M:
    """Return a section in which all relative paths start at a folder, at any depth."""
    changed: dict[str, object] = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            changed[name] = anchored(value, base)
        elif isinstance(value, dict):
            changed[name] = {
                key: anchored(inner, base) if isinstance(inner, BaseModel) else inner
                for key, inner in value.items()
            }
        else:
            changed[name] = anchored_value(field, value, base)
    return section.model_copy(update=changed)
