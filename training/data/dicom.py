"""Collect samples from a folder tree of DICOM files."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pacs_ai.dicom.study_files import find_files
from pacs_ai.errors import ConfigError, DataError, NotDicom
from training.data.classes import Annotation, Classes, Collected, CollectedSample
from training.data.crops import crop_to
from training.data.instance import KEYWORDS, Instance, read_instance
from training.data.labels import Label, Labels, PatternSource, TableSource, compile_pattern
from training.data.pool import parallel_map
from training.data.samples import Sample
from training.data.voc import read_voc
from training.download.transfer import PARTS
from training.recipe.data import DicomData
from training.recipe.label_tables import PatternLabels
from training.recipe.selection import matches

_GREY = ("MONOCHROME1", "MONOCHROME2")
_NAMED = 3


def collect_dicom(data: DicomData, modalities: Sequence[str], classes: Classes) -> Collected:
    """Find the images of a folder tree and their labels.

    Parameters
    ----------
    data
        The folder, and the source of labels.
    modalities
        The modalities of the images to use.
    classes
        Maps labels to classes.

    Raises
    ------
    DataError
        If there is no usable image, a file cannot be read or has no label (unless the recipe
        drops those), or colour and grey images are mixed; names the file and the remedy.
    """
    notes: list[str] = []
    scanned = _scan(data, notes)
    instances = list(_used(data, modalities, scanned, notes))
    _refuse_mixed_colour(instances)
    source: Labels = (
        PatternSource(data.labels)
        if isinstance(data.labels, PatternLabels)
        else TableSource(data.labels, data.separator)
    )
    found = list(_labelled(data, instances, source, classes, notes))
    unused = source.unused()
    if unused:
        notes.append(f"{len(unused)} rows name an image that is not there (the first: {unused[0]})")
    studies: dict[str, tuple[Path, ...]] = {}
    for instance in scanned:
        uid = instance.text("StudyInstanceUID")
        studies[uid] = (*studies.get(uid, ()), instance.path)
    return Collected(tuple(found), tuple(notes), studies)


def _scan(data: DicomData, notes: list[str]) -> list[Instance]:
    """Read the headers of all files; of files with the same UID only the first is used."""
    try:
        files = find_files([data.folder])
    except (ConfigError, NotDicom) as error:
        raise DataError(
            f"no DICOM file below {data.folder}: download the collection, or correct data.folder"
        ) from error
    _refuse_empty_series(data.folder)
    paths = [path for path in files.files if PARTS not in path.relative_to(data.folder).parts]
    if len(paths) < len(files.files):
        notes.append("a download into the folder is not finished: the same command resumes it")
    keywords = (*KEYWORDS, *data.where)
    read = parallel_map(partial(read_instance, keywords=keywords), paths)
    unreadable: list[str] = []
    seen: dict[str, Instance] = {}
    copies = 0
    for path, instance in zip(paths, read, strict=True):
        if instance is None:
            unreadable.append(str(path))
            continue
        uid = instance.text("SOPInstanceUID")
        copies += uid in seen
        seen.setdefault(uid, instance)
    if unreadable:
        refuse_or_note(unreadable, data.unreadable, "cannot be read as DICOM", notes)
    if copies:
        notes.append(f"{copies} files are copies of others (same SOP Instance UID)")
    return list(seen.values())


def _refuse_empty_series(folder: Path) -> None:
    """Refuse a series folder that is empty or has only a licence."""
    for path in sorted(folder.rglob("*")):
        if (
            path.is_dir()
            and PARTS not in path.parts
            and {child.name for child in path.iterdir()} <= {"LICENSE"}
        ):
            raise DataError(
                f"{path} holds no image: the series is empty; delete the folder and download again"
            )


def refuse_or_note(
    files: Sequence[str], policy: str, what: str, notes: list[str], key: str = "unreadable"
) -> None:
    """Raise an error that names files, or note how many are left out.

    Raises
    ------
    DataError
        If the policy is to refuse.
    """
    named = ", ".join(files[:_NAMED]) + (" ..." if len(files) > _NAMED else "")
    if policy == "refuse":
        raise DataError(
            f"{len(files)} files: {what}: {named}. Correct or remove them, or set "
            f'data.{key} = "drop"'
        )
    notes.append(f"{len(files)} files left out, {what}: {named}")


def _used(
    data: DicomData, modalities: Sequence[str], instances: Sequence[Instance], notes: list[str]
) -> Iterator[Instance]:
    """Give the images of the given modalities that meet all conditions."""
    left_out: Counter[str] = Counter()
    by_series: dict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        if instance.text("Modality") not in modalities:
            left_out["of other modalities"] += 1
        elif not instance.text("Rows"):
            left_out["without pixels"] += 1
        elif not all(matches(instance.facts.get(k, ""), c) for k, c in data.where.items()):
            left_out["that data.where leaves out"] += 1
        else:
            by_series[instance.text("SeriesInstanceUID")].append(instance)
    notes += [f"{count} instances {why}" for why, count in sorted(left_out.items())]
    if not by_series:
        raise DataError(
            f"no image of {'/'.join(modalities)} below {data.folder}: {'; '.join(notes)}"
        )
    for series in by_series.values():
        series.sort(key=lambda instance: (instance.count("InstanceNumber", 0), instance.path))
        yield from spread(series, data.images_per_series)


def spread(items: list[Instance], limit: int) -> list[Instance]:
    """Choose at most ``limit`` evenly spaced items; all items for 0."""
    if not limit or len(items) <= limit:
        return items
    return [items[(2 * part + 1) * len(items) // (2 * limit)] for part in range(limit)]


def _refuse_mixed_colour(instances: Sequence[Instance]) -> None:
    colours = [i for i in instances if i.text("PhotometricInterpretation") not in _GREY]
    if colours and len(colours) < len(instances):
        kinds = sorted({i.text("PhotometricInterpretation") or "none" for i in colours})
        raise DataError(
            f"{len(colours)} of {len(instances)} images are in colour ({', '.join(kinds)}), the "
            f"others grey; the first: {colours[0].path}. Leave one kind out, for example with "
            'data.where = { PhotometricInterpretation = "MONOCHROME*" }'
        )


def _labelled(
    data: DicomData,
    instances: Sequence[Instance],
    source: Labels,
    classes: Classes,
    notes: list[str],
) -> Iterator[CollectedSample]:
    patient = compile_pattern(data.patient_pattern or "(.*)", "data.patient_pattern")
    unlabelled, boxless = [], 0
    for instance in instances:
        labels = source.of(instance.keys)
        if not labels:
            unlabelled += [str(instance.path)] if labels is None else []
            continue
        boxed = _with_boxes(labels, data.boxes, instance) if data.boxes else labels
        said = classes.annotations(boxed, by_box=data.crop is not None)
        for statement in said:
            if data.boxed_only and statement.box is None:
                boxless += 1
                continue
            match = patient.search(statement.patient or instance.text("PatientID"))
            yield from _samples(data, instance, statement, match[1] if match else "")
    if unlabelled:
        unused = source.unused()
        rows = f" ({len(unused)} rows name no image; the first: {unused[0]})" if unused else ""
        refuse_or_note(unlabelled, data.unlabelled, f"no label{rows}", notes, "unlabelled")
    if source.uncertain:
        notes.append(f"{source.uncertain} rows left out, they have an uncertain label")
    if boxless:
        notes.append(f"{boxless} images left out, they have no box")


def _with_boxes(labels: Sequence[Label], folder: Path, instance: Instance) -> list[Label]:
    boxes = read_voc(folder, instance.text("SOPInstanceUID"))
    if not boxes:
        return list(labels)
    return [replace(label, box=box) for label in labels for box in boxes]


def _samples(
    data: DicomData, instance: Instance, said: Annotation, patient: str
) -> Iterator[CollectedSample]:
    if not patient:
        raise DataError(
            f"{instance.path}: no PatientID and no other patient identifier; without one a "
            "patient cannot be kept in one split: give data.labels a patient_column"
        )
    rows, columns = instance.count("Rows", 0), instance.count("Columns", 0)
    crop, box = crop_to(said.box, data.crop, rows, columns, str(instance.path))
    for frame in range(max(1, instance.count("NumberOfFrames", 1))):
        sample = Sample(
            path=instance.path,
            patient=patient,
            labels=said.labels,
            frame=frame,
            study=instance.text("StudyInstanceUID"),
            series=instance.text("SeriesInstanceUID"),
            instance=instance.text("SOPInstanceUID"),
            box=box,
            crop=crop,
            groups=instance.groups,
            votes=said.votes,
            uncertain=said.uncertain,
        )
        yield CollectedSample(sample, said.split)
