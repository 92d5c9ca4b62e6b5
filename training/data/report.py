"""Describe a dataset, for people and in the run folder: with keys, never with patients."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_ai.files import atomic_write
from training.data.leakage import KINDS, Kind, Leak, Shared
from training.data.samples import SPLITS, Dataset, Sample

FILE = "dataset.json"
_PHRASES: Mapping[Kind, str] = {
    "same patient": "are of a patient who is in",
    "same pixels": "have the pixels of one in",
    "nearly the same": "are nearly the same as one in",
}
LEAKS_FILE = "leakage.csv"


@dataclass(frozen=True, slots=True)
class Findings:
    """Findings about a dataset.

    ``policy`` is what happened to ``leaks``; ``shared`` counts them, each image once. The other
    fields count images: ``duplicates`` have the pixels of another image of their split,
    ``contradictions`` have the pixels of an image with another label, ``flat`` have one grey value.
    """

    leaks: Sequence[Leak]
    policy: str
    duplicates: int
    contradictions: int
    flat: int
    shared: Sequence[Shared] = ()


def summary(dataset: Dataset, findings: Findings) -> dict[str, object]:
    """Count images, patients, classes and leaks of the splits."""
    return {
        "classes": list(dataset.classes),
        "splits": {name: _counts(dataset, dataset.split(name)) for name in SPLITS},
        "leakage": {
            "policy": findings.policy,
            "images": _by_kind(findings.leaks),
            "left out" if findings.policy == "drop" else "kept": [
                _row(each, dataset.classes) for each in findings.shared
            ],
        },
        "same pixels within splits": findings.duplicates,
        "same pixels, other label": findings.contradictions,
        "without contrast": findings.flat,
        "notes": list(dataset.notes),
    }


def _by_kind(leaks: Sequence[Leak]) -> dict[str, int]:
    return {kind: sum(leak.kind == kind for leak in leaks) for kind in KINDS}


def _row(shared: Shared, classes: Sequence[str]) -> dict[str, object]:
    by_class = {classes[index]: count for index, count in sorted(shared.by_class.items())}
    return {
        "split": shared.split,
        "why": shared.kind,
        "images": shared.images,
        "of": shared.of,
        "classes": by_class,
    }


def leak_note(shared: Shared, classes: Sequence[str], policy: str) -> str:
    """Describe in a sentence the leaks of a split, and what was done.

    Parameters
    ----------
    shared
        The images.
    classes
        Names of all classes.
    policy
        ``drop`` or ``report``.
    """
    by_class = ", ".join(f"{classes[index]} {n}" for index, n in sorted(shared.by_class.items()))
    done = "left out" if policy == "drop" else "kept, as the recipe says"
    return (
        f"{shared.split}: {shared.images} of {shared.of} images {_PHRASES[shared.kind]} another "
        f"split: {done}{f' ({by_class})' if by_class else ''}"
    )


def _counts(dataset: Dataset, samples: Sequence[Sample]) -> dict[str, object]:
    labels = Counter(dataset.classes[index] for sample in samples for index in sample.labels)
    groups: dict[str, Counter[str]] = {}
    for sample in samples:
        for name, value in sample.groups.items():
            groups.setdefault(name, Counter())[value] += 1
    return {
        "images": len(samples),
        "patients": len({sample.patient for sample in samples}),
        "studies": len({sample.unit for sample in samples}),
        "classes": {name: labels[name] for name in dataset.classes},
        "boxes": sum(sample.box is not None for sample in samples),
        "groups": {name: dict(sorted(counts.items())) for name, counts in groups.items()},
    }


def text(dataset: Dataset, findings: Findings) -> str:
    """Format the counts as a table, followed by the findings."""
    header = ["", "images", "patients", *dataset.classes]
    rows = [header]
    for name in SPLITS:
        counts = _counts(dataset, dataset.split(name))
        by_class = counts["classes"]
        assert isinstance(by_class, Mapping)  # noqa: S101 - `_counts` made it
        cells = [name, counts["images"], counts["patients"], *by_class.values()]
        rows.append([str(cell) for cell in cells])
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    counted = (
        (findings.duplicates, "images repeat the pixels of another in their split"),
        (findings.contradictions, "images have the pixels of another with another label"),
        (findings.flat, "images are of one grey value"),
    )
    lines += [f"{count} {what}" for count, what in counted if count]
    return "\n".join([*lines, *dataset.notes])


def write_report(
    folder: Path, dataset: Dataset, findings: Findings, pixels: Mapping[Sample, str]
) -> None:
    """Write ``dataset.json``: the counts, and each image with split, key, labels and hash."""
    images = [
        [
            name,
            sample.key,
            sample.instance or sample.path.name,
            sample.frame,
            [dataset.classes[index] for index in sample.labels],
            pixels[sample],
        ]
        for name in SPLITS
        for sample in dataset.split(name)
    ]
    counts = json.dumps(summary(dataset, findings), indent=1)[:-2]
    columns = ["split", "patient key", "instance or file", "frame", "labels", "pixels sha256"]
    rows = ",\n".join(json.dumps(row) for row in images)
    whole = f'{counts},\n "columns": {json.dumps(columns)},\n "images": [\n{rows}\n]\n}}\n'
    atomic_write(folder / FILE, whole)


def write_leaks(folder: Path, leaks: Sequence[Leak], samples: Sequence[Sample]) -> None:
    """List every pair that leaks, by its files, in ``leakage.csv``."""
    lines = ["kind,file,like"]
    for leak in leaks:
        pair = (samples[leak.drop].path, samples[leak.keep].path)
        lines.append(",".join([leak.kind, *(f'"{path}"' for path in pair)]))
    atomic_write(folder / LEAKS_FILE, "\n".join(lines) + "\n")
