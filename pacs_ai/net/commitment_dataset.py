"""The data sets of storage commitment (PS3.4 Annex J), and the requests that carry them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from io import BytesIO

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import dcmread
from pydicom.filewriter import write_dataset
from pydicom.uid import UID

from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS
from pacs_ai.errors import NotDicom
from pacs_ai.net.contexts import (
    COMMITMENT_PUSH,
    COMMITMENT_PUSH_INSTANCE,
    EXPLICIT_BIG,
    IMPLICIT_LITTLE,
)
from pacs_ai.net.dimse import Field, encode_request
from pacs_ai.uids import storable_uid

SopReference = tuple[str, str]
"""SOP Class UID and SOP Instance UID."""

REQUEST_ACTION = 1
"""Action Type ID of a commitment request (PS3.4 Table J.3-1)."""


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """What an archive says about instances it was asked to keep (PS3.4 Annex J.3.3).

    ``failed`` holds class, instance and Failure Reason (PS3.3 Section C.14.1.1).
    """

    transaction_uid: str
    committed: tuple[SopReference, ...]
    failed: tuple[tuple[str, str, int], ...]


class EventType(IntEnum):
    """Event Type ID of a report (PS3.4 Table J.3-2)."""

    ALL_COMMITTED = 1
    FAILURES_EXIST = 2


def request_dataset(transaction_uid: str, references: Iterable[SopReference]) -> Dataset:
    """Make the Action Information of a request (PS3.4 Table J.3-1)."""
    dataset = Dataset()
    dataset.TransactionUID = transaction_uid
    dataset.ReferencedSOPSequence = [_item(*reference) for reference in references]
    return dataset


def report_dataset(report: CommitmentReport) -> tuple[EventType, Dataset]:
    """Make the Event Information of a report (PS3.4 Table J.3-2); return its event type as well."""
    dataset = Dataset()
    dataset.TransactionUID = report.transaction_uid
    if report.committed:
        dataset.ReferencedSOPSequence = [_item(*reference) for reference in report.committed]
    if not report.failed:
        return EventType.ALL_COMMITTED, dataset
    failed = []
    for sop_class_uid, sop_instance_uid, reason in report.failed:
        item = _item(sop_class_uid, sop_instance_uid)
        item.FailureReason = reason
        failed.append(item)
    dataset.FailedSOPSequence = failed
    return EventType.FAILURES_EXIST, dataset


def read_request(dataset: Dataset) -> tuple[str, tuple[SopReference, ...]]:
    """Return Transaction UID and references of a request.

    Raises
    ------
    NotDicom
        If it has no Transaction UID, no reference, or an invalid UID.
    """
    try:
        transaction = _uid(dataset.TransactionUID)
        references = _references(dataset.ReferencedSOPSequence)
    except FOREIGN_ERRORS as error:
        raise NotDicom("commitment request lacks what PS3.4 Table J.3-1 demands") from error
    if not references:
        raise NotDicom("commitment request refers to nothing")
    return transaction, references


def read_report(dataset: Dataset) -> CommitmentReport:
    """Return what a report says.

    Raises
    ------
    NotDicom
        If it has no Transaction UID, or an invalid UID.
    """
    try:
        failed = dataset.get("FailedSOPSequence") or []
        return CommitmentReport(
            transaction_uid=_uid(dataset.TransactionUID),
            committed=_references(dataset.get("ReferencedSOPSequence") or []),
            failed=tuple(
                (*reference, int(item.get("FailureReason", 0)))
                for reference, item in zip(_references(failed), failed, strict=True)
            ),
        )
    except FOREIGN_ERRORS as error:
        raise NotDicom("commitment report lacks what PS3.4 Table J.3-2 demands") from error


def decode(data: bytes, transfer_syntax: str) -> Dataset:
    """Decode a data set that came without file meta information.

    Raises
    ------
    NotDicom
        If pydicom cannot read it.
    """
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(transfer_syntax)
    head = DicomBytesIO()
    head.is_little_endian, head.is_implicit_VR = True, False
    write_dataset(head, meta)
    try:
        return dcmread(BytesIO(head.getvalue() + data), force=True)
    except FOREIGN_ERRORS as error:
        raise NotDicom("not a readable data set") from error


def encode(dataset: Dataset, transfer_syntax: str) -> bytes:
    """Encode one of our data sets without file meta information."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = transfer_syntax == IMPLICIT_LITTLE
    buffer.is_little_endian = transfer_syntax != EXPLICIT_BIG
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def encode_message(
    field: Field, message_id: int, kind: int, dataset: Dataset, transfer_syntax: str
) -> tuple[bytes, bytes]:
    """Encode command set and data set of an N-ACTION or N-EVENT-REPORT of the service.

    Parameters
    ----------
    kind
        Action Type ID, or Event Type ID.
    """
    command = encode_request(
        field, message_id, COMMITMENT_PUSH, COMMITMENT_PUSH_INSTANCE, kind=kind, with_dataset=True
    )
    return command, encode(dataset, transfer_syntax)


def _item(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item


def _references(items: Sequence[Dataset]) -> tuple[SopReference, ...]:
    return tuple(
        (_uid(item.ReferencedSOPClassUID), _uid(item.ReferencedSOPInstanceUID)) for item in items
    )


def _uid(value: object) -> str:
    uid = str(value)
    if not storable_uid(uid):
        raise ValueError("not a UID")
    return uid
