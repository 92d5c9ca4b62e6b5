"""C-STORE as SCU: files are sent as they are, each in its transfer syntax (PS3.4 Annex B)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom.dsutils import split_dataset

from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS
from pacs_ai.errors import ContextRejected, PeerError, StoreRefused
from pacs_ai.net import commitment_dataset
from pacs_ai.net.contexts import DEFLATED, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from pacs_ai.net.dimse import Field, encode_request
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.scu.association import PeerAddress, RequestedAssociation, associate
from pacs_ai.net.scu.negotiation import MAX_CONTEXTS, AgreedContext, Proposal
from pacs_ai.net.status import Status, Verdict, classify

_SLOWEST = 128 << 10
"""Bytes a second of the slowest link. The wait for an answer begins when the system has all bytes,
which it may still have to send."""
_HELD = 4 << 20
"""Most bytes that the system may still have to send."""
_PIECE = 128 << 10
_LOW_PRIORITY = 2

_CONVERTIBLE = (EXPLICIT_LITTLE, DEFLATED)
"""Syntaxes that pydicom writes as Implicit VR Little Endian without touching a pixel."""

_Key = tuple[str, str]
"""SOP class and transfer syntax."""


class Unsendable(PeerError):
    """The file is no DICOM file that can be sent. Check it with a validator; leave it out."""

    code = "UNSENDABLE"


class SendingStopped(PeerError):
    """A file could not be read while it was sent. Look at the disk; it is tried again."""

    code = "SENDING_STOPPED"
    retryable = True


class Withheld(PeerError):
    """The file may not be sent any more. Nothing is wrong with the peer or the file."""

    code = "WITHHELD"
    retryable = True


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """What became of one file.

    ``status`` is that of the response, None without one; ``error`` says what went wrong, None
    where the peer has stored the object, perhaps with a warning. ``unanswered``: the object has
    gone out, so that the peer may hold it, but no answer has come.
    """

    path: Path
    status: int | None
    error: PeerError | None = None
    unanswered: bool = False

    @property
    def verdict(self) -> Verdict:
        """What the outcome means for the delivery."""
        if self.status is not None or self.error is None:
            return classify(self.status)
        return Verdict.RETRY if self.error.retryable else Verdict.REFUSED

    @property
    def error_code(self) -> str | None:
        """Code of the error."""
        return None if self.error is None else self.error.code

    @property
    def warning(self) -> bool:
        """Tell whether the peer stored with a remark."""
        return self.verdict is Verdict.WARNING


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    key: _Key
    instance: str
    start: int
    size: int


def store(
    peer: PeerAddress,
    calling_aet: str,
    paths: Sequence[Path],
    on_answer: Callable[[StoreOutcome], None] | None = None,
    timeout: float = 30,
    may_leave: Callable[[Path], bool] | None = None,
) -> list[StoreOutcome]:
    """Send files, on one association as long as 128 contexts suffice.

    Each goes in its own transfer syntax, byte for byte. A peer that takes nothing but Implicit
    VR Little Endian gets uncompressed little endian objects converted to it.

    Parameters
    ----------
    peer
        The peer.
    calling_aet
        Our AE title.
    paths
        DICOM files of any class and syntax.
    on_answer
        Called with each outcome as it comes.
    timeout
        See `pacs_ai.net.scu.association.associate`.
    may_leave
        Asked right before each file is sent; one that may not ends with `Withheld`.

    Returns
    -------
    list of StoreOutcome
        One for each path, in their order. An object that is refused does not stop the rest;
        an association that breaks leaves the rest with a retryable error.

    Raises
    ------
    PeerUnreachable, AssociationRejected
        If no association was established.
    """
    outcomes: dict[Path, StoreOutcome] = {}

    def note(outcome: StoreOutcome) -> None:
        outcomes[outcome.path] = outcome
        if on_answer is not None:
            on_answer(outcome)

    files = list(_examine(paths, note))
    for batch in _batches(files):
        try:
            _send_batch(peer, calling_aet, batch, note, timeout, may_leave)
        except PeerError as error:
            if not outcomes and not isinstance(error, ContextRejected):
                raise
            for file in batch:
                if file.path not in outcomes:
                    note(StoreOutcome(file.path, None, error))
    return [outcomes[path] for path in paths]


def _examine(paths: Iterable[Path], note: Callable[[StoreOutcome], None]) -> Iterator[_File]:
    """Read the file meta information of each file."""
    for path in paths:
        try:
            meta, start = split_dataset(path)
            instance = str(meta.MediaStorageSOPInstanceUID)
            key = (str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID))
            size = path.stat().st_size
            if size <= start:
                raise ValueError("no data set")
        except FOREIGN_ERRORS as error:
            unsendable = Unsendable("no file meta information")
            unsendable.__cause__ = error
            note(StoreOutcome(path, None, unsendable))
        else:
            yield _File(path, key, instance, start, size)


def _batches(files: Iterable[_File]) -> Iterator[list[_File]]:
    """Divide the files into batches, each for the contexts of one association."""
    batch: list[_File] = []
    keys: set[_Key] = set()
    for file in files:
        wanted = keys | set(_proposals(file.key))
        if len(wanted) > MAX_CONTEXTS:
            yield batch
            batch, wanted = [], set(_proposals(file.key))
        batch.append(file)
        keys = wanted
    if batch:
        yield batch


def _proposals(key: _Key) -> tuple[_Key, ...]:
    """Return the contexts to propose for a file, the preferred one first."""
    sop_class, syntax = key
    return (key, (sop_class, IMPLICIT_LITTLE)) if syntax in _CONVERTIBLE else (key,)


def _send_batch(
    peer: PeerAddress,
    calling_aet: str,
    batch: Sequence[_File],
    note: Callable[[StoreOutcome], None],
    timeout: float,
    may_leave: Callable[[Path], bool] | None,
) -> None:
    keys = dict.fromkeys(key for file in batch for key in _proposals(file.key))
    proposals = [Proposal(sop_class, (syntax,)) for sop_class, syntax in keys]
    with associate(peer, calling_aet, proposals, timeout) as association:
        accepted = {(one.abstract_syntax, one.transfer_syntax): one for one in association.contexts}
        for file in batch:
            if may_leave is not None and not may_leave(file.path):
                note(StoreOutcome(file.path, None, Withheld("not to be sent any more")))
                continue
            try:
                note(_send(peer, association, file, accepted))
            except PeerError as error:
                note(StoreOutcome(file.path, None, error, unanswered=association.all_sent))
                raise


def _send(
    peer: PeerAddress,
    association: RequestedAssociation,
    file: _File,
    accepted: Mapping[_Key, AgreedContext],
) -> StoreOutcome:
    """Send one file in the preferred one of the accepted contexts.

    Raises
    ------
    PeerError
        If the association ends before the answer.
    """
    key = next((key for key in _proposals(file.key) if key in accepted), None)
    if key is None:
        name = UID(file.key[0]).name
        refused = ContextRejected(f"{peer.ae_title} does not take {name} as it is encoded")
        return StoreOutcome(file.path, None, refused)
    try:
        command = encode_request(
            Field.C_STORE,
            association.next_id(),
            file.key[0],
            file.instance,
            priority=_LOW_PRIORITY,
            with_dataset=True,
        )
        dataset = _pieces(file) if key == file.key else [_converted(file.path)]
    except FOREIGN_ERRORS as error:
        unsendable = Unsendable("cannot be encoded for sending")
        unsendable.__cause__ = error
        return StoreOutcome(file.path, None, unsendable)
    slow = min(file.size, _HELD) / _SLOWEST
    answer = association.ask(accepted[key], command, dataset, more_seconds=slow)
    if answer.status is None:
        raise ProtocolViolation(f"{peer.name} answers C-STORE without a status")
    return _judge(peer, file, answer.status)


def _pieces(file: _File) -> Iterator[bytes]:
    """Read the data set of a file as it is."""
    try:
        with file.path.open("rb") as stream:
            stream.seek(file.start)
            while piece := stream.read(_PIECE):
                yield piece
    except OSError as error:
        raise SendingStopped(f"a file cannot be read ({type(error).__name__})") from error


def _judge(peer: PeerAddress, file: _File, status: int) -> StoreOutcome:
    if classify(status).delivered:
        return StoreOutcome(file.path, status)
    known = ": it has an object of this UID already" if status == Status.DUPLICATE_INSTANCE else ""
    refused = StoreRefused(f"{peer.ae_title}: C-STORE answered 0x{status:04X}{known}", status)
    return StoreOutcome(file.path, status, refused)


def _converted(path: Path) -> bytes:
    """Encode an uncompressed data set as Implicit VR Little Endian."""
    return commitment_dataset.encode(dcmread(path), IMPLICIT_LITTLE)
