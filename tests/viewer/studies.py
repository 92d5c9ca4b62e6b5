"""Studies as an archive holds them: phantoms, and what the node made of them."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage

from pacs_ai.analysis.make import make_results
from pacs_ai.analysis.predict import Source, predict_study
from pacs_ai.cli.result_folder import ResultFolder
from pacs_ai.dicom.header import read_header
from pacs_ai.domain import DOCUMENTS, ClassSpec, Code, ImagePrediction, ResultKind, StudyPrediction
from pacs_ai.model.predict import Classifier, aggregate
from pacs_ai.phantom import Modality, write_phantom_study
from pacs_ai.results.common.context import ResultContext
from tests.unit.results.samples import blob, model

CONTEXT = ResultContext(
    site="viewer test",
    installation_uid="2.25.4711",
    software_version="0.1.0",
    created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    settings_hash="viewer test",
)

SIGNS = (
    *("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema"),
    *("Fibrosis", "Hernia", "Infiltration", "Mass", "Nodule", "Pleural thickening"),
    *("Pneumonia", "Pneumothorax"),
)
FOURTEEN = tuple(
    ClassSpec(name, Code(f"SIGN{n}", "99PACSAI", name), 0.5, positive=True)
    for n, name in enumerate(SIGNS)
)


@dataclass(frozen=True)
class Stored:
    """A study, its files (images first), and what the model said."""

    uid: str
    files: tuple[Path, ...]
    prediction: StudyPrediction


def phantom(
    folder: Path, modality: Modality, seed: int, *, lesion: bool, slices: int = 1
) -> tuple[Path, ...]:
    """Write a phantom study."""
    return write_phantom_study(folder, modality, seed, lesion=lesion, slices=slices).files


def analysed(classifier: Classifier, images: Sequence[Path], folder: Path) -> Stored:
    """Let the node's own pipeline look at images."""
    predicted = predict_study(classifier, [Source(path, n) for n, path in enumerate(images)])
    assert not predicted.unusable
    return with_results(predicted.prediction, images, folder)


def of_fourteen(images: Sequence[Path], folder: Path, *, found: int) -> Stored:
    """A model of fourteen classes, of which so many are found: the first two in one place."""
    identity = replace(model(FOURTEEN, "sigmoid"), name="fourteen")
    chances = [0.93 - 0.07 * n if n < found else 0.41 - 0.03 * (n - found) for n in range(14)]
    places = np.random.default_rng(3).uniform(0.3, 0.75, (14, 2))
    places[1] = places[0] + 0.01
    maps = np.stack([blob(x, y) for x, y in places])
    seen = [ImagePrediction(read_header(path), 1, tuple(chances), maps) for path in images]
    return with_results(aggregate(seen, identity), images, folder)


def partly_analysed(images: Sequence[Path], folder: Path) -> Stored:
    """A model that was shown three slices, and found something on one of them."""
    headers = [read_header(path) for path in images]
    seen = [
        ImagePrediction(header, 1, (1 - chance, chance), np.stack([blob(0.4, 0.6)] * 2))
        for header, chance in zip(headers[1:4], (0.1, 0.9, 0.2), strict=True)
    ]
    prediction = replace(aggregate(seen, model()), others=(headers[0], *headers[4:]))
    return with_results(prediction, images, folder)


def enhanced(images: Sequence[Path], path: Path) -> Path:
    """Write the slices of a CT as the frames of one enhanced CT."""
    slices = [pydicom.dcmread(image) for image in images]
    made = copy.deepcopy(slices[0])
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    made.NumberOfFrames = len(slices)
    made.PixelData = b"".join(one.PixelData for one in slices)
    groups = {
        "PlaneOrientationSequence": ("ImageOrientationPatient",),
        "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
        "PixelValueTransformationSequence": ("RescaleIntercept", "RescaleSlope", "RescaleType"),
        "FrameVOILUTSequence": ("WindowCenter", "WindowWidth"),
    }
    shared = Dataset()
    for name, keywords in groups.items():
        setattr(shared, name, [_moved(made, keywords)])
    made.SharedFunctionalGroupsSequence = [shared]
    made.PerFrameFunctionalGroupsSequence = [_placed(one) for one in slices]
    del made.ImagePositionPatient
    made.save_as(path, enforce_file_format=True)
    return path


def _moved(source: Dataset, keywords: Sequence[str]) -> Dataset:
    """Take attributes out of a data set."""
    group = Dataset()
    for keyword in keywords:
        if keyword in source:
            group[keyword] = source[keyword]
            delattr(source, keyword)
    return group


def _placed(source: Dataset) -> Dataset:
    frame, position = Dataset(), Dataset()
    position.ImagePositionPatient = source.ImagePositionPatient
    frame.PlanePositionSequence = [position]
    return frame


def partly_analysed_frames(path: Path, folder: Path) -> Stored:
    """As `partly_analysed`, of an enhanced image."""
    header = read_header(path)
    seen = [
        ImagePrediction(header, frame, (1 - chance, chance), np.stack([blob(0.4, 0.6)] * 2))
        for frame, chance in ((2, 0.1), (3, 0.9), (4, 0.2))
    ]
    return with_results(aggregate(seen, model()), [path], folder)


def with_results(prediction: StudyPrediction, images: Sequence[Path], folder: Path) -> Stored:
    """Build and check the results, as the node does."""
    shown = tuple(kind for kind in ResultKind if kind not in DOCUMENTS)
    writer = ResultFolder(folder.parent, folder.name)
    outcome = make_results(prediction, shown, lambda _: CONTEXT, writer)
    assert not outcome.failed, outcome.remark
    files = (*images, *map(Path, outcome.made))
    return Stored(prediction.images[0].header.study_instance_uid, files, prediction)
