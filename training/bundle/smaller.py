"""Write a bundle with a smaller network beside the bundle that it was made from."""

import hashlib
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pacs_ai.errors import PrecisionRefused
from pacs_ai.model.bundle import (
    CARD,
    HEAD,
    MANIFEST,
    METRICS,
    NETWORK,
    OUTLIER,
    ModelBundle,
    load_bundle,
)
from pacs_ai.model.manifest import FORMAT
from pacs_ai.model.quantisation import INT8, QuantisationReport, precision_of
from pacs_ai.model.reference import REFERENCE
from training.bundle.compress import RANGES, to_int8
from training.bundle.manifest import write_manifest
from training.bundle.precision import Comparison, compare_precision
from training.bundle.self_test import write_self_test
from training.evaluate.network import ServedNetwork
from training.run.disk import draft_of

T = TypeVar("T")
LimitOf = Callable[[Path], float]

COST_TITLE = "## What this smaller network costs"
"""Title of the section that the model card of a smaller bundle has besides that of the original."""

MOST_COMPARED = 1000
"""The largest number of images on which two networks are compared."""


def evenly(samples: Sequence[T], most: int) -> list[T]:
    """Take at most so many of a sequence, evenly spaced."""
    chosen = np.linspace(0, len(samples) - 1, min(len(samples), most))
    return [samples[i] for i in np.unique(chosen.astype(int))]


def write_int8(
    original: ModelBundle,
    calibration: npt.NDArray[np.float32],
    seen: Comparison,
    log: Callable[[str], None],
    limit_of: LimitOf | None = None,
) -> tuple[Path, QuantisationReport]:
    """Write a bundle of eight bits: the fastest one whose differences are within the limits.

    Parameters
    ----------
    original
        The bundle in float32.
    calibration
        Images that give the ranges, shape (n, height, width, c).
    seen
        What the network in float32 says of the images of the comparison.
    log
        Is told what is tried.
    limit_of
        As in `write_smaller`.

    Raises
    ------
    PrecisionRefused
        If no choice of ranges is close enough; says how far each one is. Nothing is written.
    """
    network, reasons = original.read_network(), []
    for ranges in RANGES:
        log(f"trying eight bits with {ranges}")
        smaller = to_int8(network, calibration, ranges)
        if precision_of(smaller) != INT8:
            continue  # no other convolution than the first and the last
        report = _measured(original, smaller, seen)
        wrong = report.excess()
        if not wrong:
            return write_smaller(original, INT8, smaller, limit_of, report), report
        log(f"not close enough: {wrong}")
        reasons.append(f"{ranges}: {wrong}")
    raise PrecisionRefused(f"eight bits are too far from float32: {' / '.join(reasons)}")


def write_smaller(
    original: ModelBundle,
    name: str,
    network: bytes,
    limit_of: LimitOf | None = None,
    report: QuantisationReport | None = None,
) -> Path:
    """Write a bundle with another network as ``BUNDLE-NAME``; one of the same name is replaced.

    Parameters
    ----------
    original
        The bundle in float32.
    name
        What is appended to the name of its folder and to its version.
    network
        Content of the ONNX file.
    limit_of
        Chooses the outlier limit from the new bundle. By default the limit stays.
    report
        How far the network is from the original.

    Raises
    ------
    BundleInvalid
        If the node would not serve it; nothing is written then.
    """
    target = original.folder.with_name(f"{original.folder.name}-{name}")
    values = tomllib.loads((original.folder / MANIFEST).read_text(encoding="utf-8"))
    values["format"], values["version"] = FORMAT, f"{values['version']}-{name}"
    values["quantisation"] = report.model_dump() if report else None
    with draft_of(target) as draft:
        for kept in (HEAD, OUTLIER, METRICS, CARD):
            if (original.folder / kept).exists():
                shutil.copyfile(original.folder / kept, draft / kept)
        _retitle(draft / CARD, original, values["version"])
        (draft / NETWORK).write_bytes(network)
        if original.reference is not None:
            own = original.reference.of_network(hashlib.sha256(network).hexdigest())
            (draft / REFERENCE).write_bytes(own.encode())
        write_manifest(draft, values)
        if values.get("outlier") and limit_of is not None:
            values["outlier"]["limit"] = limit_of(draft)
            write_manifest(draft, values)
        write_self_test(draft)
        write_manifest(draft, values)
        ServedNetwork(draft)
    return target


def _measured(original: ModelBundle, network: bytes, seen: Comparison) -> QuantisationReport:
    """Compare a network that is in no bundle yet."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / NETWORK).write_bytes(network)
        identity = replace(original.identity, sha256=hashlib.sha256(network).hexdigest())
        smaller = replace(
            original, folder=Path(folder), identity=identity, precision=INT8, self_test=None
        )
        return compare_precision(original, smaller, seen)


def _retitle(card: Path, original: ModelBundle, version: str) -> None:
    """Put the new version into the title of a card, where that names the old one."""
    if not card.is_file():
        return
    title, end, text = card.read_text(encoding="utf-8").partition("\n")
    named = f"{original.identity.name} {original.identity.version}"
    if title.endswith(named):
        new = f"{title.removesuffix(named)}{original.identity.name} {version}"
        card.write_text(new + end + text, encoding="utf-8")


def add_to_card(folder: Path, section: str) -> None:
    """Add a section to the model card of a bundle, if it has one, and write the hashes again."""
    path = folder / CARD
    if not path.is_file():
        return
    with path.open("a", encoding="utf-8") as card:
        card.write(f"\n{section}")
    write_manifest(folder, tomllib.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    load_bundle(folder)
