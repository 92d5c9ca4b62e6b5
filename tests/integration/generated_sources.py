"""Sources of many classes, small and generated: what other devices send, in place of real images.

The reference data lack some classes, and are not published.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    MRImageStorage,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
    VLEndoscopicImageStorage,
    XRayAngiographicImageStorage,
    XRayRadiofluoroscopicImageStorage,
)

from tests.unit.results.samples import ct_slice, radiograph, save

_FRAMES = 3


def _ramp(frames: int) -> bytes:
    one = np.linspace(0, 4095, 96 * 64, dtype=np.uint16)
    return np.tile(one, frames).tobytes()


def mammogram() -> Dataset:
    """A left mammogram, cranio-caudal."""
    return radiograph(
        SOPClassUID=DigitalMammographyXRayImageStorageForPresentation,
        Modality="MG",
        BodyPartExamined="BREAST",
        ImageLaterality="L",
        ViewPosition="CC",
        PatientOrientation=["A", "R"],
        ImagerPixelSpacing=[0.1, 0.1],
        PixelData=_ramp(1),
    )


def _loop(sop_class_uid: str, modality: str, **values: object) -> Dataset:
    return radiograph(
        SOPClassUID=sop_class_uid,
        Modality=modality,
        NumberOfFrames=_FRAMES,
        PixelData=_ramp(_FRAMES),
        **values,
    )


def _coloured(sop_class_uid: str, modality: str, **values: object) -> Dataset:
    """An image in colours, without geometry."""
    pixels = np.random.default_rng(1).integers(0, 256, (96, 64, 3), dtype=np.uint8)
    return radiograph(
        SOPClassUID=sop_class_uid,
        Modality=modality,
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelData=pixels.tobytes(),
        **values,
    )


def _item(**values: object) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def _enhanced(sop_class_uid: str, modality: str) -> Dataset:
    """Three slices in one instance, the geometry in functional groups."""
    plane = dict.fromkeys(
        ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness")
    )
    shared = _item(
        PlaneOrientationSequence=[_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        PixelMeasuresSequence=[_item(PixelSpacing=[0.5, 0.5], SliceThickness=2.5)],
    )
    frames = [
        _item(PlanePositionSequence=[_item(ImagePositionPatient=[0, 0, 2.5 * n])])
        for n in range(_FRAMES)
    ]
    return ct_slice(
        SOPClassUID=sop_class_uid,
        Modality=modality,
        NumberOfFrames=_FRAMES,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=frames,
        PixelData=_ramp(_FRAMES),
        **plane,
    )


def _slice(sop_class_uid: str, modality: str) -> Dataset:
    return ct_slice(SOPClassUID=sop_class_uid, Modality=modality, PixelData=_ramp(1))


GENERATED: Mapping[str, Dataset] = {
    "generated mg": mammogram(),
    "generated xa": _loop(XRayAngiographicImageStorage, "XA", BodyPartExamined="HEART"),
    "generated us": _loop(UltrasoundMultiFrameImageStorage, "US", BodyPartExamined="ABDOMEN"),
    "generated ct": ct_slice(PixelData=_ramp(1)),
    "generated mr": _slice(MRImageStorage, "MR"),
    "generated pt": _slice(PositronEmissionTomographyImageStorage, "PT"),
    "generated cr": radiograph(
        SOPClassUID=ComputedRadiographyImageStorage,
        Modality="CR",
        PhotometricInterpretation="MONOCHROME1",
        ImagerPixelSpacing=[0.2, 0.1],
        PixelData=_ramp(1),
    ),
    "generated dx": radiograph(ViewPosition="PA", PixelData=_ramp(1)),
    "generated rf": _loop(XRayRadiofluoroscopicImageStorage, "RF"),
    "generated nm": _loop(NuclearMedicineImageStorage, "NM", BodyPartExamined="WHOLEBODY"),
    "generated us in colours": _coloured(UltrasoundImageStorage, "US", BodyPartExamined="THYROID"),
    "generated endoscopy": _coloured(VLEndoscopicImageStorage, "ES", BodyPartExamined="STOMACH"),
    "generated sc": _coloured(SecondaryCaptureImageStorage, "OT", ConversionType="WSD"),
    "generated enhanced ct": _enhanced(EnhancedCTImageStorage, "CT"),
    "generated enhanced mr": _enhanced(EnhancedMRImageStorage, "MR"),
}
"""By the name that a test case gives as its source."""


def write_generated(name: str, folder: Path) -> Path:
    """Write one of them as a file."""
    return save(GENERATED[name], folder / f"{name.replace(' ', '-')}.dcm")
