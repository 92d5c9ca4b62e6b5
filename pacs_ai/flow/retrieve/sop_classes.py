"""What an archive says of a study: which SOP classes it has, and whether it has it at all.

Contexts of C-GET are proposed for these classes alone.
"""

from collections.abc import Iterator

from pacs_ai.config import DimsePeer
from pacs_ai.destinations.addresses import address
from pacs_ai.errors import AssociationAborted, PeerError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.source_count import StudyUnknown
from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import Search
from pacs_ai.uids import storable_uid

_MOST_SERIES = 50
"""Series that are asked one after the other."""


def sop_classes_of(context: FlowContext, peer: DimsePeer, study_instance_uid: str) -> list[str]:
    """Ask a peer by C-FIND for the SOP classes of a study.

    Returns
    -------
    list of str
        UIDs; none where the peer does not tell.

    Raises
    ------
    StudyUnknown
        If the peer has nothing of the study.
    PeerError
        If it is out of reach.
    """
    where, title = address(context.config, peer), context.config.node.ae_title
    try:
        with client.searching(where, title, peer.timeout_seconds) as search:
            found = search.find(
                "STUDY", {"StudyInstanceUID": study_instance_uid, "SOPClassesInStudy": ""}
            )
            told = found[0].get("SOPClassesInStudy") or () if found else ()
            classes = [told] if isinstance(told, str) else list(told)
            if found and not classes:
                classes = list(_by_series(search, study_instance_uid))
    except client.TooManyMatches:
        return []
    except PeerError as error:
        if error.retryable and not isinstance(error, AssociationAborted):
            raise
        return []  # an archive may offer C-GET and no C-FIND
    if not found:
        raise StudyUnknown(f"{where.name} has nothing of the study")
    return [str(one) for one in dict.fromkeys(classes) if storable_uid(str(one))]


def require_known(context: FlowContext, peer: DimsePeer, study_instance_uid: str) -> None:
    """Ask a peer by C-FIND whether it has a study: many refuse C-MOVE without saying why.

    A peer that does not answer queries is believed to have it.

    Raises
    ------
    StudyUnknown
        If the peer has nothing of the study.
    """
    where, title = address(context.config, peer), context.config.node.ae_title
    try:
        with client.searching(where, title, peer.timeout_seconds) as search:
            found = search.find("STUDY", {"StudyInstanceUID": study_instance_uid})
    except PeerError:
        return
    if not found:
        raise StudyUnknown(f"{where.name} has nothing of the study")


def _by_series(search: Search, study_instance_uid: str) -> Iterator[str]:
    """Ask for the images of each series; many archives tell the class at this level alone."""
    study = {"StudyInstanceUID": study_instance_uid}
    for series in search.find("SERIES", {**study, "SeriesInstanceUID": ""})[:_MOST_SERIES]:
        keys = {**study, "SeriesInstanceUID": str(series.get("SeriesInstanceUID", ""))}
        for image in search.find("IMAGE", {**keys, "SOPInstanceUID": "", "SOPClassUID": ""}):
            yield str(image.get("SOPClassUID", ""))
