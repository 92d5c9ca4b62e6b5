"""One study is fetched from an archive, the way that its section says.

By C-MOVE the archive sends to our listener; by C-GET and WADO-RS the instances come as the answer,
and take the same way from there: checked, flushed, entered, and only then counted as received.
"""

import uuid
from functools import partial
from http import HTTPStatus

from pacs_ai.config import DicomwebPeer, DimsePeer
from pacs_ai.config.sections import MAX_TITLE
from pacs_ai.destinations.addresses import address, web_address
from pacs_ai.errors import ConfigError, NoSpace, PeerError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.incoming_instances import Receiving
from pacs_ai.flow.incoming_parts import IncomingParts
from pacs_ai.flow.retrieve.sop_classes import sop_classes_of
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


def retrieve_study(
    context: FlowContext, handlers: StorageHandlers, name: str, study_instance_uid: str
) -> int:
    """Fetch a study from a peer; returns when all of it is stored here.

    Parameters
    ----------
    handlers
        Store what does not come by the listener: `pacs_ai.flow.storage_scp.StorageScp`.
    name
        Of the section ``[peers.NAME]``: kind ``dimse`` or ``dicomweb``.

    Returns
    -------
    int
        How many instances the peer has sent.

    Raises
    ------
    ConfigError
        If there is no such peer, or none that studies can be fetched from.
    PeerError
        If the peer is out of reach, refuses, has nothing of the study (`StudyUnknown`), or did not
        send all of it (`PartlyRetrieved`).
    StorageError
        If this node cannot store what comes.
    """
    peer = context.config.peers.get(name)
    if isinstance(peer, DimsePeer) and peer.retrieve == "get":
        sent = _by_get(context, handlers, peer, study_instance_uid)
    elif isinstance(peer, DimsePeer):
        sent = _by_move(context, peer, study_instance_uid)
    elif isinstance(peer, DicomwebPeer):
        sent = _by_wado(context, handlers, name, peer, study_instance_uid)
    else:
        raise ConfigError(f"peers.{name} is no archive that studies can be fetched from")
    if sent.failed:
        raise _partly(context, name, sent)
    if not sent.completed and (sent.told or not _here(context, study_instance_uid)):
        raise StudyUnknown(f"peer {name!r} has nothing of the study")
    return sent.completed


def _partly(context: FlowContext, name: str, sent: Transferred) -> Exception:
    """Say that instances are missing; where our own disk is full, that is the reason."""
    if context.spool.free_bytes() < context.config.storage.min_free_gb * 1e9:
        return NoSpace("spool: less free space than storage.min_free_gb")
    text = f"{sent.failed} of {sent.completed + sent.failed} instances did not come"
    return PartlyRetrieved(f"{name}: {text}")


def _here(context: FlowContext, uid: str) -> int:
    with context.database.read() as session:
        return instances.count_of_study(session, uid)


def _by_move(context: FlowContext, peer: DimsePeer, uid: str) -> Transferred:
    title, seen = context.config.node.ae_title, [_here(context, uid)]

    def still_coming() -> bool:
        before, seen[0] = seen[0], _here(context, uid)
        return seen[0] > before

    where = address(context.config, peer)
    move = partial(client.move_study, where, title, title, uid, peer.timeout_seconds, still_coming)
    return context.associations.without_idle(where, move)


def _by_get(
    context: FlowContext, handlers: StorageHandlers, peer: DimsePeer, uid: str
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
        return client.get_study(where, title, uid, receiver, classes, timeout)

    outcome = _ABORTED
    try:
        sent = context.associations.without_idle(where, get)
        outcome = _RELEASED if not sent.failed else _ABORTED
    finally:
        for one in opened:
            handlers.closed(one, outcome)
    return sent


def _by_wado(
    context: FlowContext, handlers: StorageHandlers, name: str, peer: DicomwebPeer, uid: str
) -> Transferred:
    association = _association(context, name[:MAX_TITLE], "")
    parts = IncomingParts(_receiving(context, handlers, association, uid))
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
