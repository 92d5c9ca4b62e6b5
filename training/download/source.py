"""What an archive must be able to do, so that collections can come from any of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

Advance = Callable[[int], None]
"""Told how many bytes have arrived."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series as an archive lists it; 0 and "" stand for what it does not say.

    ``facts`` holds all columns of its row, by the archive's names. ``patient`` is used to choose
    and never written.
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
    """One file that arrived whole: its name in the series' folder, size, and MD5."""

    name: str
    bytes: int
    md5: str


class Source(Protocol):
    """An archive of images."""

    name: str

    def close(self) -> None:
        """Close all connections."""

    def collection(self, name: str) -> list[Series]:
        """List the series of a collection.

        Raises
        ------
        DataError
            If there is no such collection.
        PeerError
            If the archive cannot be reached or does not make sense.
        """

    def series(self, uids: Sequence[str]) -> list[Series]:
        """Look up series by their UIDs, in that order; unknown ones raise `DataError`."""

    def fetch(self, series: Series, folder: Path, advance: Advance) -> list[File]:
        """Put the DICOM files of a series into an empty folder, each of them verified.

        Raises
        ------
        PeerError
            If it did not come whole, in spite of several attempts.
        NoSpace
            If the disk is full.
        """
