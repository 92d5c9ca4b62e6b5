"""The interface of an image archive."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

Advance = Callable[[int], None]
"""Called with the number of bytes that have arrived."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series in the list of an archive; 0 and "" are unknown values.

    ``facts`` has all columns of its row, by the names of the archive. ``patient`` is only used to
    choose series, and is never written.
    """

    uid: str
    collection: str = ""
    modality: str = ""
    images: int = 0
    bytes: int = 0
    licence: str = ""
    licence_uri: str = ""
    citation_uri: str = ""
    patient: str = field(default="", repr=False)
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class File:
    """One file that arrived completely: its name in the folder of the series, size and MD5."""

    name: str
    bytes: int
    md5: str


class Source(Protocol):
    """An image archive."""

    name: str

    def close(self) -> None:
        """Close all connections."""

    def collection(self, name: str) -> list[Series]:
        """List the series of a collection.

        Raises
        ------
        DataError
            If the collection does not exist.
        PeerError
            If the archive cannot be reached, or its answer is invalid.
        """

    def series(self, uids: Sequence[str]) -> list[Series]:
        """Look up series by their UIDs, in that order; unknown ones raise `DataError`."""

    def fetch(self, series: Series, folder: Path, advance: Advance) -> list[File]:
        """Download the DICOM files of a series into an empty folder, and verify each.

        Raises
        ------
        PeerError
            If it did not arrive completely, after all retries.
        NoSpace
            If the disk is full.
        """
