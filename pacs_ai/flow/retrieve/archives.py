"""The archives of a configuration: what can be asked for studies, and what to do if it fails."""

from collections.abc import Iterator
from contextlib import contextmanager

from pacs_ai.config import Config, DicomwebPeer, DimsePeer
from pacs_ai.errors import (
    AssociationAborted,
    AssociationRejected,
    ConfigError,
    ContextRejected,
    PeerError,
    PeerUnreachable,
    TlsFailed,
)
from pacs_ai.flow.source_count import StudyUnknown
from pacs_ai.net.refusals import LoginRefused, PeerBusy
from pacs_ai.net.scu.client import TooManyMatches
from pacs_ai.net.scu.pdu_stream import NoAnswerInTime
from pacs_ai.net.scu.retrieval import DestinationUnknown

Archive = DimsePeer | DicomwebPeer

_LOG = "look at the log of the archive at this time"
_WHAT_TO_DO: tuple[tuple[type[PeerError], str], ...] = (
    (TooManyMatches, "search for less at once, for example with a shorter range of StudyDate"),
    (NoAnswerInTime, f"{_LOG}, or raise timeout_seconds of [peers.{{name}}]"),
    (PeerUnreachable, "check the address in [peers.{name}], the firewall, and that it runs"),
    (TlsFailed, "check the files for TLS in [peers.{name}] and [tls], and those of the archive"),
    (LoginRefused, "check user, password or token in [peers.{name}]"),
    (
        AssociationRejected,
        "enter the AE title {title} of this node at the archive, and check ae_title in"
        " [peers.{name}]",
    ),
    (AssociationAborted, f"{_LOG}: it may not know the AE title {{title}} of this node"),
    (ContextRejected, "allow query and retrieve for the AE title {title} at the archive"),
    (
        DestinationUnknown,
        "enter the AE title {title} with host and port of this node at the archive, or set"
        ' retrieve = "get" in [peers.{name}]',
    ),
    (PeerBusy, "ask again later, or for less at once"),
    (StudyUnknown, "check the Study Instance UID, and that this is the right archive"),
)
"""The first that fits is said."""


class UnknownArchive(ConfigError):
    """No section of this name is an archive. The message lists those that are."""

    code = "CONFIG"


def archive_of(config: Config, name: str) -> Archive:
    """Return the section of an archive.

    Parameters
    ----------
    name
        Of the section ``[peers.NAME]``.

    Raises
    ------
    UnknownArchive
        If there is none of this name that studies can be fetched from.
    """
    peer = config.peers.get(name)
    if isinstance(peer, DimsePeer | DicomwebPeer):
        return peer
    wrong = "there is no such section" if peer is None else "no study can be fetched from its kind"
    raise UnknownArchive(f"peers.{name}: {wrong}; {named_archives(config)}")


def named_archives(config: Config) -> str:
    """Say which archives there are."""
    names = ", ".join(sorted(archives(config)))
    if not names:
        return 'there is no archive: [peers.x] of the kind "dimse" or "dicomweb"'
    return f"the archives of this configuration: {names}"


def archives(config: Config) -> dict[str, Archive]:
    """Return all sections that studies can be fetched from, by name."""
    found = config.peers.items()
    return {name: one for name, one in found if isinstance(one, DimsePeer | DicomwebPeer)}


@contextmanager
def named(config: Config, name: str) -> Iterator[None]:
    """Let errors of an archive say the name of its section, and what to do."""
    try:
        yield
    except PeerError as error:
        known = error.message.startswith((f"{name}:", f"{name} "))
        said = error.message if known else f"{name}: {error.message}"
        fits = (text for kind, text in _WHAT_TO_DO if isinstance(error, kind))
        remedy = next(fits, _LOG).format(name=name, title=config.node.ae_title)
        error.message = f"{said}; {remedy}"
        error.args = (error.message,)
        raise
