"""The kinds of destinations there are, and how each is made from its section."""

from collections.abc import Callable
from typing import Any

from pacs_ai.config import Config, DimsePeer, FolderPeer
from pacs_ai.config.peers import Peer
from pacs_ai.destinations.addresses import address
from pacs_ai.destinations.base import Destination
from pacs_ai.destinations.dimse import DimseDestination
from pacs_ai.destinations.folder import FolderDestination
from pacs_ai.net.scu.client import KeptAssociations

Make = Callable[[Config, Any, KeptAssociations], Destination]
"""Makes a destination from the configuration, its section, and the open associations."""


def _dimse(config: Config, peer: DimsePeer, associations: KeptAssociations) -> Destination:
    return DimseDestination(
        address(config, peer),
        config.node.ae_title,
        peer.timeout_seconds,
        associations,
        peer.keep_open_seconds,
    )


def _folder(_config: Config, peer: FolderPeer, _associations: KeptAssociations) -> Destination:
    return FolderDestination(peer.path)


KINDS: dict[type[Any], Make] = {
    DimsePeer: _dimse,
    FolderPeer: _folder,
}
"""By the class of the section."""


def destination_of(config: Config, peer: Peer, associations: KeptAssociations) -> Destination:
    """Return the destination that a section describes."""
    return KINDS[type(peer)](config, peer, associations)
