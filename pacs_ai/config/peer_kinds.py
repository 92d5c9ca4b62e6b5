"""The kinds of ``[peers.x]``: which class reads a section, by its ``kind``."""

from collections.abc import Mapping
from functools import lru_cache, reduce
from operator import or_
from typing import Annotated, Any

from pydantic import (
    Discriminator,
    SerializeAsAny,
    Tag,
    TypeAdapter,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from pacs_ai.config.message_peers import FhirPeer, MailPeer, MllpPeer, WebhookPeer
from pacs_ai.config.peers import DimsePeer, FolderPeer, Peer
from pacs_ai.config.web_peers import DicomwebPeer

PEER_KINDS: dict[str, type[Peer]] = {
    "dimse": DimsePeer,
    "dicomweb": DicomwebPeer,
    "folder": FolderPeer,
    "mllp": MllpPeer,
    "fhir": FhirPeer,
    "webhook": WebhookPeer,
    "mail": MailPeer,
}
"""By the value of ``kind``. A section without one is of the first kind."""


def _kind(value: object) -> object:
    return value.get("kind", next(iter(PEER_KINDS))) if isinstance(value, Mapping) else None


@lru_cache(maxsize=8)
def _reader(kinds: tuple[tuple[str, type[Peer]], ...]) -> TypeAdapter[Any]:
    """Make what reads a section as the class that its ``kind`` names."""
    classes = tuple(Annotated[one, Tag(kind)] for kind, one in kinds)
    union: Any = reduce(or_, classes)
    return TypeAdapter(Annotated[union, Discriminator(_kind)])


def _read(value: object, _handler: ValidatorFunctionWrapHandler) -> object:
    if isinstance(value, Peer):
        return value
    return _reader(tuple(PEER_KINDS.items())).validate_python(value)


PeerSection = Annotated[SerializeAsAny[Peer], WrapValidator(_read)]
"""Reads a section as the class that its ``kind`` names, also of a kind that was added."""
