"""Which earlier studies of a patient an archive has, as it says by C-FIND or QIDO-RS."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pacs_ai.config import DimsePeer
from pacs_ai.destinations.addresses import address, web_address
from pacs_ai.dicom.patient import PatientIdentity
from pacs_ai.dicom.reading import text, texts
from pacs_ai.flow.audit import note
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.priors.choice import Sought
from pacs_ai.flow.priors.examined import examined, family
from pacs_ai.flow.retrieve.archives import archive_of, named
from pacs_ai.net.http.dicomweb import DicomwebPeerClient
from pacs_ai.net.scu import client
from pacs_ai.net.series_count import Find, Found, Match
from pacs_ai.store.priors import Examined
from pacs_ai.uids import storable_uid

_LEVELS = {"STUDY": "studies", "SERIES": "series"}
_NAMED = (
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
)
_WANTED = (*_NAMED, "StudyTime", "ModalitiesInStudy", "StudyInstanceUID")
_ASKED = ("PatientID", "StudyDate")
_OF_SERIES = ("SeriesInstanceUID", "Modality", "BodyPartExamined", "Laterality")


@dataclass(frozen=True, slots=True)
class Archived:
    """An earlier study as an archive describes it."""

    study_instance_uid: str
    day: str
    time: str


def earlier_at(
    context: FlowContext,
    name: str,
    sought: Sought,
    most: int,
) -> list[Archived]:
    """Ask an archive for earlier studies of the same kind, the latest first.

    What it does not say about a study is no reason to leave it out: once it is here, its images
    decide.

    Parameters
    ----------
    name
        Of the section ``[peers.NAME]``.
    sought
        What they have to be like.
    most
        How many are wanted.

    Raises
    ------
    ConfigError
        If there is no such archive.
    PeerError
        If it does not answer.
    """
    peer = archive_of(context.config, name)
    note.asked(context, f"search for earlier studies by {', '.join(_ASKED)}", peer=name)
    with named(context.config, name):
        if isinstance(peer, DimsePeer):
            where, title = address(context.config, peer), context.config.node.ae_title

            def ask() -> list[Archived]:
                with client.searching(where, title, peer.timeout_seconds) as search:
                    return list(_earlier(context, search.find, sought, most))

            return context.associations.without_idle(where, ask)
        with DicomwebPeerClient(web_address(context.config, name, peer)) as web:

            def find(level: str, keys: Mapping[str, str]) -> Found:
                given = {key: value for key, value in keys.items() if value}
                study = given.pop("StudyInstanceUID", None)
                fields = [key for key, value in keys.items() if not value]
                return web.search(_LEVELS[level], given, study=study, fields=fields)

            return list(_earlier(context, find, sought, most))


def _earlier(
    context: FlowContext,
    find: Find,
    sought: Sought,
    most: int,
) -> Iterator[Archived]:
    """Yield the latest studies that may be alike; series are asked for until there are enough."""
    patient, now, since = sought.patient, sought.examined, sought.since
    days = f"{since.replace('-', '')}-{now.day.replace('-', '')}"
    keys = {**dict.fromkeys(_WANTED, ""), "PatientID": patient.patient_id.strip()}
    matches = [
        (match, when)
        for match in find("STUDY", {**keys, "StudyDate": days})
        if (when := examined(context, _moment(match), [], [], [])) is not None
        and since <= when.day < now.day
        and storable_uid(text(match, "StudyInstanceUID"))
        and _names(match, patient)
        and _has(texts(match, "ModalitiesInStudy"), now)
    ]
    matches.sort(key=lambda one: (one[1].day, one[1].time), reverse=True)
    count = 0
    for match, when in matches:
        uid = text(match, "StudyInstanceUID")
        series = find("SERIES", {"StudyInstanceUID": uid, **dict.fromkeys(_OF_SERIES, "")})
        if count < most and _alike(context, _moment(match), series, now):
            count += 1
            yield Archived(uid, when.day, when.time)
        if count == most:
            return


def _moment(match: Match) -> tuple[str, str]:
    return text(match, "StudyDate"), text(match, "StudyTime")


def _names(match: Match, patient: PatientIdentity) -> bool:
    """Tell whether a match is of the patient: PatientID is the same, and nothing contradicts it."""
    stated = PatientIdentity(*(text(match, keyword) for keyword in _NAMED)).stated()
    wanted = patient.stated()
    return stated.get("PatientID") == wanted.get("PatientID") and all(
        wanted.get(field, value) == value for field, value in stated.items()
    )


def _has(modalities: Sequence[str], now: Examined) -> bool:
    """Tell whether a study may have images of the modality; some archives do not say it."""
    families = {family(one) for one in modalities if one}
    return not families or bool(families & set(now.modality.split("+")))


def _alike(
    context: FlowContext, when: tuple[str, str], series: Sequence[Match], now: Examined
) -> bool:
    """Tell whether what an archive says of the series contradicts nothing of the examination."""
    wanted = set(now.modality.split("+"))
    of_images = [one for one in series if family(text(one, "Modality")) in wanted]
    if not of_images:
        return not series
    said = examined(
        context,
        when,
        [text(one, "Modality") for one in of_images],
        [text(one, "BodyPartExamined") for one in of_images],
        [text(one, "Laterality") for one in of_images],
    )
    if said is None:
        return False
    part = not said.body_part_key or said.body_part_key == now.body_part_key
    side = not said.laterality or said.laterality == now.laterality
    return part and side
