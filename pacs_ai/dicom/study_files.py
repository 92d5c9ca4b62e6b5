"""Find DICOM files in what a person names, and put them together to studies."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_ai.dicom.header import is_dicom_file, read_header
from pacs_ai.errors import ConfigError, NotDicom
from pacs_ai.uids import storable_uid

_DIRECTORY = "DICOMDIR"  # lists the files of a medium, and is no instance itself


@dataclass(frozen=True, slots=True)
class Found:
    """The DICOM files, in the order of their names, and how many others there were."""

    files: tuple[Path, ...]
    others: int


@dataclass(frozen=True, slots=True)
class StudyFiles:
    """The files of one study; ``modality`` is that of the first."""

    study_instance_uid: str
    modality: str
    files: tuple[Path, ...]


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


def group_studies(files: Sequence[Path]) -> tuple[list[StudyFiles], tuple[Path, ...]]:
    """Group files by study, in the order of their first files.

    Of several files of one instance the first counts.

    Returns
    -------
    studies
        With their files. What cannot be read is taken for an image of the study beside whose files
        it lies, if these are of one study, or if there is only one.
    unreadable
        Files that look like DICOM and are no instance, of which nobody knows whose they are.

    Raises
    ------
    NotDicom
        If nothing is left.
    """
    seen: set[str] = set()
    grouped: defaultdict[str, list[Path]] = defaultdict(list)
    modality: dict[str, str] = {}
    unreadable: list[Path] = []
    for path in files:
        try:
            header = read_header(path)
        except NotDicom:
            unreadable.append(path)
            continue
        uid = header.study_instance_uid
        # callers name folders after the UID: an invalid one must not lead elsewhere
        if header.sop_instance_uid not in seen and storable_uid(uid):
            seen.add(header.sop_instance_uid)
            grouped[uid].append(path)
            modality.setdefault(uid, header.modality)
    if not grouped:
        raise NotDicom(f"no instance of a study among {len(files)} DICOM files")
    beside = _neighbours(grouped)
    homeless: list[Path] = []
    for path in unreadable:
        near = beside.get(path.parent, set()) or set(grouped)
        owner = grouped[next(iter(near))] if len(near) == 1 else homeless
        owner.append(path)
    studies = [StudyFiles(uid, modality[uid], tuple(paths)) for uid, paths in grouped.items()]
    return studies, tuple(homeless)


def _neighbours(grouped: Mapping[str, Sequence[Path]]) -> dict[Path, set[str]]:
    """Tell of which studies the files of each folder are."""
    studies: defaultdict[Path, set[str]] = defaultdict(set)
    for uid, paths in grouped.items():
        for path in paths:
            studies[path.parent].add(uid)
    return dict(studies)


def _below(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise ConfigError(f"{path} does not exist")
    if path.is_dir():
        yield from sorted(
            file for file in path.rglob("*") if file.is_file() and file.name != _DIRECTORY
        )
    else:
        yield path
