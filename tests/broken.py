"""MR studies without a finding, of which some images, or frames, cannot be decoded."""

from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import EnhancedMRImageStorage, RLELossless

from pacs_ai.phantom import write_phantom_study

SHARES = ((0, 20), (1, 20), (2, 20), (1, 9), (10, 20), (27, 28))
"""Lost images of all: 0, 5, 10, 11, 50 and 96 %."""

INCOMPLETE = frozenset({(1, 9), (10, 20), (27, 28)})
"""Those above the share of 10 %."""

_JUNK = b"\xff" * 64


def broken_study(folder: Path, lost: int, total: int, *, frames: bool) -> list[Path]:
    """Write a study of ``total`` slices, or of one instance with as many frames.

    ``lost`` of them are spread evenly and hold no frame of their codec. The demonstration model
    finds nothing on any of the others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    phantom = write_phantom_study(folder / "phantom", "MR", 1, lesion=False, slices=3)
    source = pydicom.dcmread(phantom.files[0])
    source.compress(RLELossless)
    [good] = generate_frames(source.PixelData, number_of_frames=1)
    bad = {(2 * n + 1) * total // (2 * lost) for n in range(lost)}
    pieces = [_JUNK if n in bad else good for n in range(total)]
    for file in phantom.files:
        file.unlink()
    if frames:
        return [_movie(source, pieces, folder / "movie.dcm")]
    return [_slice(source, piece, n, folder) for n, piece in enumerate(pieces, start=1)]


def _slice(source: Dataset, piece: bytes, number: int, folder: Path) -> Path:
    source.InstanceNumber = number
    source.ImagePositionPatient = [0, 0, 2.5 * number]
    _name(source, f"1.2.3.4.{number}")
    return _written(source, [piece], folder / f"{number:03}.dcm")


def _movie(source: Dataset, pieces: list[bytes], path: Path) -> Path:
    source.SOPClassUID = source.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    source.NumberOfFrames = len(pieces)
    _name(source, "1.2.3.5")
    return _written(source, pieces, path)


def _name(source: Dataset, uid: str) -> None:
    source.SOPInstanceUID = source.file_meta.MediaStorageSOPInstanceUID = uid


def _written(source: Dataset, pieces: list[bytes], path: Path) -> Path:
    source.PixelData = encapsulate(pieces)
    source["PixelData"].VR = "OB"
    source.save_as(path)
    return path
