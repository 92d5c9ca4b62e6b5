"""The share of images of another kind that a bundle refuses, as ``pacs-ai infer`` says.

Usage: ``python -m tests.bench.other_kinds BUNDLE [--pictures FOLDER ...] [--dicom FOLDER ...]
[--count 300]``

Phantoms are drawn. Pictures become MR images of 8 bits without a window, each a study. A study is
refused if it lies beyond the limit, or if no image of it is of a modality that the model takes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.uid import generate_uid

from pacs_ai.model.bundle import load_bundle
from pacs_ai.phantom import write_phantom_collection, write_phantom_study

SEED, LIMIT = 91, 1.0
ENDINGS = (".png", ".jpg", ".jpeg")


def as_dicom(pictures: Path, folder: Path, count: int) -> Path:
    """Write some pictures of a folder, evenly spaced, as a study each."""
    found = sorted(path for path in pictures.rglob("*") if path.suffix.lower() in ENDINGS)
    places = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).astype(int))
    drawn = write_phantom_study(folder / "like", "MR", SEED, lesion=False, slices=1)
    dataset = pydicom.dcmread(drawn.files[0])
    drawn.files[0].unlink()
    for name in ("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept"):
        if name in dataset:
            delattr(dataset, name)
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    for place in places:
        grey = np.asarray(Image.open(found[place]).convert("L"))
        dataset.Rows, dataset.Columns = grey.shape
        dataset.PixelData = grey.tobytes() + b"\0" * (grey.size % 2)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.save_as(folder / f"{place:05d}.dcm")
    return folder


def refused(bundle: Path, folder: Path) -> dict[str, tuple[int, int]]:
    """Analyse all studies of a folder; return refused and all studies of each modality."""
    command = [sys.executable, "-m", "pacs_ai", "infer", str(folder), "--json"]
    command += ["--model", str(bundle), "--results", "report"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    studies = json.loads(done.stdout)
    every, beyond = Counter[str](), Counter[str]()
    for study in studies:
        assert not study["fault"], study["reason"]
        every[study["modality"]] += 1
        beyond[study["modality"]] += study["outlier"] is None or study["outlier"] > LIMIT
    return {name: (beyond[name], every[name]) for name in sorted(every)}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--pictures", type=Path, nargs="*", default=[])
    parser.add_argument("--dicom", type=Path, nargs="*", default=[])
    parser.add_argument("--count", type=int, default=300, help="studies of each kind")
    given = parser.parse_args()
    if load_bundle(given.bundle).outliers is None:
        parser.error("the bundle knows no images of training (outlier.npy): it refuses none")
    with tempfile.TemporaryDirectory() as home:
        write_phantom_collection(Path(home) / "phantoms", given.count, SEED)
        kinds = {"phantoms": Path(home) / "phantoms"}
        for each in given.pictures:
            kinds[each.name] = as_dicom(each, Path(home) / each.name, given.count)
        kinds |= {each.name: each for each in given.dicom}
        sys.stdout.write("| images | modality | refused | share |\n|---|---|---|---|\n")
        for name, folder in kinds.items():
            for modality, (beyond, every) in refused(given.bundle, folder).items():
                share = beyond / every
                sys.stdout.write(f"| {name} | {modality} | {beyond} of {every} | {share:.1%} |\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
