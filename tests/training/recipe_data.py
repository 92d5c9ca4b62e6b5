"""Pictures and labels for the runs of `tests.training.recipe_runs`."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pacs_ai.phantom import read_labels


def write_pictures(folder: Path) -> None:
    """Write 36 pictures, in folders and with a table; and one each without a label, and damaged."""
    rows = []
    parts = ["train"] * 6 + ["validation"] * 3 + ["test"] * 3
    for index in range(36):
        patient, kind = index // 3, index // 3 % 2
        values = np.random.default_rng(index).integers(0, 128, (24, 24)) + 100 * kind
        picture = Image.fromarray(values.astype(np.uint8))
        for path in (
            folder / "pics" / f"{index}.png",
            folder / "folders" / parts[patient] / "ab"[kind] / f"{index}.png",
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
        box = {"x0": 2, "y0": 2, "x1": 12, "y1": 14}
        rows.append(
            {"picture": f"{index}.png", "kind": kind, "who": f"P{patient}", "part": parts[patient]}
            | box
        )
    (folder / "pics" / "alone.png").write_bytes((folder / "pics" / "0.png").read_bytes())
    _write(folder / "pics" / "labels.csv", rows)
    for index, row in enumerate(rows):
        row["one"], row["two"] = 1 - row["kind"], row["kind"]
        row["one"] = -1 if index % 9 == 0 else row["one"]
    _write(folder / "pics" / "columns.csv", rows)


def write_tables(folder: Path) -> None:
    """Write labels of the phantoms in ``tree``."""
    patients: dict[str, int] = {}
    rows = []
    parts = ("train", "train", "train", "train", "validation", "validation", "test", "test")
    for row in read_labels(folder / "tree"):
        number = patients.setdefault(row.patient_id, len(patients))
        rows.append(
            {
                "PatientID": row.patient_id,
                "StudyUID": row.study_uid,
                "SeriesUID": row.series_uid,
                "SOPInstanceUID": row.sop_uid,
                "label": "ab"[number % 2],
                "one": (1 - number % 2) if len(rows) % 9 else -1,
                "two": number % 2,
                "part": parts[number % 8],
                "x0": 4,
                "y0": 4,
                "x1": 40,
                "y1": 50,
            }
        )
    _write(folder / "tree.csv", rows)
    (folder / "boxes").mkdir()
    for part in set(parts):
        _write(folder / f"{part}.csv", [row for row in rows if row["part"] == part])


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
