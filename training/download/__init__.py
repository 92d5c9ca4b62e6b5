"""Download collections of an image archive: verified, resumable, with their licences."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pacs_ai.errors import DataError
from pacs_ai.uids import storable_uid
from training.download.idc import Idc
from training.download.manifest import read_manifest
from training.download.nbia import Nbia
from training.download.source import Series, Source
from training.download.transfer import THREADS, Fetched, Progress, transfer
from training.recipe.data import Archive, Condition
from training.recipe.selection import hash_rank, matches

__all__ = ["Fetched", "Idc", "Nbia", "Progress", "Source", "fetch", "look_up", "open_source"]

_SUFFIX = ".tcia"


def open_source(archive: Archive, server: str = "") -> Source:
    """Open an image archive.

    Parameters
    ----------
    archive
        ``nbia`` (The Cancer Imaging Archive) or ``idc`` (the Imaging Data Commons).
    server
        Address of the server; "" for the public one.

    Raises
    ------
    ConfigError
        If a package is missing, or the address is invalid.
    """
    return Idc(server) if archive == "idc" else Nbia(server)


def fetch(
    wanted: Sequence[str],
    folder: Path,
    source: Source,
    progress: Progress,
    *,
    conditions: Mapping[str, Condition] | None = None,
    limit: int | None = None,
    threads: int = THREADS,
) -> Fetched:
    """Download series into a folder.

    Parameters
    ----------
    wanted
        Names of collections, paths of ``.tcia`` manifests, or Series Instance UIDs.
    folder
        The target; series that are there already are not fetched again.
    source
        The archive.
    progress
        Called with the progress.
    conditions
        Conditions on the columns of the series list: ``{"Modality": "CT"}``.
    limit
        The largest number of patients; always the same ones.
    threads
        Number of series fetched at the same time.

    Raises
    ------
    DataError
        If something does not exist, or no series meets the conditions.
    PeerError, NoSpace, StorageError
        As `transfer` does.
    """
    found = look_up(wanted, source)
    chosen = [
        series
        for series in found
        if all(matches(series.facts.get(k, ""), c) for k, c in (conditions or {}).items())
    ]
    if not chosen:
        raise DataError(
            f"none of {len(found)} series meets {dict(conditions or {})}; the columns are "
            f"{', '.join(sorted({key for series in found for key in series.facts}))}"
        )
    if limit is not None:
        patients = sorted({series.patient for series in chosen}, key=hash_rank)[:limit]
        chosen = [series for series in chosen if series.patient in patients]
    return transfer(chosen, folder, source, progress, threads)


def look_up(wanted: Sequence[str], source: Source) -> list[Series]:
    """Find series by collections, manifests and UIDs, without duplicates."""
    found: dict[str, Series] = {}
    uids: list[str] = []
    for name in wanted:
        if name.lower().endswith(_SUFFIX) or Path(name).is_file():
            uids += read_manifest(Path(name))
        elif storable_uid(name):
            uids.append(name)
        else:
            found |= {series.uid: series for series in source.collection(name)}
    found |= {series.uid: series for series in source.series([u for u in uids if u not in found])}
    return list(found.values())
