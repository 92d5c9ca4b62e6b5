"""Studies are searched for at an archive: by C-FIND, or by QIDO-RS page by page.

Nothing of a patient is kept: what is asked for and what comes back stays in memory.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import partial
from http import HTTPStatus

from pacs_ai.config import DicomwebPeer, DimsePeer
from pacs_ai.destinations.addresses import address, web_address
from pacs_ai.errors import PeerError, StateError
from pacs_ai.flow.audit import note
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.retrieve.archives import archive_of, named
from pacs_ai.net.found_study import WANTED, FoundStudy, found_study, is_keyword
from pacs_ai.net.http.dicomweb import DicomwebPeerClient
from pacs_ai.net.refusals import PeerBusy, PeerRefusal
from pacs_ai.net.scu import client
from pacs_ai.net.series_count import Found
from pacs_ai.uids import storable_uid

_SECONDS = 600.0
"""What one search may take."""
_FEW = 50
"""No archive limits the matches of a query to less."""
_DATE = "%Y%m%d"

Conditions = Mapping[str, str]
Ask = Callable[[Conditions], Found]
Studies = list[FoundStudy]


def find_studies(context: FlowContext, name: str, where: Mapping[str, str]) -> list[FoundStudy]:
    """Search for studies at a peer.

    Parameters
    ----------
    name
        Of the section ``[peers.NAME]``: kind ``dimse`` or ``dicomweb``.
    where
        DICOM keyword of an attribute to the value to match, as a query has it (PS3.4 Section
        C.2.2.2): a value, ``*`` and ``?``, a range of dates ``20240101-20241231``.

    Returns
    -------
    list of FoundStudy
        By date, the oldest first.

    Raises
    ------
    ConfigError
        If there is no such peer, or it cannot be asked.
    StateError
        If nothing is asked for, or with a keyword that DICOM does not have.
    PeerError
        If the peer is out of reach or refuses.
    """
    for number, (keyword, value) in enumerate(where.items(), start=1):
        if not is_keyword(keyword):
            raise StateError(
                f"condition {number} does not begin with a keyword of DICOM; those are written"
                " as in StudyDate and ModalitiesInStudy"
            )
        if not value.strip():
            raise StateError(f"condition {number} has no value to search for")
    if not where:
        raise StateError("a search needs a condition; without one it would find the whole archive")
    peer = archive_of(context.config, name)
    note.asked(context, f"search for studies by {', '.join(sorted(where))}", peer=name)
    with named(context.config, name):
        if isinstance(peer, DimsePeer):
            found = _all_of(partial(_by_c_find, context, peer), where)
        else:
            found = _all_of(partial(_by_qido, context, name, peer), where)
    studies = {one.study_instance_uid: one for one in found}
    return sorted(studies.values(), key=lambda one: (one.study_date, one.study_instance_uid))


def _all_of(ask: Ask, where: Conditions, known: Studies | None = None) -> Studies:
    """Ask for studies, and for halves of the range of dates where not all may have come.

    Many archives limit the matches of a query. Some refuse it then, or say that there are more;
    others do not say it. So halves are asked for, too: nothing new in two halves that both have
    something means that the whole was complete.

    Parameters
    ----------
    known
        What this very query has given already.
    """
    halves = [{**where, "StudyDate": half} for half in _halves(where.get("StudyDate", ""))]
    found = _asked(ask, where, must=not halves) if known is None else known
    if found is not None and (len(found) < _FEW or not halves):
        return found
    parts = [_asked(ask, half, must=False) for half in halves]
    if found is not None and all(parts):
        whole = {one.study_instance_uid for one in found}
        of_parts = {one.study_instance_uid for part in parts for one in part or ()}
        if of_parts <= whole:
            return found
    return [one for pair in zip(halves, parts, strict=True) for one in _all_of(ask, *pair)]


def _asked(ask: Ask, where: Conditions, *, must: bool) -> Studies | None:
    """Ask; None if there are too many matches, unless that is an error."""
    try:
        found = [found_study(match) for match in ask(where)]
    except (PeerBusy, client.TooManyMatches):
        if must:
            raise
        return None
    return [one for one in found if storable_uid(one.study_instance_uid) and _fits(one, where)]


def _by_c_find(context: FlowContext, peer: DimsePeer, where: Conditions) -> Found:
    target, title = address(context.config, peer), context.config.node.ae_title

    def ask() -> Found:
        with client.searching(target, title, peer.timeout_seconds, _SECONDS) as search:
            return search.find("STUDY", {**dict.fromkeys(WANTED, ""), **where})

    return context.associations.without_idle(target, ask)


def _by_qido(context: FlowContext, name: str, peer: DicomwebPeer, where: Conditions) -> Found:
    with DicomwebPeerClient(web_address(context.config, name, peer)) as web:
        try:
            return web.search("studies", where, fields=WANTED)
        except PeerRefusal as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise PeerError(f"{name} offers no search (QIDO-RS)") from error
            raise


def _fits(study: FoundStudy, where: Mapping[str, str]) -> bool:
    """Leave out what an archive returns although it does not match: not all know all keys."""
    asked = where.get("ModalitiesInStudy", "")
    one_modality = asked and not set("*?\\,") & set(asked)
    if one_modality and study.modalities and asked not in study.modalities:
        return False
    first, last = _range(where.get("StudyDate", ""))
    day = _day(study.study_date)
    return day is None or first is None or last is None or first <= day <= last


def _range(text: str) -> tuple[date | None, date | None]:
    """Return the first and the last day of a date or a range; None where it is open."""
    first, dash, last = text.partition("-")
    return _day(first), _day(last if dash else first)


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if len(text) == 8 else None  # noqa: PLR2004 - YYYYMMDD
    except ValueError:
        return None


def _halves(text: str) -> list[str]:
    """Divide a range of dates; nothing where it has no two ends, or is one day."""
    first, last = _range(text)
    if first is None or last is None or last <= first:
        return []
    middle = first + (last - first) // 2
    return [
        f"{begin.strftime(_DATE)}-{end.strftime(_DATE)}"
        for begin, end in ((first, middle), (middle + timedelta(days=1), last))
    ]
