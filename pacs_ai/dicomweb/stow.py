"""Store instances (STOW-RS, PS3.18 Section 10.5): the way of a C-STORE, with another envelope.

Each part is written to the spool while it arrives. At its end it goes through the same check, the
same flush and the same transaction as an instance that came by C-STORE, and gets the same status.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pacs_ai.dicom.part10 import MAX_META, FileMeta, read_meta
from pacs_ai.dicomweb.errors import RequestRefused
from pacs_ai.dicomweb.multipart import MultipartReader, PartSink, media_type
from pacs_ai.errors import NotDicom, StorageError
from pacs_ai.logs import get_logger
from pacs_ai.net.scp.dataset_writer import FileWriter, file_head
from pacs_ai.net.scp.handlers import AssociationInfo, ReceivedInstance, StorageHandlers
from pacs_ai.net.status import Status
from pacs_ai.uids import storable_uid

DICOM = "application/dicom"
NO_META = FileMeta("", 0)
_WARNING = 0xB000
_NOT_DICOM = Status.CANNOT_UNDERSTAND
_OK = 200
_ACCEPTED = 202
_CONFLICT = 409
_UNSUPPORTED = 415
_UNAVAILABLE = 503
_OUT_OF_RESOURCES = range(0xA700, 0xA800)

_log = get_logger()


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a part; without UIDs it was no DICOM file."""

    sop_class_uid: str
    sop_instance_uid: str
    status: int


@dataclass(slots=True)
class _Part:
    """A part on its way: its first bytes, then the file that the rest goes to."""

    head: bytearray = field(default_factory=bytearray)
    meta: FileMeta = NO_META
    writer: FileWriter | None = None
    status: int | None = None
    """Why it is refused; what still comes of it is dropped."""


class StoreRequest(PartSink):
    """One request, from the first byte to the answer.

    Parameters
    ----------
    handlers
        Store what arrives; they count the request as an association.
    association
        Who sends.
    content_type
        Header field of the request.
    study
        Study Instance UID to which all instances have to belong; "" for any.
    limit
        Most bytes of a data set.

    Raises
    ------
    RequestRefused
        If the body has another form than instances of DICOM.
    """

    def __init__(
        self,
        handlers: StorageHandlers,
        association: AssociationInfo,
        content_type: str,
        study: str,
        limit: int,
    ) -> None:
        kind, parameters = media_type(content_type)
        wanted = parameters.get("type", DICOM).lower()
        if kind not in ("multipart/related", DICOM) or wanted != DICOM:
            raise RequestRefused(
                f"instances are stored as multipart/related; type={DICOM}", _UNSUPPORTED
            )
        self._handlers, self._association = handlers, association
        self._study, self._limit = study, limit
        self._part: _Part | None = None
        self._outcomes: list[_Outcome] = []
        self._reader = None
        if kind == DICOM:
            self.begin(DICOM)
        else:
            self._reader = MultipartReader(parameters.get("boundary", ""), self)
        handlers.opened(association)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body.

        Raises
        ------
        RequestRefused
            If they are no parts; `abandon` has to follow.
        """
        if self._reader is None:
            self.write(data)
        else:
            self._reader.feed(data)

    def finish(self, url_of: Callable[[str], str]) -> tuple[int, dict[str, Any]]:
        """Take the end of the body, and answer.

        Parameters
        ----------
        url_of
            Gives the URL of an instance from its SOP Instance UID; "" if it is not known.

        Returns
        -------
        tuple
            HTTP status, and the response in the DICOM JSON model (PS3.18 Section I.2.2).

        Raises
        ------
        RequestRefused
            If the body is cut off; what has come whole is stored.
        """
        if self._reader is None:
            self.end()
        else:
            self._reader.finish()
        if not self._outcomes:
            raise RequestRefused("the request has no instance")
        self._handlers.closed(self._association, "released")
        return _http_status(self._outcomes), _response(self._outcomes, url_of)

    def abandon(self) -> None:
        """Drop what has not come whole: the sender is gone, or sends no parts."""
        if self._part is not None:
            self._discard(self._part)
        self._handlers.closed(self._association, "aborted")

    def begin(self, media_type: str) -> None:
        """Begin a part."""
        self._part = _Part()
        if media_type not in ("", DICOM):
            self._refuse(self._part, _NOT_DICOM)

    def write(self, data: bytes) -> None:
        """Write some bytes of a part to the spool."""
        part = self._part
        if part is None or part.status is not None:
            return
        if part.writer is not None:
            part.writer.write(memoryview(data))
            part.writer.spill()
            if part.writer.size > self._limit:
                self._refuse(part, Status.OUT_OF_RESOURCES)
            return
        part.head += data
        if len(part.head) >= MAX_META:
            self._open(part)

    def end(self) -> None:
        """Store an instance that has come whole."""
        part = self._part
        assert part is not None  # noqa: S101 - it was begun
        if part.status is None and part.writer is None:
            self._open(part)
        if part.status is None:
            part.status = self._store(part)
        self._part = None
        meta = part.meta
        self._outcomes.append(_Outcome(meta.sop_class_uid, meta.sop_instance_uid, part.status))

    def _open(self, part: _Part) -> None:
        """Read the file meta information, and open a file for the rest."""
        head = bytes(part.head)
        part.head.clear()
        try:
            meta = read_meta(head)
        except NotDicom:
            meta = NO_META
        uids = (meta.transfer_syntax_uid, meta.sop_class_uid, meta.sop_instance_uid)
        if not all(storable_uid(uid) for uid in uids):
            self._refuse(part, _NOT_DICOM)
            return
        part.meta = meta
        try:
            incoming = self._handlers.open_incoming()
        except StorageError as error:
            _log.warning("instance refused", code=error.code)
            self._refuse(part, Status.OUT_OF_RESOURCES)
            return
        titles = (self._association.calling_aet, self._association.called_aet)
        own = file_head(meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid, titles)
        part.writer = FileWriter(incoming, own, self._limit)
        self.write(head[meta.dataset_offset :])

    def _store(self, part: _Part) -> int:
        """Hand the file over; returns the status of a C-STORE."""
        writer, meta = part.writer, part.meta
        assert writer is not None  # noqa: S101 - it was opened
        if writer.error is not None:
            _log.error("instance not written", errno=writer.error.errno)
            self._refuse(part, Status.OUT_OF_RESOURCES)
            return Status.OUT_OF_RESOURCES
        part.writer = None
        received = ReceivedInstance(
            association=self._association,
            file=writer.incoming,
            sop_class_uid=meta.sop_class_uid,
            sop_instance_uid=meta.sop_instance_uid,
            transfer_syntax_uid=meta.transfer_syntax_uid,
            bytes=writer.size,
            study_instance_uid=self._study,
        )
        return self._handlers.store(received).status

    def _refuse(self, part: _Part, status: int) -> None:
        part.status = status
        self._handlers.refused(status)
        self._discard(part)

    def _discard(self, part: _Part) -> None:
        if part.writer is not None:
            self._handlers.discard(part.writer.incoming)
            part.writer = None


def _http_status(outcomes: Sequence[_Outcome]) -> int:
    """Return the status of PS3.18 Table 10.5.3-1."""
    failed = [one.status for one in outcomes if one.status not in (Status.SUCCESS, _WARNING)]
    if not failed:
        return _ACCEPTED if any(one.status for one in outcomes) else _OK
    if len(failed) < len(outcomes):
        return _ACCEPTED
    return _UNAVAILABLE if all(one in _OUT_OF_RESOURCES for one in failed) else _CONFLICT


def _response(outcomes: Sequence[_Outcome], url_of: Callable[[str], str]) -> dict[str, Any]:
    """Make the response: what is referenced is stored, and what has failed says why."""
    stored, failed, unnamed = [], [], []
    for one in outcomes:
        item = {
            "00081150": _element("UI", one.sop_class_uid),
            "00081155": _element("UI", one.sop_instance_uid),
        }
        if one.status in (Status.SUCCESS, _WARNING):
            url = url_of(one.sop_instance_uid)
            item |= {"00081190": _element("UR", url)} if url else {}
            item |= {"00081196": _element("US", one.status)} if one.status else {}
            stored.append(item)
        elif one.sop_instance_uid:
            failed.append(item | {"00081197": _element("US", one.status)})
        else:
            unnamed.append({"00081197": _element("US", one.status)})
    sequences = {"00081198": failed, "00081199": stored, "0008119A": unnamed}
    return {tag: {"vr": "SQ", "Value": items} for tag, items in sequences.items() if items}


def _element(vr: str, value: str | int) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}
