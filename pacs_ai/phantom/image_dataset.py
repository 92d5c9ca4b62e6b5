"""The DICOM attributes of a phantom: CT, MR, CR and DX images as PS3.3 wants them.

Nothing here names a person: the "patient" is a phantom and says so.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    MRImageStorage,
)

from pacs_ai import __version__
from pacs_ai.phantom.scene import Scene
from pacs_ai.uids import derived_uid

SOP_CLASSES = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "CR": ComputedRadiographyImageStorage,
    "DX": DigitalXRayImageStorageForPresentation,
}
FIELD_OF_VIEW_MM = {"CT": 380.0, "MR": 240.0, "CR": 350.0, "DX": 350.0}
SLICE_STEP_MM = 5.0
GREY_MAX = 4095
"""Largest stored value: 12 bits, as most scanners have."""

_CT_INTERCEPT = -1024.0
_MR_SIGNAL = 2400.0
_IMPLEMENTATION_UID = UID(derived_uid("phantom", "implementation"))


@dataclass(frozen=True, slots=True)
class StudyKey:
    """What all images of one phantom study share."""

    modality: str
    seed: int
    patient_id: str
    study_uid: str
    series_uid: str
    inverted: bool


def to_stored(key: StudyKey, picture: npt.NDArray[np.float64]) -> npt.NDArray[np.uint16]:
    """Turn Hounsfield units, signal or density into the values that the pixel data hold."""
    if key.modality == "CT":
        values = picture - _CT_INTERCEPT
    else:
        values = picture * (_MR_SIGNAL if key.modality == "MR" else GREY_MAX)
    stored = np.clip(np.rint(values), 0, GREY_MAX).astype(np.uint16)
    return GREY_MAX - stored if key.inverted else stored


def make_dataset(
    key: StudyKey, scene: Scene, stored: npt.NDArray[np.uint16], index: int, count: int
) -> Dataset:
    """Build one image with all modules of its IOD.

    Parameters
    ----------
    key
        The study.
    scene
        The anatomy, for body part and window.
    stored
        Stored values, shape (rows, columns).
    index, count
        Which slice this is, from 0, and of how many.
    """
    ds = Dataset()
    uid = UID(derived_uid("phantom", "instance", key.series_uid, str(index)))
    ds.file_meta = _file_meta(key.modality, uid)
    ds.SOPClassUID = SOP_CLASSES[key.modality]
    ds.SOPInstanceUID = uid
    ds.SyntheticData = "YES"
    _patient_and_study(ds, key, scene)
    _series_and_equipment(ds, key, scene)
    _pixels(ds, key, scene, stored)
    ds.InstanceNumber = str(index + 1)
    spacing = FIELD_OF_VIEW_MM[key.modality] / stored.shape[1]
    if key.modality in ("CT", "MR"):
        _plane(ds, key, spacing, index, count)
    _MODULES[key.modality](ds, key, scene, spacing)
    return ds


def _file_meta(modality: str, uid: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = SOP_CLASSES[modality]
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _IMPLEMENTATION_UID
    meta.ImplementationVersionName = "PACS_AI_PHANTOM"
    return meta


def _patient_and_study(ds: Dataset, key: StudyKey, scene: Scene) -> None:
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName = f"PHANTOM^{key.modality}"
    ds.PatientID = key.patient_id
    ds.PatientBirthDate = ""
    ds.PatientSex = "O"
    ds.StudyInstanceUID = key.study_uid
    ds.StudyDate = ds.ContentDate = ds.AcquisitionDate = "20240102"
    ds.StudyTime = ds.ContentTime = ds.AcquisitionTime = "080000"
    ds.ReferringPhysicianName = ""
    ds.StudyID = f"P{key.seed}"[:16]
    ds.AccessionNumber = f"PHA{key.seed}"[:16]
    ds.StudyDescription = scene.description


def _series_and_equipment(ds: Dataset, key: StudyKey, scene: Scene) -> None:
    ds.Modality = key.modality
    ds.SeriesInstanceUID = key.series_uid
    ds.SeriesNumber = "1"
    ds.SeriesDescription = scene.description
    ds.BodyPartExamined = scene.body_part
    ds.Manufacturer = "pacs-ai phantom"
    ds.ManufacturerModelName = "Phantom"
    ds.SoftwareVersions = __version__
    ds.DeviceSerialNumber = "0"
    ds.BurnedInAnnotation = "NO"


def _pixels(ds: Dataset, key: StudyKey, scene: Scene, stored: npt.NDArray[np.uint16]) -> None:
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME1" if key.inverted else "MONOCHROME2"
    ds.Rows, ds.Columns = stored.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = stored.astype("<u2").tobytes()
    scale = {"CT": 1.0, "MR": _MR_SIGNAL}.get(key.modality, float(GREY_MAX))
    centre, width = (value * scale for value in scene.window)
    ds.WindowCenter = f"{GREY_MAX - centre if key.inverted else centre:.1f}"
    ds.WindowWidth = f"{width:.1f}"


def _plane(ds: Dataset, key: StudyKey, spacing: float, index: int, count: int) -> None:
    """Add axial slices around the origin (PS3.3 C.7.6.2)."""
    half = FIELD_OF_VIEW_MM[key.modality] / 2
    height = (index - (count - 1) / 2) * SLICE_STEP_MM
    ds.FrameOfReferenceUID = derived_uid("phantom", "frame of reference", key.study_uid)
    ds.PositionReferenceIndicator = ""
    ds.PixelSpacing = [f"{spacing:.6g}"] * 2
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.ImagePositionPatient = [f"{-half:.6g}", f"{-half:.6g}", f"{height:.6g}"]
    ds.SliceLocation = f"{height:.6g}"
    ds.SliceThickness = f"{SLICE_STEP_MM:.6g}"
    ds.PatientPosition = "HFS"
    ds.AcquisitionNumber = "1"


def _ct(ds: Dataset, _key: StudyKey, _scene: Scene, _spacing: float) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.RescaleIntercept = f"{_CT_INTERCEPT:.6g}"
    ds.RescaleSlope = "1"
    ds.RescaleType = "HU"
    ds.KVP = "120"


def _mr(ds: Dataset, _key: StudyKey, _scene: Scene, _spacing: float) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    ds.ScanningSequence = "SE"
    ds.SequenceVariant = "NONE"
    ds.ScanOptions = ""
    ds.MRAcquisitionType = "2D"
    ds.RepetitionTime = "2000"
    ds.EchoTime = "80"
    ds.EchoTrainLength = "1"


def _cr(ds: Dataset, _key: StudyKey, _scene: Scene, spacing: float) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.ViewPosition = "PA"
    ds.KVP = "110"
    ds.PlateID = ""
    ds.PatientOrientation = ["L", "F"]
    ds.ImagerPixelSpacing = [f"{spacing:.6g}"] * 2


def _dx(ds: Dataset, key: StudyKey, _scene: Scene, spacing: float) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY", ""]
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.PixelIntensityRelationship = "LOG"
    ds.PixelIntensityRelationshipSign = 1 if key.inverted else -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.PresentationLUTShape = "INVERSE" if key.inverted else "IDENTITY"
    ds.LossyImageCompression = "00"
    ds.DetectorType = "DIRECT"
    ds.DetectorID = "PHANTOM"
    ds.ImagerPixelSpacing = [f"{spacing:.6g}"] * 2
    ds.PatientOrientation = ["L", "F"]
    ds.ImageLaterality = "U"
    ds.PositionerType = ""
    ds.AnatomicRegionSequence = Sequence([_code("43799004", "SCT", "Thoracic cavity structure")])
    ds.ViewPosition = "PA"
    ds.ViewCodeSequence = Sequence([_code("272479007", "SCT", "Postero-anterior")])
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = Sequence()
    ds.AcquisitionContextSequence = Sequence()


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


_MODULES = {"CT": _ct, "MR": _mr, "CR": _cr, "DX": _dx}
