"""C-FIND as SCU in the Study Root model (PS3.4 Section C.4.1 and Annex C.6.2)."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pydicom import Dataset

from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS
from pacs_ai.errors import NotDicom, PeerError, PeerUnreachable
from pacs_ai.net.commitment_dataset import decode, encode
from pacs_ai.net.contexts import EXPLICIT_LITTLE, IMPLICIT_LITTLE, STUDY_ROOT_FIND
from pacs_ai.net.dimse import Command, Field, encode_request
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.refusals import PeerBusy
from pacs_ai.net.scu.associate import PeerAddress, associate
from pacs_ai.net.scu.association import RequestedAssociation
from pacs_ai.net.scu.message_reader import Message
from pacs_ai.net.scu.negotiation import Proposal
from pacs_ai.net.status import PENDING, Status

MOST_MATCHES = 20_000
"""Matches of one query; a peer that sends more is cut off."""

_MOST_BYTES = 32 << 20
"""Of all matches of one query."""

_MEDIUM_PRIORITY = 0
_RESOURCES = range(0xA700, 0xA800)
_ENDED_EARLY = 0xFE00
"""Of a query that was cancelled; Orthanc says so where it has more matches than it may send."""


class TooManyMatches(PeerUnreachable):
    """The matches of a query do not come to an end, or not all come. Ask for less at once."""


class Search:
    """Queries on one association, one after the other.

    Parameters
    ----------
    association
        Has a context of the Study Root model.
    name
        The peer, for errors.
    deadline
        When all answers have to be there, on the monotonic clock.
    """

    def __init__(self, association: RequestedAssociation, name: str, deadline: float) -> None:
        self._association = association
        self._name = name
        self._deadline = deadline

    def find(self, level: str, keys: Mapping[str, str]) -> list[Dataset]:
        """Return the matches of one query.

        Parameters
        ----------
        level
            ``STUDY``, ``SERIES`` or ``IMAGE`` (PS3.4 Section C.6.2.1).
        keys
            DICOM keyword to the value that must match; "" for one that is only to be returned.

        Raises
        ------
        PeerError
            If the peer ends the association, refuses the query, sends what cannot be read or too
            much, or is not ready in time.
        """
        if time.monotonic() > self._deadline:
            raise PeerUnreachable(f"{self._name} takes too long for all queries")
        identifier = Dataset()
        identifier.QueryRetrieveLevel = level
        for keyword, value in keys.items():
            setattr(identifier, keyword, value)
        return list(self._matches(identifier))

    def _matches(self, identifier: Dataset) -> Iterator[Dataset]:
        association = self._association
        context = association.contexts[0]
        command = encode_request(
            Field.C_FIND,
            association.next_id(),
            STUDY_ROOT_FIND,
            priority=_MEDIUM_PRIORITY,
            with_dataset=True,
        )
        dataset = encode(identifier, context.transfer_syntax)
        read = 0
        for count, response in enumerate(association.find(context, command, dataset)):
            if response.command.status in PENDING:
                read += len(response.dataset)
                many = count >= MOST_MATCHES or read > _MOST_BYTES
                if many or time.monotonic() > self._deadline:
                    raise TooManyMatches(f"{self._name} does not come to the end of its matches")
                yield self._read(response, context.transfer_syntax)
            else:
                self._check(response.command)

    def _read(self, response: Message, transfer_syntax: str) -> Dataset:
        try:
            return _parsed(decode(response.dataset, transfer_syntax))
        except NotDicom as error:
            raise ProtocolViolation(f"{self._name} sends a match that cannot be read") from error

    def _check(self, command: Command) -> None:
        if command.status is None:
            raise ProtocolViolation(f"{self._name} answers C-FIND without a status")
        if command.status == _ENDED_EARLY:
            raise TooManyMatches(f"{self._name} does not send all matches (C-FIND, 0xFE00)")
        if command.status != Status.SUCCESS:
            said = f"{self._name}: C-FIND answered 0x{command.status:04X}"
            raise PeerBusy(said) if command.status in _RESOURCES else PeerError(said)


def _parsed(dataset: Dataset) -> Dataset:
    """Read every value now: pydicom reads each when it is asked for.

    Raises
    ------
    NotDicom
        If one cannot be read.
    """
    try:
        for _ in dataset:
            pass
    except FOREIGN_ERRORS as error:
        raise NotDicom("a value cannot be read") from error
    return dataset


@contextmanager
def searching(
    peer: PeerAddress, calling_aet: str, timeout: float = 30, seconds: float = 120
) -> Iterator[Search]:
    """Associate for queries in the Study Root model.

    Parameters
    ----------
    timeout
        See `pacs_ai.net.scu.associate.request_association`.
    seconds
        What all queries together may take.

    Raises
    ------
    PeerError
        See `request_association`.
    """
    proposals = [Proposal(STUDY_ROOT_FIND, (EXPLICIT_LITTLE, IMPLICIT_LITTLE))]
    deadline = time.monotonic() + seconds
    with associate(peer, calling_aet, proposals, timeout) as association:
        yield Search(association, peer.name, deadline)
