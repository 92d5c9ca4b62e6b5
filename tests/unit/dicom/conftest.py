import csv
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian

from pacs_ai.dicom.scan import scan_instance
from tests.unit.dicom.raw_dataset import part10

CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
Make = Callable[..., Path]


def plain_dataset(**values: object) -> Dataset:
    """A small signed 16 bit CT slice; keywords replace its values, None removes them.

    A value may be a whole element, with a VR of its own.
    """
    ds = Dataset()
    ds.SOPClassUID = CT_CLASS
    ds.SOPInstanceUID = "1.2.3.4.1"
    ds.StudyInstanceUID = "1.2.3"
    ds.SeriesInstanceUID = "1.2.3.4"
    ds.PatientID = "CANARY-ID"
    ds.PatientName = "CANARY^NAME"
    ds.Modality = "CT"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.Rows, ds.Columns = 4, 6
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = 1
    ds.PixelData = np.arange(24, dtype="<i2").tobytes()
    ds["PixelData"].VR = "OW"
    for keyword, value in values.items():
        if value is None:
            delattr(ds, keyword)
        elif isinstance(value, DataElement):
            ds.add(value)
        else:
            setattr(ds, keyword, value)
    return ds


def save(ds: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> Path:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.get("SOPClassUID") or "1.2"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID") or "1.2"
    if UID(syntax).is_transfer_syntax:
        ds.save_as(path, enforce_file_format=True)
    else:
        _save_as_explicit(ds, path)
    return path


def _save_as_explicit(ds: Dataset, path: Path) -> None:
    """Write in a transfer syntax that pydicom does not know: explicit, little endian, in items."""
    ds["PixelData"].is_undefined_length = True
    with DicomFileLike(BytesIO()) as stream:
        stream.is_implicit_VR, stream.is_little_endian = False, True
        stream.write(bytes(128) + b"DICM")
        write_file_meta_info(stream, ds.file_meta)
        write_dataset(stream, ds)
        path.write_bytes(stream.parent.getvalue())


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a slice with the values given; returns its path."""

    def write(syntax: str = ExplicitVRLittleEndian, **values: object) -> Path:
        number = len(list(tmp_path.iterdir()))
        return save(plain_dataset(**values), tmp_path / f"{number}.dcm", syntax)

    return write


@pytest.fixture(scope="session")
def corpus(shared: Path) -> list[tuple[Path, dict[str, str]]]:
    """Every file of the conformance corpus with its row of the index."""
    folder = shared / "data" / "dicom"
    lines = (folder / "index.csv").read_text().splitlines()
    return [(folder / row["file"], row) for row in csv.DictReader(lines)]


@pytest.fixture
def check(tmp_path):
    """``check(dataset, syntax)`` writes a file and scans it."""

    def run(dataset: bytes, syntax: str = ExplicitVRLittleEndian, **options: bool):
        return scan_instance(part10(tmp_path / "scan.dcm", dataset, syntax), **options)

    return run
