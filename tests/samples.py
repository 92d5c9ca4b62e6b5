"""Instances to send: pydicom's sample files, and changed copies of them."""

from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid


def sample(name: str = "CT_small.dcm") -> Path:
    """One of pydicom's files, by default a CT image of 128 x 128 pixels."""
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str), name
    return Path(path)


def changed(folder: Path, name: str = "CT_small.dcm", **changes: object) -> Path:
    """Write a copy of a sample with other values of some attributes."""
    dataset = pydicom.dcmread(sample(name))
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    folder.mkdir(exist_ok=True)
    path = folder / f"{len(list(folder.iterdir()))}.dcm"
    dataset.save_as(path)
    return path


def new_study(folder: Path, count: int = 1) -> list[Path]:
    """Write CT images of one study, all with new UIDs."""
    study = generate_uid()
    return [
        changed(folder, StudyInstanceUID=study, SOPInstanceUID=generate_uid()) for _ in range(count)
    ]
