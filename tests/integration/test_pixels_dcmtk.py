"""Frames that DCMTK compressed, by processes of JPEG that few encoders still write."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.unit.dicom.conftest import plain_dataset, save
from tests.unit.dicom.encoders import stored

pytestmark = pytest.mark.integration
SHAPE = (40, 48)
LOSSLESS = ("+el", "+e1")
PROCESSES = {
    "+eb": "1.2.840.10008.1.2.4.50",
    "+ee": "1.2.840.10008.1.2.4.51",
    "+es": "1.2.840.10008.1.2.4.53",
    "+ep": "1.2.840.10008.1.2.4.55",
    "+el": "1.2.840.10008.1.2.4.57",
    "+e1": "1.2.840.10008.1.2.4.70",
}


def compress(program: Path, process: str, source: Path, target: Path) -> None:
    quality = () if process in LOSSLESS else ("+q", "100")
    command = [program, process, *quality, "+un", source, target]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("process", "bits"),
    [(one, bits) for one in PROCESSES for bits in (8, 12) if one != "+eb" or bits == 8],
)
def test_grey(tmp_path: Path, tool: Callable[[str], Path], process: str, bits: int) -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    wanted = (x + y) * ((1 << bits) - 1) // (sum(SHAPE) - 2)
    container = wanted.astype("<u1" if bits == 8 else "<u2")
    shape = {"Rows": SHAPE[0], "Columns": SHAPE[1], "PixelRepresentation": 0}
    depth = {"BitsAllocated": 8 * container.itemsize, "BitsStored": bits, "HighBit": bits - 1}
    source = save(
        plain_dataset(**shape, **depth, PixelData=container.tobytes()), tmp_path / "plain.dcm"
    )
    target = tmp_path / "jpeg.dcm"
    compress(tool("dcmcjpeg"), process, source, target)
    assert PROCESSES[process].encode() in target.read_bytes()[:1000]
    off = np.abs(stored(target).values.astype(int) - wanted).max()
    assert off <= (0 if process in LOSSLESS else 1 << (bits - 6))


@pytest.mark.parametrize("process", ["+eb", "+e1"])
def test_colour(tmp_path: Path, tool: Callable[[str], Path], process: str) -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    rgb = np.stack([x * 5, y * 6, (x + y) * 2], axis=-1).astype("u1")
    elements = {
        "Rows": SHAPE[0],
        "Columns": SHAPE[1],
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "RGB",
        "PlanarConfiguration": 0,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "PixelData": rgb.tobytes(),
    }
    source = save(plain_dataset(**elements), tmp_path / "plain.dcm")
    target = tmp_path / "jpeg.dcm"
    compress(tool("dcmcjpeg"), process, source, target)
    assert np.abs(stored(target).values.astype(int) - rgb).mean() < 4
