"""Find DICOM files in what a person names on the command line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_ai.dicom.header import is_dicom_file
from pacs_ai.errors import ConfigError, NotDicom


@dataclass(frozen=True, slots=True)
class Found:
    """The DICOM files, in the order of their names, and how many others there were."""

    files: tuple[Path, ...]
    others: int


def find_files(paths: Sequence[Path]) -> Found:
    """Look through files and folders, with all that lies below them.

    Raises
    ------
    ConfigError
        If a path does not exist.
    NotDicom
        If there is no DICOM file.
    """
    candidates = list(dict.fromkeys(file for path in paths for file in _below(path)))
    files = tuple(file for file in candidates if is_dicom_file(file))
    if not files:
        raise NotDicom(f"no DICOM file among {len(candidates)}")
    return Found(files, len(candidates) - len(files))


def _below(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise ConfigError(f"{path} does not exist")
    if path.is_dir():
        # the marker file of removable media lists the others and is no instance
        yield from sorted(
            file for file in path.rglob("*") if file.is_file() and file.name != "DICOMDIR"
        )
    else:
        yield path
