"""Write the self-test of a bundle. Its images are generated: no patient is in them."""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.manifest import SELF_TEST
from pacs_ai.model.preprocess import fit
from pacs_ai.model.runtime import Runtime
from pacs_ai.model.self_test import SelfTest
from pacs_ai.model.spec import InputSpec
from pacs_ai.phantom import Modality, write_phantom_study

_SEED = 20261129
_SHOWN: tuple[Modality, ...] = ("DX", "CT")


def sample_images(spec: InputSpec) -> npt.NDArray[np.uint8]:
    """Draw a radiograph and a slice of phantoms, both with a lesion.

    Returns
    -------
    NDArray
        Shape (2, height, width), resized as the network takes them.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for modality in _SHOWN:
            study = write_phantom_study(
                Path(folder) / modality, modality, _SEED, lesion=True, slices=3, columns=256
            )
            pixels = read_pixels(study.files[study.slice_index])
            found.append(np.round(255 * fit(pixels, spec)).astype(np.uint8))
    return np.stack(found)


def write_self_test(folder: Path) -> str:
    """Write ``selftest.npz`` beside a network, and return its SHA-256 for the manifest.

    Parameters
    ----------
    folder
        A bundle that can be loaded, without a self-test so far.
    """
    bundle = load_bundle(folder)
    grey = sample_images(bundle.input)
    runtime = Runtime(bundle)
    logits, _ = runtime.predict(SelfTest(grey, np.zeros((0, 0), np.float32)).inputs(bundle.input))
    content = SelfTest(grey, logits).encode()
    (folder / SELF_TEST).write_bytes(content)
    return hashlib.sha256(content).hexdigest()
