"""Whole studies to analyse, and the bundles that analyse them."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import pydicom
from onnx import TensorProto, helper, numpy_helper
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DigitalMammographyXRayImageStorageForPresentation,
    JPEG2000Lossless,
    generate_uid,
)

from pacs_ai.model.bundle import HEAD, MANIFEST, NETWORK
from pacs_ai.phantom import Modality, write_phantom_study
from tests.unit.dicom.encoders import jpeg_2000

Pixels = npt.NDArray[np.uint16]

SEED = 11
CLASSES = 14
_DRAWN = 6  # slices that are drawn; others are the same with other noise
_SIDE = 224
_FEATURES = 16


def stack(folder: Path, slices: int, *, compressed: bool = False) -> None:
    """Write a CT study of 512 x 512 pixels."""
    drawn = write_phantom_study(
        folder / "drawn", "CT", SEED, lesion=True, slices=min(slices, _DRAWN), columns=512
    )
    bases = [pydicom.dcmread(path) for path in drawn.files]
    pictures = [base.pixel_array for base in bases]
    for path in drawn.files:
        path.unlink()
    series = generate_uid()
    for number in range(slices):
        dataset = bases[number % len(bases)]
        dataset.SeriesInstanceUID = series
        dataset.InstanceNumber = str(number + 1)
        x, y, _ = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, number]
        _save(dataset, pictures[number % len(bases)], folder, number, compressed=compressed)


def radiographs(
    folder: Path, studies: int, rows: int, columns: int, *, modality: str = "DX"
) -> None:
    """Write studies of one radiograph or mammogram, compressed with JPEG 2000 without loss."""
    drawn: Modality = "DX"
    [path] = write_phantom_study(folder / "drawn", drawn, SEED, lesion=True, columns=512).files
    dataset = pydicom.dcmread(path)
    path.unlink()
    picture = cv2.resize(dataset.pixel_array, (columns, rows), interpolation=cv2.INTER_LINEAR)
    dataset.Modality = modality
    if modality == "MG":
        dataset.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    for number in range(studies):
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
        _save(dataset, picture, folder, number, compressed=True)


def _save(
    dataset: pydicom.Dataset, picture: Pixels, folder: Path, number: int, *, compressed: bool
) -> None:
    noise = np.random.default_rng(number).integers(0, 8, picture.shape, dtype=np.uint16)
    pixels = np.minimum(picture + noise, 4095).astype(np.uint16)
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    if compressed:
        dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
        dataset.PixelData = encapsulate([jpeg_2000()(pixels, 12)])
        dataset["PixelData"].VR = "OB"
    else:
        dataset.PixelData = pixels.tobytes()
    dataset.save_as(folder / f"{number:05d}.dcm", enforce_file_format=True)


def with_findings(bundle: Path, target: Path, present: int) -> Path:
    """Copy a bundle with other thresholds, so that a fixed number of classes is always present."""
    target.mkdir()
    for name in (NETWORK, HEAD):
        (target / name).hardlink_to(bundle / name)
    parts = (bundle / MANIFEST).read_text("utf-8").split("threshold = 0.5\n")
    text = parts[0]
    for number, part in enumerate(parts[1:]):
        text += f"threshold = {0.0 if number < present else 1.0}\n{part}"
    (target / MANIFEST).write_text(text, "utf-8")
    return target


def small_bundle(folder: Path, like: Path) -> Path:
    """Write a bundle with the manifest of another one, and a network that takes no time."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    kernel = rng.standard_normal((_FEATURES, 3, 32, 32)).astype(np.float32) / 32
    head = rng.standard_normal((_FEATURES + 1, CLASSES)).astype(np.float32)
    (folder / NETWORK).write_bytes(_network(kernel, head).SerializeToString())
    np.save(folder / HEAD, head)
    text = (like / MANIFEST).read_text("utf-8")
    for name in (NETWORK, HEAD):
        before, after = (
            hashlib.sha256((where / name).read_bytes()).hexdigest() for where in (like, folder)
        )
        text = text.replace(before, after)
    (folder / MANIFEST).write_text(text, "utf-8")
    return folder


def _network(kernel: npt.NDArray[np.float32], head: npt.NDArray[np.float32]) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Transpose", ["image"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", "kernel"], ["raw"], strides=[32, 32]),
        helper.make_node("Relu", ["raw"], ["active"]),
        helper.make_node("Transpose", ["active"], ["features"], perm=[0, 2, 3, 1]),
        helper.make_node("GlobalAveragePool", ["active"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"]),
    ]
    side = _SIDE // 32
    shapes: dict[str, list[int | str]] = {
        "image": ["n", _SIDE, _SIDE, 3],
        "logits": ["n", CLASSES],
        "features": ["n", side, side, _FEATURES],
    }
    image, *outputs = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    )
    weights = {"kernel": kernel, "w": head[:-1], "b": head[-1]}
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "small", [image], outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


Writer = Callable[[Path], None]
