"""A report for a peer that refuses Comprehensive 3D SR: the same content as Comprehensive SR.

Reports of ours have no 3D coordinates, so either class may hold them (PS3.3 Section A.35).
"""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, Comprehensive3DSRStorage, ComprehensiveSRStorage

from pacs_ai.dicom.files import open_file
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet
from pacs_ai.errors import InvalidResult
from pacs_ai.uids import derived_uid


@dataclass(frozen=True, slots=True)
class ComprehensiveSr:
    """A report of the older class: its UIDs and its bytes."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    content: bytes


def as_comprehensive_sr(path: Path) -> ComprehensiveSr:
    """Write a report of ours as Comprehensive SR.

    Parameters
    ----------
    path
        The report as it was made; it stays as it is.

    Returns
    -------
    PlainReport
        With an instance UID and a series of its own, the same for the same report.

    Raises
    ------
    InvalidResult
        If the bytes cannot be read as a report.
    StorageError
        If the file is missing or cannot be read.
    """
    try:
        with quiet(), open_file(path) as stream:
            report = pydicom.dcmread(stream)
            _rename(report, "SOPInstanceUID", "SeriesInstanceUID")
            report.SOPClassUID = UID(ComprehensiveSRStorage)
            _rename_predecessors(report)
            report.file_meta.MediaStorageSOPClassUID = report.SOPClassUID
            report.file_meta.MediaStorageSOPInstanceUID = report.SOPInstanceUID
            buffer = BytesIO()
            pydicom.dcmwrite(buffer, report, enforce_file_format=True)
    except FOREIGN_ERRORS as error:
        raise InvalidResult(f"a report cannot be read ({type(error).__name__})") from error
    return ComprehensiveSr(
        str(report.SOPClassUID),
        str(report.SOPInstanceUID),
        str(report.SeriesInstanceUID),
        buffer.getvalue(),
    )


def _rename_predecessors(report: Dataset) -> None:
    """Refer to earlier reports as the peer has them: it refused their class, too."""
    for study in report.get("PredecessorDocumentsSequence", []):
        for series in study.ReferencedSeriesSequence:
            _rename(series, "SeriesInstanceUID")
            for reference in series.ReferencedSOPSequence:
                if reference.ReferencedSOPClassUID == Comprehensive3DSRStorage:
                    _rename(reference, "ReferencedSOPInstanceUID")
                    reference.ReferencedSOPClassUID = UID(ComprehensiveSRStorage)


def _rename(item: Dataset, *keywords: str) -> None:
    for keyword in keywords:
        item[keyword].value = derived_uid("comprehensive", str(item[keyword].value))
