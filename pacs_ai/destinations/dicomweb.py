"""An archive as a destination that stores by DICOMweb: STOW-RS (PS3.18 Section 10.5)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus

from pacs_ai.config import Config, DicomwebPeer
from pacs_ai.destinations.addresses import web_address
from pacs_ai.destinations.base import DeliveryAnswer, DeliveryOutcome, MayLeave, OutgoingFile
from pacs_ai.errors import ConfigError, PeerError, PeerUnreachable, StorageError, StoreRefused
from pacs_ai.net.http.address import WebAddress
from pacs_ai.net.http.dicomweb import DicomwebPeerClient, StoreResponse
from pacs_ai.net.refusals import PeerBusy, PeerRefusal
from pacs_ai.net.status import Status, Verdict, classify

_MOST_BYTES = 8 << 20
"""Size of a request that gets no further file: one larger file goes alone."""
_NOT_ALL = HTTPStatus.ACCEPTED
"""HTTP status of an answer in which some parts have failed, or have remarks."""
_MEDIA_TYPE = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
_SYNTAX_NOT_SUPPORTED = 0xC122
"""Failure Reason for a transfer syntax that the peer does not take (PS3.18 Table I.2-2)."""

_CLASS_REFUSED = frozenset({Status.CLASS_NOT_SUPPORTED, _SYNTAX_NOT_SUPPORTED})


class DicomwebDestination:
    """Sends files in requests of several parts, and reads what became of each part.

    Parameters
    ----------
    address
        Where it is, and how it wants to be spoken to.
    """

    def __init__(self, address: WebAddress) -> None:
        self._address = address

    def deliver(
        self, files: Sequence[OutgoingFile], may_leave: MayLeave
    ) -> Sequence[DeliveryOutcome]:
        """Send each file as it is."""
        outcomes: dict[OutgoingFile, DeliveryOutcome] = {}
        try:
            with DicomwebPeerClient(self._address) as client:
                for batch in _batches(files):
                    self._send(client, batch, may_leave, outcomes)
        except PeerError as error:
            answer = _answer_to(error)
            for file in files:
                outcomes.setdefault(file, DeliveryOutcome(answer, error))
        return [outcomes[file] for file in files]

    def probe(self) -> None:
        """Ask for one study."""
        with DicomwebPeerClient(self._address) as client:
            client.probe()

    def _send(
        self,
        client: DicomwebPeerClient,
        batch: Sequence[OutgoingFile],
        may_leave: MayLeave,
        outcomes: dict[OutgoingFile, DeliveryOutcome],
    ) -> None:
        """Send the files of one request that may leave, and note their outcomes.

        Raises
        ------
        PeerError
            If the peer is out of reach, or has refused the request as a whole.
        """
        parts = {}
        for file in batch:
            if not may_leave(file):
                outcomes[file] = DeliveryOutcome(DeliveryAnswer.WITHHELD)
                continue
            try:
                parts[file] = file.path.read_bytes()
            except OSError as error:
                unread = StorageError(f"{file.path} cannot be read: {error.strerror}")
                outcomes[file] = DeliveryOutcome(DeliveryAnswer.NOT_NOW, unread)
        if parts:
            self._store(client, parts, outcomes)

    def _store(
        self,
        client: DicomwebPeerClient,
        parts: Mapping[OutgoingFile, bytes],
        outcomes: dict[OutgoingFile, DeliveryOutcome],
    ) -> None:
        try:
            response = client.store(list(parts.values()))
        except PeerError as error:
            if isinstance(error, PeerRefusal) and len(parts) > 1:
                for file, content in parts.items():  # one of them may be the reason
                    self._store(client, {file: content}, outcomes)
                return
            # A gateway that gives up says nothing of what the archive behind it has done.
            unsaid = isinstance(error, PeerUnreachable | PeerBusy)
            for file in parts:
                outcomes[file] = DeliveryOutcome(_answer_to(error), error, unanswered=unsaid)
            if isinstance(error, PeerUnreachable):
                raise
            return
        for file in parts:
            outcomes[file] = _outcome(self._address.name, file.sop_instance_uid, response)


def listed(config: Config, name: str, study: str, series: Iterable[str]) -> set[str]:
    """Return the SOP Instance UIDs that an archive lists of series of a study (QIDO-RS).

    Parameters
    ----------
    name
        Of its section.

    Raises
    ------
    PeerError
        If it cannot be asked.
    """
    peer = config.peers[name]
    if not isinstance(peer, DicomwebPeer):
        raise ConfigError(f"peers.{name} is no archive that is spoken to by DICOMweb")
    with DicomwebPeerClient(web_address(config, name, peer)) as client:
        return {
            str(one.SOPInstanceUID)
            for uid in series
            for one in client.search("instances", {}, study=study, series=uid)
        }


def _batches(files: Sequence[OutgoingFile]) -> Iterator[list[OutgoingFile]]:
    """Divide the files into requests; a file that cannot be read is found out when it is sent."""
    batch: list[OutgoingFile] = []
    size = 0
    for file in files:
        try:
            more = file.path.stat().st_size
        except OSError:
            more = 0
        if batch and size + more > _MOST_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += more
    yield batch


def _answer_to(error: PeerError) -> DeliveryAnswer:
    if isinstance(error, PeerRefusal) and error.status == _MEDIA_TYPE:
        return DeliveryAnswer.CLASS_REFUSED
    return DeliveryAnswer.NOT_NOW if error.retryable else DeliveryAnswer.REFUSED


def _outcome(name: str, uid: str, response: StoreResponse) -> DeliveryOutcome:
    """Return what became of one part."""
    if uid in response.failed:
        return _failure(name, response.failed[uid])
    if uid in response.warnings:
        reason = response.warnings[uid]
        note = f"stored with warning 0x{reason:04X}"
        return DeliveryOutcome(DeliveryAnswer.STORED, status=reason, note=note)
    if uid in response.stored or response.status not in (_NOT_ALL, HTTPStatus.CONFLICT):
        return DeliveryOutcome(DeliveryAnswer.STORED, status=0)
    text = f"{name} does not say what became of this part (HTTP status {response.status})"
    if response.status == _NOT_ALL:
        error = PeerError(text)
        return DeliveryOutcome(DeliveryAnswer.NOT_NOW, error, unanswered=True)
    return DeliveryOutcome(DeliveryAnswer.REFUSED, PeerRefusal(text, response.status))


def _failure(name: str, reason: int) -> DeliveryOutcome:
    answer = DeliveryAnswer.REFUSED
    if reason in _CLASS_REFUSED:
        answer = DeliveryAnswer.CLASS_REFUSED
    elif reason == Status.DUPLICATE_INSTANCE:
        answer = DeliveryAnswer.HELD_ALREADY
    elif classify(reason) is Verdict.RETRY:
        answer = DeliveryAnswer.NOT_NOW
    error = StoreRefused(f"{name}: not stored, failure reason 0x{reason:04X}", reason)
    return DeliveryOutcome(answer, error, reason)
