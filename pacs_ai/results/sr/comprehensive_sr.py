"""A report for a peer that refuses its class: the same content in an older class.

Reports of ours have no 3D coordinates and no relationships by reference, so Comprehensive 3D SR,
Comprehensive SR and Enhanced SR may hold them (PS3.3 Section A.35).
"""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage

from pacs_ai.dicom.files import open_file
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet
from pacs_ai.errors import InvalidResult
from pacs_ai.uids import derived_uid


@dataclass(frozen=True, slots=True)
class OlderReport:
    """A report of the older class: its UIDs and its bytes."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    content: bytes


def as_comprehensive_sr(path: Path) -> OlderReport:
    """Write a report of ours as Comprehensive SR.

    Parameters
    ----------
    path
        The report as it was made; it stays as it is.

    Returns
    -------
    OlderReport
        With an instance UID of its own, the same for the same report. The series stays: the
        pictures of the study refer to it.

    Raises
    ------
    InvalidResult
        If the bytes cannot be read as a report.
    StorageError
        If the file is missing or cannot be read.
    """
    return _rewritten(path, Comprehensive3DSRStorage, ComprehensiveSRStorage, "comprehensive")


def as_enhanced_sr(path: Path) -> OlderReport:
    """Write a Comprehensive SR of ours as Enhanced SR; see `as_comprehensive_sr`.

    Reports of ours have no relationship by reference, all else of them may be in one (PS3.3
    Section A.35.2).
    """
    return _rewritten(path, ComprehensiveSRStorage, EnhancedSRStorage, "enhanced")


def _rewritten(path: Path, before: UID, after: UID, label: str) -> OlderReport:
    try:
        with quiet(), open_file(path) as stream:
            report = pydicom.dcmread(stream)
            _rename(report, label, "SOPInstanceUID")
            report.SOPClassUID = after
            _rename_references(report, before, after, label)
            report.file_meta.MediaStorageSOPClassUID = report.SOPClassUID
            report.file_meta.MediaStorageSOPInstanceUID = report.SOPInstanceUID
            buffer = BytesIO()
            pydicom.dcmwrite(buffer, report, enforce_file_format=True)
    except FOREIGN_ERRORS as error:
        raise InvalidResult(f"a report cannot be read ({type(error).__name__})") from error
    return OlderReport(
        str(report.SOPClassUID),
        str(report.SOPInstanceUID),
        str(report.SeriesInstanceUID),
        buffer.getvalue(),
    )


def _rename_references(item: Dataset, before: UID, after: UID, label: str) -> None:
    """Refer to other reports as the peer has them, at every depth: it refused their class, too."""
    if item.get("ReferencedSOPClassUID") == before:
        _rename(item, label, "ReferencedSOPInstanceUID")
        item.ReferencedSOPClassUID = after
    for element in item:
        if element.VR == "SQ":
            for below in element.value:
                _rename_references(below, before, after, label)


def _rename(item: Dataset, label: str, keyword: str) -> None:
    item[keyword].value = derived_uid(label, str(item[keyword].value))
