"""Sources of classes that the reference data lack: mammogram, angiogram and ultrasound loops."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    DigitalMammographyXRayImageStorageForPresentation,
    UltrasoundMultiFrameImageStorage,
    XRayAngiographicImageStorage,
)

from tests.unit.results.samples import radiograph, save

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


GENERATED: Mapping[str, Dataset] = {
    "generated mg": mammogram(),
    "generated xa": _loop(XRayAngiographicImageStorage, "XA", BodyPartExamined="HEART"),
    "generated us": _loop(UltrasoundMultiFrameImageStorage, "US", BodyPartExamined="ABDOMEN"),
}
"""By the name that a test case gives as its source."""


def write_generated(name: str, folder: Path) -> Path:
    """Write one of them as a file."""
    return save(GENERATED[name], folder / f"{name.replace(' ', '-')}.dcm")
