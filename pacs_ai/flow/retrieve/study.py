"""One study is fetched from an archive, the way that its section says.

By C-MOVE the archive sends to our listener; by C-GET and WADO-RS the instances come as the answer,
and take the same way from there: checked, flushed, entered, and only then counted as received.
"""

import uuid
from collections.abc import Callable
from http import HTTPStatus

from pacs_ai.config import DicomwebPeer, DimsePeer
from pacs_ai.config.sections import MAX_TITLE
from pacs_ai.destinations.addresses import address, web_address
from pacs_ai.errors import NoSpace, PeerError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.incoming_instances import Receiving
from pacs_ai.flow.incoming_parts import IncomingParts
from pacs_ai.flow.retrieve.archives import archive_of, named
from pacs_ai.flow.retrieve.sop_classes import require_known, sop_classes_of
from pacs_ai.flow.source_count import StudyUnknown
from pacs_ai.net.http.dicomweb import DicomwebPeerClient
from pacs_ai.net.http.multipart import MultipartBroken
from pacs_ai.net.refusals import PeerRefusal
from pacs_ai.net.scp.handlers import AssociationInfo, StorageHandlers
from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import Transferred
from pacs_ai.net.status import classify
from pacs_ai.store import instances

_RELEASED, _ABORTED = "released", "aborted"


class PartlyRetrieved(PeerError):
    """The archive did not send all of a study. It is asked again; see its log."""

    code = "PARTLY_RETRIEVED"
    retryable = True


Unwanted = Callable[[], bool]
"""Tells while a study comes whether nobody wants it any more."""


def retrieve_study(
    context: FlowContext,
    handlers: StorageHandlers,
    name: str,
    study_instance_uid: str,
    unwanted: Unwanted = lambda: False,
) -> int:
    """Fetch a study from a peer; returns when all of it is stored here.

    Parameters
    ----------
    handlers
        Store what does not come by the listener: `pacs_ai.flow.storage_scp.StorageScp`.
    name
        Of the section ``[peers.NAME]``: kind ``dimse`` or ``dicomweb``.
    unwanted
        Then the peer is told to end it.

    Returns
    -------
    int
        How many instances the peer has sent.

    Raises
    ------
    ConfigError
        If there is no such peer, or none that studies can be fetched from.
    PeerError
        If the peer is out of reach, refuses, has nothing of the study (`StudyUnknown`), did not
        send all of it (`PartlyRetrieved`), or ended what nobody wants any more.
    StorageError
        If this node cannot store what comes.
    """
    peer, uid = archive_of(context.config, name), study_instance_uid
    with named(context.config, name):
        if isinstance(peer, DicomwebPeer):
            sent = _by_wado(context, handlers, name, peer, uid, unwanted)
        elif peer.retrieve == "get":
            sent = _by_get(context, handlers, peer, uid, unwanted)
        else:
            sent = _by_move(context, peer, uid, unwanted)
        if sent.failed:
            raise _partly(context, sent)
        if not sent.completed and (sent.told or not _here(context, uid)):
            raise StudyUnknown("the archive has nothing of the study")
    return sent.completed


def _partly(context: FlowContext, sent: Transferred) -> Exception:
    """Say that instances are missing; where our own disk is full, that is the reason."""
    if context.spool.free_bytes() < context.config.storage.min_free_gb * 1e9:
        return NoSpace("spool: less free space than storage.min_free_gb")
    total = sent.completed + sent.failed
    return PartlyRetrieved(f"{sent.failed} of {total} instances did not come")


def _here(context: FlowContext, uid: str) -> int:
    with context.database.read() as session:
        return instances.count_of_study(session, uid)


def _by_move(context: FlowContext, peer: DimsePeer, uid: str, unwanted: Unwanted) -> Transferred:
    title, seen = context.config.node.ae_title, [_here(context, uid)]

    def still_coming() -> bool:
        before, seen[0] = seen[0], _here(context, uid)
        return seen[0] > before

    where = address(context.config, peer)
    timeout = peer.timeout_seconds

    def move() -> Transferred:
        return client.move_study(where, title, title, uid, timeout, still_coming, unwanted=unwanted)

    try:
        return context.associations.without_idle(where, move)
    except PeerError as error:
        if type(error) is PeerError:  # refused, and no reason is known
            require_known(context, peer, uid)
        raise


def _by_get(
    context: FlowContext,
    handlers: StorageHandlers,
    peer: DimsePeer,
    uid: str,
    unwanted: Unwanted,
) -> Transferred:
    where = address(context.config, peer)
    opened: list[AssociationInfo] = []

    def receiver(peer_ip: str) -> Receiving:
        opened.append(_association(context, peer.ae_title, peer_ip))
        handlers.opened(opened[0])
        return _receiving(context, handlers, opened[0], uid)

    def get() -> Transferred:
        title, timeout = context.config.node.ae_title, peer.timeout_seconds
        classes = sop_classes_of(context, peer, uid)
        return client.get_study(where, title, uid, receiver, classes, timeout, unwanted=unwanted)

    outcome = _ABORTED
    try:
        sent = context.associations.without_idle(where, get)
        outcome = _RELEASED if not sent.failed else _ABORTED
    finally:
        for one in opened:
            handlers.closed(one, outcome)
    return sent


def _by_wado(
    context: FlowContext,
    handlers: StorageHandlers,
    name: str,
    peer: DicomwebPeer,
    uid: str,
    unwanted: Unwanted,
) -> Transferred:
    association = _association(context, name[:MAX_TITLE], "")
    parts = _Parts(_receiving(context, handlers, association, uid), name, unwanted)
    handlers.opened(association)
    outcome = _ABORTED
    try:
        with DicomwebPeerClient(web_address(context.config, name, peer)) as web:
            status = web.retrieve(parts, uid)
        failed = sum(not classify(one.status).delivered for one in parts.outcomes)
        stored = len(parts.outcomes) - failed
        if status == HTTPStatus.PARTIAL_CONTENT and not failed:
            raise PartlyRetrieved(f"{name} says that it has left out instances of the study")
        outcome = _RELEASED if not failed else _ABORTED
        return Transferred(stored, failed)
    except PeerRefusal as error:
        if error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return Transferred(0, 0)
        raise
    except MultipartBroken as error:
        raise PartlyRetrieved(f"{name}: {error.message}") from error
    finally:
        parts.abandon()
        handlers.closed(association, outcome)


class _Parts(IncomingParts):
    """Takes instances as long as somebody wants them."""

    def __init__(self, receiving: Receiving, name: str, unwanted: Unwanted) -> None:
        super().__init__(receiving)
        self._name, self._unwanted = name, unwanted

    def write(self, data: bytes) -> None:
        """Write some bytes of a part to the spool.

        Raises
        ------
        PeerError
            If nobody wants the study any more: that ends the answer.
        """
        if self._unwanted():
            raise PeerError(f"{self._name}: nobody wants the study any more")
        super().write(data)


def _association(context: FlowContext, title: str, peer_ip: str) -> AssociationInfo:
    return AssociationInfo(
        id=str(uuid.uuid4()),
        calling_aet=title,
        called_aet=context.config.node.ae_title,
        peer_ip=peer_ip,
        started=context.clock.monotonic(),
    )


def _receiving(
    context: FlowContext, handlers: StorageHandlers, association: AssociationInfo, uid: str
) -> Receiving:
    return Receiving(handlers, association, uid, context.config.limits.max_instance)
