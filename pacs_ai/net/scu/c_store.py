"""C-STORE as SCU: files are sent as they are, each in its transfer syntax (PS3.4 Annex B)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pydicom.uid import UID

from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS
from pacs_ai.errors import ContextRejected, PeerError, StoreRefused
from pacs_ai.net.dimse import Field, encode_request
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.scu.associate import PeerAddress, associate
from pacs_ai.net.scu.association import RequestedAssociation
from pacs_ai.net.scu.negotiation import AgreedContext, Proposal
from pacs_ai.net.scu.sendable_file import (
    ContextKey,
    SendableFile,
    Unsendable,
    batches,
    context_keys,
    converted,
    examine,
    pieces,
)
from pacs_ai.net.status import Status, Verdict, classify

_SLOWEST = 128 << 10
"""Bytes a second of the slowest link. The wait for an answer begins when the system has all bytes,
which it may still have to send."""
_HELD = 4 << 20
"""Most bytes that the system may still have to send."""
_LOW_PRIORITY = 2

Work = Callable[[RequestedAssociation], None]
"""What is done on an association."""

UseAssociation = Callable[[PeerAddress, str, Sequence[Proposal], float, Work], None]
"""Does work on an association with a peer; the parameters are those of `use_once`."""


class Withheld(PeerError):
    """The file may not be sent any more. Nothing is wrong with the peer or the file."""

    code = "WITHHELD"
    retryable = True


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """What became of one file.

    ``status`` is that of the response, None without one; ``error`` says what went wrong, None
    where the peer has stored the object, perhaps with a warning. ``unanswered``: the object has
    gone out once without an answer, so that the peer may have held it since.
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


def use_once(
    peer: PeerAddress,
    calling_aet: str,
    proposals: Sequence[Proposal],
    timeout: float,
    work: Work,
) -> None:
    """Do work on an association of its own; see `pacs_ai.net.scu.association.associate`."""
    with associate(peer, calling_aet, proposals, timeout) as association:
        work(association)


def store(
    peer: PeerAddress,
    calling_aet: str,
    paths: Sequence[Path],
    on_answer: Callable[[StoreOutcome], None] | None = None,
    timeout: float = 30,
    may_leave: Callable[[Path], bool] | None = None,
    *,
    use_association: UseAssociation = use_once,
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
        See `pacs_ai.net.scu.association.request_association`.
    may_leave
        Asked right before each file is sent; one that may not ends with `Withheld`.
    use_association
        Where the association comes from. It may do the work a second time on another one: a file
        that has an outcome is not sent again.

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
    sending = _Sending(peer, on_answer, may_leave)
    for batch in batches(sending.examined(paths)):
        keys = dict.fromkeys(key for file in batch for key in context_keys(file.key))
        proposals = [Proposal(sop_class, (syntax,)) for sop_class, syntax in keys]
        try:
            use_association(peer, calling_aet, proposals, timeout, partial(sending.send, batch))
        except PeerError as error:
            nothing_done = not sending.associated and not sending.outcomes
            if nothing_done and not isinstance(error, ContextRejected):
                raise
            for file in batch:
                if file.path not in sending.outcomes:
                    sending.note(StoreOutcome(file.path, None, error))
    return [sending.outcomes[path] for path in paths]


class _Sending:
    """What became of the files of one call of `store`."""

    def __init__(
        self,
        peer: PeerAddress,
        on_answer: Callable[[StoreOutcome], None] | None,
        may_leave: Callable[[Path], bool] | None,
    ) -> None:
        self.outcomes: dict[Path, StoreOutcome] = {}
        self.associated = False
        self._peer = peer
        self._on_answer = on_answer
        self._may_leave = may_leave
        self._gone_out: set[Path] = set()

    def examined(self, paths: Iterable[Path]) -> Iterator[SendableFile]:
        for path in paths:
            try:
                yield examine(path)
            except Unsendable as error:
                self.note(StoreOutcome(path, None, error))

    def note(self, outcome: StoreOutcome) -> None:
        outcome = replace(outcome, unanswered=outcome.path in self._gone_out)
        self.outcomes[outcome.path] = outcome
        if self._on_answer is not None:
            self._on_answer(outcome)

    def send(self, batch: Sequence[SendableFile], association: RequestedAssociation) -> None:
        """Send the files that have no outcome yet.

        Raises
        ------
        PeerError
            If the association ends before the answer to a file.
        """
        self.associated = True
        accepted = {(one.abstract_syntax, one.transfer_syntax): one for one in association.contexts}
        for file in [one for one in batch if one.path not in self.outcomes]:
            if self._may_leave is not None and not self._may_leave(file.path):
                self.note(StoreOutcome(file.path, None, Withheld("not to be sent any more")))
                continue
            try:
                self.note(_send(self._peer, association, file, accepted))
            except PeerError:
                if association.all_sent:
                    self._gone_out.add(file.path)
                raise


def _send(
    peer: PeerAddress,
    association: RequestedAssociation,
    file: SendableFile,
    accepted: Mapping[ContextKey, AgreedContext],
) -> StoreOutcome:
    """Send one file in the preferred one of the accepted contexts.

    Raises
    ------
    PeerError
        If the association ends before the answer.
    """
    key = next((key for key in context_keys(file.key) if key in accepted), None)
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
        dataset = pieces(file) if key == file.key else [converted(file.path)]
    except FOREIGN_ERRORS as error:
        unsendable = Unsendable("cannot be encoded for sending")
        unsendable.__cause__ = error
        return StoreOutcome(file.path, None, unsendable)
    slow = min(file.size, _HELD) / _SLOWEST
    answer = association.ask(accepted[key], command, dataset, more_seconds=slow)
    if answer.status is None:
        raise ProtocolViolation(f"{peer.name} answers C-STORE without a status")
    return _judge(peer, file, answer.status)


def _judge(peer: PeerAddress, file: SendableFile, status: int) -> StoreOutcome:
    if classify(status).delivered:
        return StoreOutcome(file.path, status)
    known = ": it has an object of this UID already" if status == Status.DUPLICATE_INSTANCE else ""
    refused = StoreRefused(f"{peer.ae_title}: C-STORE answered 0x{status:04X}{known}", status)
    return StoreOutcome(file.path, status, refused)
