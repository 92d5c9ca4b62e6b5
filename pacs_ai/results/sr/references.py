"""References of a report: the order it answers, and other objects."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from pacs_ai.dicom.reading import items, text
from pacs_ai.results.common.object_header import references
from pacs_ai.results.common.patient_study import copied_element

# Type 2 attributes of an item of Referenced Request Sequence (PS3.3 Section C.17.2).
_REQUEST = (
    "ReferencedStudySequence",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "RequestedProcedureCodeSequence",
)


def referenced_requests(source: Dataset) -> list[Dataset]:
    """Items of Referenced Request Sequence: the orders of the source, or its accession number."""
    requests = [_request(source, item) for item in items(source, "RequestAttributesSequence")]
    if not requests and text(source, "AccessionNumber"):
        requests = [_request(source, Dataset())]
    return requests


class Referable(Protocol):
    """What a reference to an instance by study and series needs."""

    @property
    def study_instance_uid(self) -> str:
        """Study Instance UID."""

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID."""

    @property
    def sop_class_uid(self) -> str:
        """SOP Class UID."""

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID."""


def evidence_items(headers: Sequence[Referable]) -> list[Dataset]:
    """Items that name instances by study and series: of evidence, of predecessors."""
    return _by_series(
        (h.study_instance_uid, h.series_instance_uid, h.sop_class_uid, h.sop_instance_uid)
        for h in headers
    )


def _request(source: Dataset, attributes: Dataset) -> Dataset:
    request = Dataset()
    request.StudyInstanceUID = text(attributes, "StudyInstanceUID") or text(
        source, "StudyInstanceUID"
    )
    for keyword in _REQUEST:
        element = copied_element(attributes, keyword)
        vr = dictionary_VR(keyword)
        request[keyword] = element or DataElement(keyword, vr, [] if vr == "SQ" else None)
    number = copied_element(attributes, "AccessionNumber") or copied_element(
        source, "AccessionNumber"
    )
    request["AccessionNumber"] = number or DataElement("AccessionNumber", "SH", None)
    return request


def _by_series(instances: Iterable[tuple[str, str, str, str]]) -> list[Dataset]:
    studies: dict[str, dict[str, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for study, series, sop_class, sop_instance in instances:
        studies[study][series].append((sop_class, sop_instance))
    made = []
    for study_uid, by_series in studies.items():
        item = Dataset()
        item.StudyInstanceUID = study_uid
        item.ReferencedSeriesSequence = [
            _series(series_uid, found) for series_uid, found in by_series.items()
        ]
        made.append(item)
    return made


def _series(series_uid: str, instances: Sequence[tuple[str, str]]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = series_uid
    item.ReferencedSOPSequence = references(instances)
    return item
