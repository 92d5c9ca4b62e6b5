"""Instances that arrive as parts of a body (PS3.18 Section 8.7), written to the spool meanwhile."""

from dataclasses import dataclass, field

from pacs_ai.dicom.part10 import MAX_META, FileMeta, read_meta
from pacs_ai.errors import NotDicom
from pacs_ai.flow.incoming_instances import IncomingInstance, Receiving
from pacs_ai.net.http.multipart import PartSink
from pacs_ai.net.status import Status
from pacs_ai.uids import storable_uid

DICOM = "application/dicom"
_NO_META = FileMeta("", 0)


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """What became of a part; without UIDs it was no DICOM file."""

    sop_class_uid: str
    sop_instance_uid: str
    status: int


@dataclass(slots=True)
class _Part:
    """A part on its way: its first bytes, then the file that the rest goes to."""

    head: bytearray = field(default_factory=bytearray)
    meta: FileMeta = _NO_META
    instance: IncomingInstance | None = None
    status: int | None = None
    """Why it is no DICOM file; what still comes of it is dropped."""


class IncomingParts(PartSink):
    """Takes the parts of one body.

    Parameters
    ----------
    receiving
        Who takes the instances.

    Attributes
    ----------
    outcomes
        What became of the parts that have ended.
    """

    def __init__(self, receiving: Receiving) -> None:
        self.outcomes: list[PartOutcome] = []
        self._receiving = receiving
        self._part: _Part | None = None

    def begin(self, media_type: str) -> None:
        """Begin a part."""
        self._part = _Part()
        if media_type not in ("", DICOM):
            self._refuse(self._part)

    def write(self, data: bytes) -> None:
        """Write some bytes of a part to the spool."""
        part = self._part
        if part is None or part.status is not None:
            return
        if part.instance is not None:
            part.instance.write(data)
            return
        part.head += data
        if len(part.head) >= MAX_META:
            self._open(part)

    def end(self) -> None:
        """Store an instance that has come whole."""
        part = self._part
        assert part is not None  # noqa: S101 - it was begun
        if part.status is None and part.instance is None:
            self._open(part)
        if part.instance is not None:
            part.status = part.instance.end()
        assert part.status is not None  # noqa: S101 - without an instance it was refused
        self._part = None
        meta = part.meta
        self.outcomes.append(PartOutcome(meta.sop_class_uid, meta.sop_instance_uid, part.status))

    def abandon(self) -> None:
        """Drop what has not come whole."""
        part, self._part = self._part, None
        if part is not None and part.instance is not None:
            part.instance.discard()

    def _open(self, part: _Part) -> None:
        """Read the file meta information, and open a file for the rest."""
        head = bytes(part.head)
        part.head.clear()
        try:
            meta = read_meta(head)
        except NotDicom:
            self._refuse(part)
            return
        uids = meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid
        if all(storable_uid(uid) for uid in uids):
            part.meta = meta
        part.instance = self._receiving.begin(*uids)
        part.instance.write(head[meta.dataset_offset :])

    def _refuse(self, part: _Part) -> None:
        part.status = Status.CANNOT_UNDERSTAND
        self._receiving.handlers.refused(part.status)
