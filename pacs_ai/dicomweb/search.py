"""Search for studies, series and instances (QIDO-RS, PS3.18 Section 10.6).

The database knows UIDs, modalities and keyed hashes. Everything else is read from the headers of
the files: of one file for a study, of one for a series. So a search by a name reads as many headers
as it takes to fill a page; one by UIDs, by patient id or by accession number finds the rows first.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby, islice
from typing import Any

from pacs_ai.dicom.json_model import json_model
from pacs_ai.dicomweb.links import ROOT, instance_url, series_url, study_url
from pacs_ai.dicomweb.matching import Query
from pacs_ai.errors import NotDicom, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.store.held import Held, StudyKeys, find_held, held_studies

_PATIENT_ID, _ACCESSION, _STUDY_UID = "00100020", "00080050", "0020000D"
_MODALITY, _MODALITIES, _AVAILABILITY, _RETRIEVE = "00080060", "00080061", "00080056", "00081190"
_SERIES_COUNT, _INSTANCE_COUNT, _SERIES_INSTANCES = "00201206", "00201208", "00201209"

_OF_PATIENT = ("00100010", _PATIENT_ID, "00100030", "00100040")
_OF_STUDY = (
    *(
        "00080020",
        "00080030",
        _ACCESSION,
        "00080090",
        "00080201",
        "00081030",
        _STUDY_UID,
        "00200010",
    ),
    *(_MODALITIES, _AVAILABILITY, _RETRIEVE, _SERIES_COUNT, _INSTANCE_COUNT, *_OF_PATIENT),
)
_OF_SERIES = (
    *(_MODALITY, "0008103E", "0020000E", "00200011", "00400244", "00400245", "00400275"),
    *(_SERIES_INSTANCES, _RETRIEVE, _AVAILABILITY),
)
_OF_INSTANCE = (
    *("00080016", "00080018", "00200013", "00280008", "00280010", "00280011", "00280100"),
    *(_RETRIEVE, _AVAILABILITY),
)
_MOST_STUDIES = 5000
_HEADERS = 512


class Search:
    """Searches what the node holds.

    Parameters
    ----------
    context
        The node.
    """

    def __init__(self, context: FlowContext) -> None:
        self._context = context
        self._header = lru_cache(maxsize=_HEADERS)(self._read)
        self._modalities: dict[str, str] = {}  # of results, by SOP class

    def studies(self, query: Query, base: str) -> list[dict[str, Any]]:
        """Return the studies that match, the newest first.

        Parameters
        ----------
        base
            URL of the server.
        """
        return self._page(query, self._studies(query, base + ROOT), _OF_STUDY)

    def series(self, query: Query, base: str, study: str = "") -> list[dict[str, Any]]:
        """Return the series that match, of one study or of all."""
        own = () if study else _OF_STUDY
        return self._page(query, self._series(query, base + ROOT, study), (*_OF_SERIES, *own))

    def instances(
        self, query: Query, base: str, study: str = "", series: str = ""
    ) -> list[dict[str, Any]]:
        """Return the instances that match, of one series, of one study, or of all."""
        found = self._instances(query, base + ROOT, study, series)
        own = () if series else (*_OF_SERIES, *(() if study else _OF_STUDY))
        return self._page(query, found, (*own, *_OF_INSTANCE))

    def _page(
        self, query: Query, found: Iterable[dict[str, Any]], usual: Sequence[str]
    ) -> list[dict[str, Any]]:
        matching = (model for model in found if query.matches(model))
        page = islice(matching, query.offset, query.offset + query.limit)
        return [query.chosen(model, usual) for model in page]

    def _held(self, query: Query, study: str) -> Iterator[list[Held]]:
        """Give the instances of each study that may match."""
        wanted, context = query.wanted, self._context
        uids = [study] if study else wanted.get(_STUDY_UID, "").replace("\\", ",").split(",")
        exact = {tag: wanted.get(tag, "") for tag in (_PATIENT_ID, _ACCESSION)}
        exact = {tag: text for tag, text in exact.items() if text and not set(text) & set("*?")}
        keys = StudyKeys(
            [uid for uid in uids if uid],
            context.patient_key(exact[_PATIENT_ID]) if _PATIENT_ID in exact else "",
            context.accession_key(exact[_ACCESSION]) if _ACCESSION in exact else "",
        )
        with context.database.read() as session:
            found = held_studies(session, keys, _MOST_STUDIES)
        for uid in found:
            with context.database.read() as session:
                yield find_held(session, study=uid)

    def _studies(self, query: Query, base: str) -> Iterator[dict[str, Any]]:
        for held in self._held(query, ""):
            if (model := self._of_study(held, base)) is not None:
                yield model

    def _of_study(self, held: Sequence[Held], base: str) -> dict[str, Any] | None:
        """Return the attributes of a study, from its first file that can be read."""
        first = next((header for one in held if (header := self._header(one.path))), None)
        if first is None:
            return None
        by_series = _by_series(held)
        modalities = {self._modality(some[0]) for some in by_series} - {""}
        return first | {
            _MODALITIES: _element("CS", *sorted(modalities)),
            _SERIES_COUNT: _element("IS", len(by_series)),
            _INSTANCE_COUNT: _element("IS", len(held)),
            _AVAILABILITY: _element("CS", "ONLINE"),
            _RETRIEVE: _element("UR", study_url(base, held[0].study)),
        }

    def _modality(self, held: Held) -> str:
        """Return the modality of an object; headers of reports take too long to be read for it."""
        if held.modality:
            return held.modality
        if not self._modalities.get(held.sop_class):
            self._modalities[held.sop_class] = _first(self._header(held.path), _MODALITY)
        return self._modalities[held.sop_class]

    def _series(self, query: Query, base: str, study: str) -> Iterator[dict[str, Any]]:
        for held in self._held(query, study):
            whole = self._of_study(held, base) or {}
            for some in _by_series(held):
                own = self._header(some[0].path)
                if own:
                    yield self._of_series(whole, own, some, base)

    def _of_series(
        self, whole: dict[str, Any], own: dict[str, Any], held: Sequence[Held], base: str
    ) -> dict[str, Any]:
        return {
            **whole,
            **own,
            _SERIES_INSTANCES: _element("IS", len(held)),
            _AVAILABILITY: _element("CS", "ONLINE"),
            _RETRIEVE: _element("UR", series_url(base, held[0])),
        }

    def _instances(
        self, query: Query, base: str, study: str, series: str
    ) -> Iterator[dict[str, Any]]:
        for held in self._held(query, study):
            whole = self._of_study(held, base) or {}
            for some in _by_series(held):
                if series not in ("", some[0].series):
                    continue
                for one in some:
                    own = self._header(one.path)
                    if own:
                        model = self._of_series(whole, own, some, base)
                        yield model | {_RETRIEVE: _element("UR", instance_url(base, one))}

    def _read(self, path: str) -> dict[str, Any]:
        """Read a header; {} if the file cannot be read."""
        try:
            return json_model(self._context.spool.path_of(path), lambda _: "")
        except (NotDicom, StorageError):
            return {}


def _by_series(held: Sequence[Held]) -> list[list[Held]]:
    ordered = sorted(held, key=lambda one: one.series)
    return [list(some) for _, some in groupby(ordered, key=lambda one: one.series)]


def _first(model: dict[str, Any], tag: str) -> str:
    return str(next(iter(model.get(tag, {}).get("Value", [])), ""))


def _element(vr: str, *values: object) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}
