"""A report for a peer that refuses its class: in an older class, down to text alone.

Reports of ours have no 3D coordinates and no relationships by reference, so Comprehensive 3D SR,
Comprehensive SR and Enhanced SR may hold the same content (PS3.3 Section A.35). Basic Text SR has
less: see `pacs_ai.results.sr.basic_text_sr`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
)

from pacs_ai.dicom.files import open_file
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet
from pacs_ai.errors import InvalidResult
from pacs_ai.results.sr.basic_text_sr import keep_text
from pacs_ai.uids import derived_uid


@dataclass(frozen=True, slots=True)
class OlderReport:
    """A report of the older class: its UIDs and its bytes."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    content: bytes


Report = Path | bytes
"""A report as a file, or its bytes."""


def as_comprehensive_sr(report: Report) -> OlderReport:
    """Write a report of ours as Comprehensive SR.

    Parameters
    ----------
    report
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
    return _rewritten(report, Comprehensive3DSRStorage, ComprehensiveSRStorage, "comprehensive")


def as_enhanced_sr(report: Report) -> OlderReport:
    """Write a Comprehensive SR of ours as Enhanced SR; see `as_comprehensive_sr`.

    Reports of ours have no relationship by reference, all else of them may be in one (PS3.3
    Section A.35.2).
    """
    return _rewritten(report, ComprehensiveSRStorage, EnhancedSRStorage, "enhanced")


def as_basic_text_sr(report: Report) -> OlderReport:
    """Write an Enhanced SR of ours as Basic Text SR; see `as_comprehensive_sr`.

    Numbers become text, and positions in images become references to the images.
    """
    return _rewritten(report, EnhancedSRStorage, BasicTextSRStorage, "text", keep_text)


@dataclass(frozen=True, slots=True)
class OlderForm:
    """What is sent in place of a report; ``suffix`` stands behind the kind of the result."""

    make: Callable[[Report], OlderReport]
    suffix: str


OLDER: Mapping[str, OlderForm] = {
    Comprehensive3DSRStorage: OlderForm(as_comprehensive_sr, "2D"),
    ComprehensiveSRStorage: OlderForm(as_enhanced_sr, "2D enhanced"),
    EnhancedSRStorage: OlderForm(as_basic_text_sr, "text"),
}
"""By the SOP class that is refused."""


def _rewritten(
    report: Report,
    before: UID,
    after: UID,
    label: str,
    change: Callable[[Dataset], None] = lambda _: None,
) -> OlderReport:
    try:
        with quiet(), BytesIO(report) if isinstance(report, bytes) else open_file(report) as stream:
            dataset = pydicom.dcmread(stream)
            change(dataset)
            _rename(dataset, label, "SOPInstanceUID")
            dataset.SOPClassUID = after
            _rename_references(dataset, before, after, label)
            dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            buffer = BytesIO()
            pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    except FOREIGN_ERRORS as error:
        raise InvalidResult(f"a report cannot be read ({type(error).__name__})") from error
    return OlderReport(
        str(dataset.SOPClassUID),
        str(dataset.SOPInstanceUID),
        str(dataset.SeriesInstanceUID),
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
