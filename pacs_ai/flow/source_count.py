"""How many images of a study its source has, series by series."""

from collections.abc import Mapping
from http import HTTPStatus

from pacs_ai.config import DicomwebPeer, DimsePeer
from pacs_ai.destinations.addresses import address, web_address
from pacs_ai.errors import PeerError
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.http.dicomweb import DicomwebPeerClient
from pacs_ai.net.refusals import PeerRefusal
from pacs_ai.net.scu import client
from pacs_ai.net.series_count import Found, SeriesCount, series_counts

_LEVELS = {"SERIES": "series", "IMAGE": "instances"}
"""Of C-FIND, and of QIDO-RS."""


class StudyUnknown(PeerError):
    """The source has nothing of the study, or not yet. Check that it is the right one to ask."""

    code = "STUDY_UNKNOWN"
    retryable = True


def count_at_source(context: FlowContext, name: str, study_instance_uid: str) -> list[SeriesCount]:
    """Ask a peer how many instances of each series of a study it has.

    Parameters
    ----------
    name
        Of its section; a DICOM node is asked by C-FIND, DICOMweb by QIDO-RS.

    Raises
    ------
    PeerError
        If it does not answer, or does not know the study.
    """
    found: list[SeriesCount] = []
    peer = context.config.peers.get(name)
    if isinstance(peer, DimsePeer):
        found = _by_c_find(context, peer, study_instance_uid)
    elif isinstance(peer, DicomwebPeer):
        found = _by_qido(context, name, peer, study_instance_uid)
    if not found:
        raise StudyUnknown(f"peer {name!r} knows nothing of the study")
    return found


def _by_c_find(context: FlowContext, peer: DimsePeer, uid: str) -> list[SeriesCount]:
    found: list[SeriesCount] = []
    where = address(context.config, peer)
    title, timeout = context.config.node.ae_title, peer.timeout_seconds

    def ask() -> None:
        with client.searching(where, title, timeout) as search:
            found.extend(series_counts(search.find, uid))

    context.associations.without_idle(where, ask)
    return found


def _by_qido(context: FlowContext, name: str, peer: DicomwebPeer, uid: str) -> list[SeriesCount]:
    with DicomwebPeerClient(web_address(context.config, name, peer)) as web:

        def find(level: str, keys: Mapping[str, str]) -> Found:
            wanted = [key for key, value in keys.items() if not value]
            series = keys.get("SeriesInstanceUID") or None
            return web.search(_LEVELS[level], {}, study=uid, series=series, fields=wanted)

        try:
            return list(series_counts(find, uid))
        except PeerRefusal as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return []
            raise
