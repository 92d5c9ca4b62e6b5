"""Find the objects in what a person names: results, images, and what is neither."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from pacs_ai.air.content import concept
from pacs_ai.air.objects import Folder, Kind, ResultObject, SourceImage
from pacs_ai.air.report_rules import TITLES
from pacs_ai.dicom.files import opened
from pacs_ai.dicom.header import is_dicom_file
from pacs_ai.dicom.modules import (
    ENCAPSULATED_PDF,
    KEY_OBJECT_SELECTION,
    LABEL_MAP_SEGMENTATION,
    PARAMETRIC_MAP,
    SECONDARY_CAPTURE,
    SEGMENTATION,
)
from pacs_ai.dicom.other_objects import other_than_image
from pacs_ai.dicom.quiet_libraries import quiet
from pacs_ai.dicom.reading import items, read_until_pixels, text, texts
from pacs_ai.dicom.scan import scan_instance
from pacs_ai.errors import ConfigError, NotDicom, StorageError

_DIRECTORY = "DICOMDIR"  # lists the files of a medium, and is no instance itself
_REPORTS = "1.2.840.10008.5.1.4.1.1.88."
_DERIVED = ("DERIVED", "SECONDARY")
_KINDS = {
    SEGMENTATION: Kind.SEGMENTATION,
    LABEL_MAP_SEGMENTATION: Kind.SEGMENTATION,
    PARAMETRIC_MAP: Kind.MAP,
    KEY_OBJECT_SELECTION: Kind.KEY_OBJECTS,
    ENCAPSULATED_PDF: Kind.DOCUMENT,
}
_REJECTIONS = frozenset((value, "DCM") for value in ("113001", "113037", "113038", "113039"))
"""Titles of rejection notes (IHE IOCM), which are no results."""

_HEADER = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "ImageType"),
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "IssuerOfPatientID"),
    *("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName"),
    *("SpecificCharacterSet", "FrameOfReferenceUID", "Rows", "Columns", "TransferSyntaxUID"),
    "SyntheticData",
)


def read_folder(paths: Sequence[Path]) -> Folder:
    """Read all files that are named, or lie below what is named.

    Raises
    ------
    ConfigError
        If a path does not exist, or is neither a file nor a folder.
    """
    found = Folder()
    for path, shown in dict(pair for one in paths for pair in _below(one)).items():
        if not is_dicom_file(path):
            found.foreign.append(shown)
            continue
        try:
            _read(path, shown, found)
        except (NotDicom, StorageError) as error:
            found.damaged.append((shown, error.message))
    return found


def _below(path: Path) -> Iterator[tuple[Path, str]]:
    """Give each file, and what it is called for a person."""
    if not path.exists():
        raise ConfigError(f"{path} does not exist")
    if path.is_file():
        yield path, path.name
        return
    if not path.is_dir():  # to open a pipe is to wait for who writes into it
        raise ConfigError(f"{path} is neither a file nor a folder")
    for file in sorted(path.rglob("*")):
        if file.is_file() and file.name != _DIRECTORY:
            yield file, str(file.relative_to(path))


def _read(path: Path, shown: str, found: Folder) -> None:
    with opened(path, "the file") as stream:
        header = read_until_pixels(stream, _HEADER)
        sop_class = text(header.dataset, "SOPClassUID")
        if not sop_class:
            raise NotDicom("it states no SOP Class UID (0008,0016)")
        kind = _kind(sop_class, header.dataset)
        other = "" if kind else other_than_image(sop_class, header.transfer_syntax_uid)
        if kind is not None:
            scan_instance(path, hash_pixels=False)
            stream.seek(0)
            dataset = dcmread(stream, force=True)
            _file_result(ResultObject(shown, _report_kind(kind, dataset), dataset), found)
        elif other:
            found.other.append((shown, other))
        else:
            found.images.append(SourceImage(shown, header.dataset))


def _file_result(one: ResultObject, found: Folder) -> None:
    if one.kind is Kind.KEY_OBJECTS and concept(one.dataset) in _REJECTIONS:
        found.other.append((one.path, "Rejection Note"))
    else:
        found.objects.append(one)


def _kind(sop_class: str, header: Dataset) -> Kind | None:
    if sop_class in _KINDS:
        return _KINDS[sop_class]
    if sop_class.startswith(_REPORTS):
        return Kind.REPORT
    captured = sop_class == SECONDARY_CAPTURE or sop_class.startswith(f"{SECONDARY_CAPTURE}.")
    return Kind.PICTURE if captured and texts(header, "ImageType")[:2] == _DERIVED else None


def _report_kind(kind: Kind, dataset: Dataset) -> Kind:
    """Tell a measurement report from other reports by its template or its title."""
    if kind is not Kind.REPORT:
        return kind
    with quiet():
        templates = {
            text(item, "TemplateIdentifier") for item in items(dataset, "ContentTemplateSequence")
        }
        stated = "1500" in templates or (not templates and concept(dataset) in TITLES)
    return Kind.REPORT if stated else Kind.OTHER_REPORT
