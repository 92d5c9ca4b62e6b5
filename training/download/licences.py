"""The licences of the images in a folder, and how to cite them."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from pacs_ai.files import atomic_write
from training.download.source import Series

TABLE, SUMMARY = "licences.csv", "licences.json"
_COLUMNS = (
    *("SeriesInstanceUID", "Collection", "Modality", "Images"),
    *("Licence", "LicenceURI", "CitationURI"),
)
_UNKNOWN = "not stated"


def write_licences(folder: Path, series: Sequence[Series]) -> None:
    """Write ``licences.csv``, one row for each series, and its summary ``licences.json``.

    Rows of series from earlier downloads are kept.
    """
    rows = {row[0]: row for row in _rows(folder / TABLE)}
    for each in series:
        rows[each.uid] = [
            *(each.uid, each.collection, each.modality, str(each.images)),
            *(each.licence or _UNKNOWN, each.licence_uri, each.citation_uri),
        ]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(rows[uid] for uid in sorted(rows))
    atomic_write(folder / TABLE, table.getvalue())
    atomic_write(folder / SUMMARY, json.dumps(_summary(list(rows.values())), indent=1) + "\n")


def _rows(path: Path) -> list[list[str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in list(csv.reader(file))[1:] if len(row) == len(_COLUMNS)]


def _summary(rows: Sequence[Sequence[str]]) -> list[dict[str, object]]:
    found: dict[tuple[str, ...], list[int]] = {}
    for _, collection, _, images, *terms in rows:
        found.setdefault((collection, *terms), []).append(int(images or 0))
    return [
        {
            "collection": collection,
            "licence": licence,
            "licence_uri": licence_uri,
            "cite": citation_uri or _UNKNOWN,
            "series": len(images),
            "images": sum(images),
        }
        for (collection, licence, licence_uri, citation_uri), images in sorted(found.items())
    ]
