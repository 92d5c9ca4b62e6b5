"""The kinds of destinations there are, and how each is made from its section."""

from collections.abc import Callable
from typing import Any

from pacs_ai.config import Config, DicomwebPeer, DimsePeer, FolderPeer
from pacs_ai.destinations.addresses import address, web_address
from pacs_ai.destinations.base import Destination
from pacs_ai.destinations.dimse import DimseDestination
from pacs_ai.destinations.folder import FolderDestination
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
    from pacs_ai.destinations.dicomweb import DicomwebDestination  # noqa: PLC0415 - few need it

    return DicomwebDestination(web_address(config, name, peer))


def _folder(
    _config: Config, _name: str, peer: FolderPeer, _associations: KeptAssociations
) -> Destination:
    return FolderDestination(peer.path)


KINDS: dict[type[Any], Make] = {
    DimsePeer: _dimse,
    DicomwebPeer: _dicomweb,
    FolderPeer: _folder,
}
"""By the class of the section."""


def destination_of(config: Config, name: str, associations: KeptAssociations) -> Destination:
    """Return the destination that the section ``[peers.NAME]`` describes."""
    peer = config.peers[name]
    return KINDS[type(peer)](config, name, peer, associations)
