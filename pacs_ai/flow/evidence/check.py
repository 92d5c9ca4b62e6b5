"""Check an evidence archive: its digests, its lines of the ledger, and its results."""

from collections.abc import Sequence
from pathlib import Path

from pacs_ai.config import Config
from pacs_ai.digests import digest_of
from pacs_ai.flow.evidence.archive import Archive, read_archive
from pacs_ai.flow.evidence.remake import Check, remake
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.store.ledger import line_hash


def check_evidence(
    path: Path, config: Config, bundles: Sequence[ModelBundle], sources: Path | None
) -> list[Check]:
    """Check an archive.

    Parameters
    ----------
    path
        The archive.
    config, bundles, sources
        As for `pacs_ai.flow.evidence.remake.remake`.

    Raises
    ------
    StorageError
        If a file cannot be read.
    Corrupted
        If the archive is not what was written.
    """
    archive = read_archive(path)
    return [
        Check("archive", ok=True, said="every file has its digest"),
        _ledger(archive),
        _results(archive),
        *remake(archive, config, bundles, sources),
    ]


def _ledger(archive: Archive) -> Check:
    lines = archive.content["ledger"]
    wrong = [
        line["number"]
        for line in lines
        if line["before"] and line_hash(line["before"], line) != line["hash"]
    ]
    said = f"lines that were altered: {wrong}" if wrong else f"{len(lines)} lines have their hash"
    return Check("ledger", ok=not wrong, said=said)


def _results(archive: Archive) -> Check:
    rows = [row for row in archive.content["results"] if row["file"]]
    wrong = [row["file"] for row in rows if digest_of(archive.read(row["file"])) != row["digest"]]
    said = f"not as the node stored it: {wrong[0]}" if wrong else f"{len(rows)} are as stored"
    return Check("results", ok=not wrong, said=said)
