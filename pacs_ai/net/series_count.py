"""How many instances of each series of a study a peer has, from its answers to queries."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pydicom import Dataset

Match = Dataset
Found = list[Match]
Find = Callable[[str, Mapping[str, str]], Found]
"""Gives the matches of a query: its level (``SERIES``, ``IMAGE``), and keyword to value."""


@dataclass(frozen=True, slots=True)
class SeriesCount:
    """A series as a peer has it."""

    series_instance_uid: str
    modality: str
    instances: int


def series_counts(find: Find, study_instance_uid: str) -> Iterator[SeriesCount]:
    """Ask for the series of a study; where the number of instances is not told, count them.

    Raises
    ------
    PeerError
        If `find` does.
    """
    study = {"StudyInstanceUID": study_instance_uid}
    wanted = {"SeriesInstanceUID": "", "Modality": "", "NumberOfSeriesRelatedInstances": ""}
    seen: set[str] = set()
    for match in find("SERIES", {**study, **wanted}):
        uid = str(match.get("SeriesInstanceUID", ""))
        if not uid or uid in seen or not _is_of(match, study_instance_uid):
            continue
        seen.add(uid)
        count = _number(match.get("NumberOfSeriesRelatedInstances"))
        if count is None:
            images = {**study, "SeriesInstanceUID": uid, "SOPInstanceUID": ""}
            count = len(
                {str(one.get("SOPInstanceUID", "")) for one in find("IMAGE", images)} - {""}
            )
        yield SeriesCount(uid, str(match.get("Modality", "")), count)


def _is_of(match: Dataset, study_instance_uid: str) -> bool:
    """Tell whether a match is of the study that was asked for; some peers leave its UID out."""
    return str(match.get("StudyInstanceUID", "")) in ("", study_instance_uid)


def _number(value: object) -> int | None:
    try:
        return max(0, int(str(value)))
    except ValueError:
        return None
