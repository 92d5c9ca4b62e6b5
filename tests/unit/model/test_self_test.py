"""A bundle with a self-test is checked by it when its network is loaded."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pacs_ai.errors import BundleInvalid
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.runtime import Runtime
from pacs_ai.model.self_test import SelfTest

GREY = np.random.default_rng(3).integers(0, 256, (2, 16, 16)).astype(np.uint8)


def give(folder: Path, content: bytes) -> Path:
    """Put a self-test into a bundle."""
    (folder / "selftest.npz").write_bytes(content)
    manifest = folder / "model.toml"
    text = manifest.read_text().replace("format = 1", "format = 2")
    digest = hashlib.sha256(content).hexdigest()
    manifest.write_text(f'{text}"selftest.npz" = "{digest}"\n')
    return folder


def expected(folder: Path) -> SelfTest:
    bundle = load_bundle(folder)
    empty = SelfTest(GREY, np.zeros((2, 2), np.float32))
    logits, _ = Runtime(bundle).predict(empty.inputs(bundle.input))
    return SelfTest(GREY, logits)


@pytest.mark.parametrize(("factor", "passes"), [(0.0, True), (0.5, True), (2.0, False)])
def test_a_difference_beyond_the_tolerance_is_refused(
    write_bundle: Callable[..., Path], factor: float, passes: bool
) -> None:
    folder = write_bundle()
    right = expected(folder)
    off = right.logits.copy()
    off[0, 0] += factor * 1e-3 * max(1.0, np.abs(off).max())
    bundle = load_bundle(give(folder, SelfTest(GREY, off).encode()))
    if passes:
        Runtime(bundle)
        return
    with pytest.raises(BundleInvalid, match=r"fails the self-test .* allowed is 0\.001 \(fp32\)"):
        Runtime(bundle)


def test_the_same_values_give_the_same_bytes() -> None:
    one = SelfTest(GREY, np.ones((2, 2), np.float32))
    assert one.encode() == one.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 damaged",
        SelfTest(GREY[:, :8], np.ones((2, 2), np.float32)).encode(),
        SelfTest(GREY, np.ones((2, 3), np.float32)).encode(),
        SelfTest(GREY, np.full((2, 2), np.nan, np.float32)).encode(),
        SelfTest(GREY[:0], np.ones((0, 2), np.float32)).encode(),
    ],
)
def test_a_self_test_that_does_not_fit_is_refused(
    write_bundle: Callable[..., Path], content: bytes
) -> None:
    with pytest.raises(BundleInvalid, match="self-test"):
        load_bundle(give(write_bundle(), content))
