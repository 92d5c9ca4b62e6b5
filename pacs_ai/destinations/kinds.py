"""The kinds of destinations there are, and how each is made from its section."""

from collections.abc import Callable
from typing import Any

from pacs_ai.config import Config, DicomwebPeer, DimsePeer, FhirPeer, FolderPeer, MllpPeer
from pacs_ai.destinations.addresses import address, tls_files, web_address
from pacs_ai.destinations.base import Destination
from pacs_ai.destinations.dimse import DimseDestination
from pacs_ai.destinations.fhir import FhirDestination
from pacs_ai.destinations.folder import FolderDestination
from pacs_ai.destinations.messengers import MESSENGERS
from pacs_ai.destinations.mllp import MllpDestination
from pacs_ai.net.scu.client import KeptAssociations

Make = Callable[[Config, str, Any, KeptAssociations], Destination]
"""Makes a destination from the configuration, name and section of it, and open associations."""


def _dimse(
    config: Config, _name: str, peer: DimsePeer, associations: KeptAssociations
) -> Destination:
    return DimseDestination(
        address(config, peer),
        config.node.ae_title,
        peer.timeout_seconds,
        associations,
        peer.keep_open_seconds,
    )


def _dicomweb(
    config: Config, name: str, peer: DicomwebPeer, _associations: KeptAssociations
) -> Destination:
    from pacs_ai.destinations.dicomweb import (  # noqa: PLC0415 - loads dicomweb-client
        DicomwebDestination,
    )

    return DicomwebDestination(web_address(config, name, peer))


def _folder(
    _config: Config, _name: str, peer: FolderPeer, _associations: KeptAssociations
) -> Destination:
    return FolderDestination(peer.path)


def _mllp(
    config: Config, name: str, peer: MllpPeer, _associations: KeptAssociations
) -> Destination:
    tls = tls_files(config, peer) if peer.tls else None
    return MllpDestination(name, peer.host, peer.port, tls, peer.timeout_seconds)


def _fhir(
    config: Config, name: str, peer: FhirPeer, _associations: KeptAssociations
) -> Destination:
    return FhirDestination(web_address(config, name, peer), task=peer.task)


KINDS: dict[type[Any], Make] = {
    DimsePeer: _dimse,
    DicomwebPeer: _dicomweb,
    FolderPeer: _folder,
    MllpPeer: _mllp,
    FhirPeer: _fhir,
}
"""By the class of the section."""


def destination_of(config: Config, name: str, associations: KeptAssociations) -> Destination:
    """Return the destination that the section ``[peers.NAME]`` describes."""
    peer = config.peers[name]
    return KINDS[type(peer)](config, name, peer, associations)


def probe_peer(config: Config, name: str, associations: KeptAssociations) -> None:
    """Ask a peer of any kind whether it could take something now, without sending anything.

    Raises
    ------
    PeerError
        If it could not.
    """
    peer = config.peers[name]
    if type(peer) in MESSENGERS:
        _, probe = MESSENGERS[type(peer)]
        probe(config, name, peer)
    else:
        destination_of(config, name, associations).probe()
