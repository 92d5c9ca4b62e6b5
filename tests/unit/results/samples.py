"""Sources and predictions for the tests of results: small, synthetic, no model needed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)

from pacs_ai.dicom.header import read_header
from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import (
    ClassSpec,
    Code,
    ImagePrediction,
    ModelIdentity,
    ResultKind,
    StudyPrediction,
)
from pacs_ai.refusal import Refusal
from pacs_ai.results.build import BuiltResult, build_results
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.evidence import Evidence
from pacs_ai.results.content.study import AnalysedStudy, ShownImage

LESION = ClassSpec("Lesion", Code("52988006", "SCT", "Lesion"), 0.5, positive=True)
NO_FINDING = ClassSpec("No finding", Code("NOFIND", "99PACSAI", "No finding"), 0.5, positive=False)
TWO_CLASSES = (NO_FINDING, LESION)
FOURTEEN_CLASSES = tuple(
    ClassSpec(f"Sign {n}", Code(f"SIGN{n}", "99PACSAI", f"Sign {n}"), 0.5, positive=True)
    for n in range(14)
)
CONTEXT = ResultContext(
    site="",
    installation_uid="2.25.1234567890",
    software_version="0.1.0",
    created_at=datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
    settings_hash="settings",
)


def model(
    classes: tuple[ClassSpec, ...] = TWO_CLASSES, activation: str = "softmax"
) -> ModelIdentity:
    return ModelIdentity(
        name="demo",
        version="1.2.3",
        manufacturer="somebody",
        sha256="ab" * 32,
        activation=activation,
        aggregation="max",
        preprocess="letterbox-v1",
        input_size=(224, 224),
        classes=classes,
        temperature=1.5,
        modalities=("CT", "MR"),
    )


def ct_slice(number: int = 1, **values: object) -> Dataset:
    """A CT slice; keywords replace its values, None removes them."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = f"1.2.3.4.{number}"
    ds.StudyInstanceUID = "1.2.3"
    ds.SeriesInstanceUID = "1.2.3.4"
    ds.StudyDate, ds.StudyTime = "20250607", "080910"
    ds.AccessionNumber = "ACC1"
    ds.StudyID = "ST1"
    ds.PatientName, ds.PatientID = "Doe^Jane", "ID1"
    ds.PatientBirthDate, ds.PatientSex = "19700102", "F"
    ds.ReferringPhysicianName = ""
    ds.Modality = "CT"
    ds.Manufacturer = "Scanner maker"
    ds.SeriesNumber, ds.InstanceNumber = 3, number
    ds.BodyPartExamined = "CHEST"
    ds.FrameOfReferenceUID = "1.2.3.9"
    ds.PositionReferenceIndicator = ""
    ds.ImagePositionPatient = [-10.5, -20, number * 2.5]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [0.5, 0.25]
    ds.SliceThickness = 2.5
    ds.Rows, ds.Columns = 96, 64
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = 0
    ds.PixelData = bytes(96 * 64 * 2)
    ds["PixelData"].VR = "OW"
    for keyword, value in values.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def radiograph(number: int = 1, **values: object) -> Dataset:
    """A chest radiograph without any geometry."""
    plain = dict.fromkeys(
        (
            "FrameOfReferenceUID",
            "PositionReferenceIndicator",
            "ImagePositionPatient",
            "ImageOrientationPatient",
            "PixelSpacing",
            "SliceThickness",
        )
    )
    radiographic = {
        "SOPClassUID": DigitalXRayImageStorageForPresentation,
        "Modality": "DX",
        "PatientOrientation": ["L", "F"],
    }
    return ct_slice(number, **{**plain, **radiographic, **values})


def save(ds: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> Path:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True)
    return path


def blob(
    x: float = 0.45, y: float = 0.35, shape: tuple[int, int] = (14, 14)
) -> npt.NDArray[np.float32]:
    """A heat map with one peak, given in parts of width and height."""
    rows, columns = np.indices(shape, dtype=np.float32)
    distance = (columns + 0.5 - x * shape[1]) ** 2 + (rows + 0.5 - y * shape[0]) ** 2
    return np.exp(-distance / 5).astype(np.float32)


def image(
    path: Path,
    probabilities: Sequence[float],
    saliency: npt.NDArray[np.float32] | None = None,
    frame: int = 1,
) -> ImagePrediction:
    """A prediction of one image; ``saliency`` is that of every class."""
    heat = blob() if saliency is None else saliency
    return ImagePrediction(
        read_header(path), frame, tuple(probabilities), np.stack([heat] * len(probabilities))
    )


def study(
    images: Sequence[ImagePrediction], identity: ModelIdentity | None = None
) -> StudyPrediction:
    """A study whose classes are each as probable as on the image where they are most so."""
    identity = identity or model()
    positive = [k for k, spec in enumerate(identity.classes) if spec.positive]
    decisive = max(
        range(len(images)), key=lambda n: max(images[n].probabilities[k] for k in positive)
    )
    probabilities = images[decisive].probabilities
    if identity.activation == "sigmoid":
        probabilities = tuple(map(max, zip(*(i.probabilities for i in images), strict=True)))
    return StudyPrediction(identity, tuple(images), probabilities, decisive)


def grey(prediction: ImagePrediction) -> npt.NDArray[np.float32]:
    """A ramp in the shape of the image."""
    shape = prediction.header.rows, prediction.header.columns
    return np.linspace(0, 0.8, shape[0] * shape[1], dtype=np.float32).reshape(shape)


def analysed(prediction: StudyPrediction, **context: object) -> AnalysedStudy:
    """What the builders get of a prediction; ``context`` replaces parts of `CONTEXT`."""
    changed = replace(CONTEXT, **context)  # type: ignore[arg-type]
    return AnalysedStudy(prediction, Evidence.of(prediction), changed, grey)


def checked(
    prediction: StudyPrediction, kind: ResultKind, read: ShownImage = grey
) -> list[Dataset]:
    """Build the objects of one kind; each keeps the rules of the standard."""
    made = []
    for result in build_results(prediction, [kind], CONTEXT, read):
        assert isinstance(result, BuiltResult)
        assert check_dataset(result.dataset) == []
        made.append(result.dataset)
    return made


def refusal(images: Sequence[ImagePrediction]) -> Refusal:
    """A study that a mammography model was shown."""
    count = len(images)
    counted = f"{count} instance{'s' * (count > 1)} ({count} other modality)"
    reason = f"no suitable image for MG among {counted}"
    headers = tuple(one.header for one in images)
    return Refusal(model(), headers, "NO_FITTING_SERIES", reason)
