"""A destination at which withdrawn results are deleted: by DICOMweb, or by the API of Orthanc."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Protocol

from pacs_ai.config import Config, DicomwebPeer, WebService
from pacs_ai.destinations.addresses import web_address
from pacs_ai.destinations.base import (
    DeliveryAnswer,
    DeliveryOutcome,
    Destination,
    MayLeave,
    OutgoingFile,
)
from pacs_ai.errors import ConfigError, PeerError
from pacs_ai.net.http.address import WebAddress
from pacs_ai.net.http.dicomweb import DicomwebPeerClient
from pacs_ai.net.http.orthanc import delete_instance
from pacs_ai.net.refusals import PeerRefusal

Uids = tuple[str, str, str]
"""Study, series and SOP Instance UID."""


class DeletingDestination:
    """Hands files over to another destination; rejection notes it obeys itself.

    Parameters
    ----------
    config, name
        The configuration, and the name of the section.
    inner
        The destination of that section.
    named
        The objects that each note withdraws, by the SOP Instance UID of the note.
    """

    def __init__(
        self, config: Config, name: str, inner: Destination, named: Mapping[str, Sequence[Uids]]
    ) -> None:
        self._delete = _deletion(config, name)
        self._inner = inner
        self._named = named

    def deliver(
        self, files: Sequence[OutgoingFile], may_leave: MayLeave
    ) -> Sequence[DeliveryOutcome]:
        """Delete what the notes among the files name, and send the others."""
        others = [file for file in files if file.sop_instance_uid not in self._named]
        sent = self._inner.deliver(others, may_leave) if others else ()
        outcomes = dict(zip(others, sent, strict=True))
        for file in files:
            if file not in outcomes:
                outcomes[file] = self._obeyed(file, may_leave)
        return [outcomes[file] for file in files]

    def probe(self) -> None:
        """Ask the destination of the section."""
        self._inner.probe()

    def _obeyed(self, note: OutgoingFile, may_leave: MayLeave) -> DeliveryOutcome:
        if not may_leave(note):
            return DeliveryOutcome(DeliveryAnswer.WITHHELD)
        instances = self._named[note.sop_instance_uid]
        try:
            self._delete(instances)
        except PeerError as error:
            answer = DeliveryAnswer.NOT_NOW if error.retryable else DeliveryAnswer.REFUSED
            return DeliveryOutcome(answer, error)
        deleted = f"{len(instances)} instance{'s' * (len(instances) != 1)} deleted there"
        return DeliveryOutcome(DeliveryAnswer.STORED, note=deleted)


class _Delete(Protocol):
    """Deletes instances; one that is not there is no error."""

    def __call__(self, instances: Sequence[Uids]) -> None: ...


def _deletion(config: Config, name: str) -> _Delete:
    peer = config.peers[name]
    service: WebService
    if peer.delete is not None:
        service, kind = peer.delete, peer.delete.kind
    elif isinstance(peer, DicomwebPeer):
        service, kind = peer, "dicomweb"
    else:
        raise ConfigError(f"peers.{name} does not say where results are deleted")
    address = web_address(config, name, service)
    return _ByOrthanc(address) if kind == "orthanc" else _ByDicomweb(address)


class _ByDicomweb:
    def __init__(self, address: WebAddress) -> None:
        self._address = address

    def __call__(self, instances: Sequence[Uids]) -> None:
        with DicomwebPeerClient(self._address) as client:
            for study, series, instance in instances:
                try:
                    client.delete(study, series, instance)
                except PeerRefusal as error:
                    if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                        raise


class _ByOrthanc:
    def __init__(self, address: WebAddress) -> None:
        self._address = address

    def __call__(self, instances: Sequence[Uids]) -> None:
        for _, _, instance in instances:
            delete_instance(self._address, instance)
