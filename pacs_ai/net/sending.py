"""C-STORE as SCU: files go out as they are, each in its own transfer syntax (PS3.4 Annex B)."""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.dsutils import split_dataset

from pacs_ai.errors import ContextRejected, PeerError, PeerUnreachable, StoreRefused
from pacs_ai.net.contexts import DEFLATED, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from pacs_ai.net.requestor import MAX_CONTEXTS, PeerAddress, association, context
from pacs_ai.net.status import Verdict, classify

_SLOWEST = 128 << 10
"""Bytes a second that a large object is given to get through; pynetdicom's wait for the answer
begins when it has queued the object, not when it has sent it."""

_CONVERTIBLE = (EXPLICIT_LITTLE, DEFLATED)
"""Syntaxes that pydicom writes as Implicit VR Little Endian without touching a pixel."""

_UNREADABLE = (
    InvalidDicomError,
    AttributeError,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom raises on a file that is not one of DICOM's."""

_Key = tuple[str, str]
"""SOP class and transfer syntax."""


class Unsendable(PeerError):
    """The file is no DICOM file that can be sent. Check it with a validator; leave it out."""

    code = "UNSENDABLE"


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """What became of one file.

    ``status`` is that of the response, None without one; ``error`` says what went wrong, None
    where the peer has stored the object, perhaps with a warning.
    """

    path: Path
    status: int | None
    error: PeerError | None = None

    @property
    def verdict(self) -> Verdict:
        """What to do now."""
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
    size: int


def store(
    peer: PeerAddress,
    calling_aet: str,
    paths: Sequence[Path],
    on_answer: Callable[[StoreOutcome], None] | None = None,
    timeout: float = 30,
) -> list[StoreOutcome]:
    """Send files, on one association as long as 128 contexts suffice.

    Each goes in its own transfer syntax, byte for byte. A peer that takes nothing but Implicit
    VR Little Endian gets uncompressed little endian objects converted to it.

    Parameters
    ----------
    peer
        Whom to send to.
    calling_aet
        What to call ourselves.
    paths
        DICOM files of any class and syntax.
    on_answer
        Told each outcome as it comes.
    timeout
        See `pacs_ai.net.requestor.association`.

    Returns
    -------
    list of StoreOutcome
        One for each path, in their order. An object that is refused does not stop the rest;
        an association that breaks leaves the rest with a retryable error.

    Raises
    ------
    PeerUnreachable, AssociationRejected
        If there was no association at all.
    """
    outcomes: dict[Path, StoreOutcome] = {}

    def note(outcome: StoreOutcome) -> None:
        outcomes[outcome.path] = outcome
        if on_answer is not None:
            on_answer(outcome)

    files = list(_examine(paths, note))
    for batch in _batches(files):
        try:
            _send_batch(peer, calling_aet, batch, note, timeout)
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
            meta, _ = split_dataset(path)
            key = (str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID))
            size = path.stat().st_size
        except _UNREADABLE as error:
            unsendable = Unsendable("no file meta information")
            unsendable.__cause__ = error
            note(StoreOutcome(path, None, unsendable))
        else:
            yield _File(path, key, size)


def _batches(files: Iterable[_File]) -> Iterator[list[_File]]:
    """Cut the files into runs that one association's contexts suffice for."""
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
    """Return the contexts to propose for a file, what is wanted most first."""
    sop_class, syntax = key
    return (key, (sop_class, IMPLICIT_LITTLE)) if syntax in _CONVERTIBLE else (key,)


def _send_batch(
    peer: PeerAddress,
    calling_aet: str,
    batch: Sequence[_File],
    note: Callable[[StoreOutcome], None],
    timeout: float,
) -> None:
    keys = dict.fromkeys(key for file in batch for key in _proposals(file.key))
    contexts = [context(*key) for key in keys]
    with association(peer, calling_aet, contexts, timeout) as made:
        accepted = {
            (str(one.abstract_syntax), str(one.transfer_syntax[0]))
            for one in made.accepted_contexts
        }
        for file in batch:
            made.dimse_timeout = timeout + file.size / _SLOWEST
            outcome = _send(peer, made, file, accepted)
            note(outcome)
            # pynetdicom gives an association up without an answer, but says so only later.
            if isinstance(outcome.error, PeerUnreachable):
                raise PeerUnreachable(f"{peer.ae_title}: association ended before all was sent")


def _send(peer: PeerAddress, made: Association, file: _File, accepted: set[_Key]) -> StoreOutcome:
    """Send one file in the context that is wanted most of those accepted."""
    key = next((key for key in _proposals(file.key) if key in accepted), None)
    if key is None:
        name = UID(file.key[0]).name
        refused = ContextRejected(f"{peer.ae_title} does not take {name} as it is encoded")
        return StoreOutcome(file.path, None, refused)
    try:
        payload: Path | Dataset = file.path if key == file.key else _convertible(file.path)
        answer = made.send_c_store(payload)
    except _UNREADABLE as error:
        unsendable = Unsendable("cannot be encoded for sending")
        unsendable.__cause__ = error
        return StoreOutcome(file.path, None, unsendable)
    except RuntimeError as error:
        gone = PeerUnreachable(f"{peer.ae_title}: association ended")
        gone.__cause__ = error
        return StoreOutcome(file.path, None, gone)
    status = answer.get("Status")
    if status is None:
        silent = PeerUnreachable(f"{peer.ae_title}: no answer to C-STORE")
        return StoreOutcome(file.path, None, silent)
    return _judge(peer, file, int(status))


def _judge(peer: PeerAddress, file: _File, status: int) -> StoreOutcome:
    if classify(status).delivered:
        return StoreOutcome(file.path, status)
    refused = StoreRefused(f"{peer.ae_title}: C-STORE answered 0x{status:04X}", status)
    return StoreOutcome(file.path, status, refused)


def _convertible(path: Path) -> Dataset:
    """Read a data set that pynetdicom encodes in the context's syntax instead of its own."""
    return dcmread(path)
