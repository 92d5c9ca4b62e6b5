"""A model on disk: network, head, and everything that a report states about it.

A bundle is a folder with ``model.toml`` (what it is), ``model.onnx`` (the network; outputs
``logits`` and ``features``), ``head.npy`` (the last layer, for Grad-CAM) and ``MODEL_CARD.md``.
It may hold ``outlier.npy``, which detects images unlike those of training. It may also hold
``metrics.json`` and ``weights.npz`` for people and for training; serving does not read them.
"""

import contextlib
import hashlib
import io
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from pacs_ai.domain import ModelIdentity
from pacs_ai.errors import BundleInvalid, PrecisionRefused
from pacs_ai.model import onnx_file
from pacs_ai.model.applicability import EVERYTHING, Applicability
from pacs_ai.model.manifest import SELF_TEST, Manifest
from pacs_ai.model.outlier import Outliers, statistics_fault
from pacs_ai.model.quantisation import FLOAT32, QuantisationReport, precision_of, refusal
from pacs_ai.model.reference import REFERENCE, Reference, decode_reference
from pacs_ai.model.self_test import SelfTest, decode
from pacs_ai.model.signature import MOST_BYTES, SUFFIX, check_signature
from pacs_ai.model.spec import InputSpec

SHIPPED = Path(__file__).resolve().parent.parent / "bundles"
MANIFEST, NETWORK, HEAD, CARD = "model.toml", "model.onnx", "head.npy", "MODEL_CARD.md"
OUTLIER = "outlier.npy"
"""Statistics of the training images' features; see `pacs_ai.model.outlier`."""

METRICS = "metrics.json"
"""The figures of the card, as values; never served."""

WEIGHTS = "weights.npz"
"""The variables of the trained network, for training and explaining further; never served."""

_MIB = 2**20
_MAX_BYTES = {
    MANIFEST: _MIB,
    NETWORK: 1024 * _MIB,
    HEAD: 64 * _MIB,
    OUTLIER: 256 * _MIB,
    SELF_TEST: 64 * _MIB,
    REFERENCE: 64 * _MIB,
    METRICS: 64 * _MIB,
    f"{MANIFEST}{SUFFIX}": MOST_BYTES,
}
_NEEDED = frozenset({NETWORK, HEAD})
_ALLOWED = frozenset({OUTLIER, SELF_TEST, REFERENCE, WEIGHTS, METRICS, CARD})


@dataclass(frozen=True, slots=True)
class ModelBundle:
    """A bundle whose files are checked.

    ``class_weights`` has shape (classes, k) and ``bias`` shape (classes,). ``outliers`` is None if
    the bundle has no statistics of its training. ``manifest_sha256`` is the hash of
    ``model.toml``, which contains the hashes of all other files (``files``). ``precision`` is
    ``fp32``, ``fp16`` or ``int8``; ``quantisation`` says what a network of eight bits loses.
    """

    folder: Path
    identity: ModelIdentity
    input: InputSpec
    temperature: float
    class_weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    manifest_sha256: str
    applicability: Applicability = EVERYTHING
    outliers: Outliers | None = None
    self_test: SelfTest | None = None
    reference: Reference | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    precision: str = FLOAT32
    quantisation: QuantisationReport | None = None

    def read_network(self) -> bytes:
        """Read ``model.onnx`` and check its hash again.

        Raises
        ------
        BundleInvalid
            If the file changed since the bundle was loaded.
        """
        return _read_network(self.folder, self.identity.sha256)

    def read_metrics(self) -> dict[str, Any]:
        """Read the figures of the card; {} if the bundle states none.

        Raises
        ------
        BundleInvalid
            If the file is not the one that the manifest names, or not JSON.
        """
        if METRICS not in self.files:
            return {}
        content = _read(self.folder, METRICS, self.files[METRICS])
        try:
            return dict(json.loads(content))
        except ValueError as error:
            raise BundleInvalid(f"{self.folder / METRICS} is not JSON") from error


def load_bundle(
    folder_or_name: str | Path, sha256: str | None = None, trusted_keys: Sequence[str] = ()
) -> ModelBundle:
    """Load a bundle and check its files; `pacs_ai.model.runtime.Runtime` checks the network.

    Parameters
    ----------
    folder_or_name
        A folder, or the name of a bundle that is shipped: ``demo``.
    sha256
        Expected hash of ``model.toml``, in hexadecimal; None takes any.
    trusted_keys
        Public keys of minisign. If there are any, one of them must have signed ``model.toml``.

    Raises
    ------
    BundleInvalid
        If a file is missing, too big, or altered, or the manifest is not in order.
    PrecisionRefused
        If the network has eight bits, and no report that its differences are within the limits.
    """
    folder = _locate(folder_or_name)
    raw = _read(folder, MANIFEST)
    digest = hashlib.sha256(raw).hexdigest()
    if sha256 is not None and digest != sha256.lower():
        raise BundleInvalid(f"{folder / MANIFEST} is not the one that the configuration pins")
    if trusted_keys:
        check_signature(raw, _signature(folder), trusted_keys)
    manifest = _parse(folder, raw)
    classes = len(manifest.classes)
    head = _head(folder, _read(folder, HEAD, manifest.sha256.get(HEAD, "")), classes)
    network_sha256 = manifest.sha256.get(NETWORK, "")
    precision = precision_of(_read_network(folder, network_sha256))
    if wrong := refusal(manifest.quantisation, precision, network_sha256):
        raise PrecisionRefused(f"the {precision} network of {folder} is not served: {wrong}")
    return ModelBundle(
        folder=folder,
        identity=manifest.identity(network_sha256, digest),
        input=manifest.input,
        temperature=manifest.temperature,
        class_weights=np.ascontiguousarray(head[:-1].T),
        bias=head[-1].copy(),
        manifest_sha256=digest,
        applicability=manifest.applicability,
        outliers=_outliers(folder, manifest, channels=len(head) - 1),
        self_test=_self_test(folder, manifest),
        reference=_reference(folder, manifest, signed=bool(trusted_keys)),
        files=manifest.sha256,
        precision=precision,
        quantisation=manifest.quantisation,
    )


def shipped_bundles() -> tuple[str, ...]:
    """Names of the bundles that come with the package."""
    return tuple(sorted(path.parent.name for path in SHIPPED.glob(f"*/{MANIFEST}")))


def _locate(folder_or_name: str | Path) -> Path:
    if isinstance(folder_or_name, str) and folder_or_name in shipped_bundles():
        return SHIPPED / folder_or_name
    folder = Path(folder_or_name)
    if not folder.is_dir():
        names = ", ".join(shipped_bundles()) or "none"
        raise BundleInvalid(f"no bundle at {folder}; shipped bundles: {names}")
    return folder.resolve()


def _read(folder: Path, name: str, sha256: str | None = None) -> bytes:
    """Read one file, and compare its hash unless it is None."""
    path, limit = folder / name, _MAX_BYTES[name]
    try:
        with path.open("rb") as source:
            content = source.read(limit + 1)
    except OSError as error:
        raise BundleInvalid(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > limit:
        raise BundleInvalid(f"{path} is larger than {limit // _MIB} MiB")
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256.lower():
        raise BundleInvalid(f"{path} does not have the sha256 that {MANIFEST} gives")
    return content


def _signature(folder: Path) -> bytes:
    path = folder / f"{MANIFEST}{SUFFIX}"
    if not path.is_file():
        raise BundleInvalid(f"{folder} is not signed, and the configuration names trusted keys")
    return _read(folder, path.name)


def _read_network(folder: Path, sha256: str) -> bytes:
    content = _read(folder, NETWORK, sha256)
    onnx_file.check_whole(content)
    return content


def _parse(folder: Path, raw: bytes) -> Manifest:
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate(tomllib.loads(raw.decode("utf-8")))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BundleInvalid(": ".join(filter(None, (str(path), key, first["msg"])))) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BundleInvalid(f"{path} is not TOML") from error
    wrong = ""
    if not _NEEDED <= set(manifest.sha256) <= _NEEDED | _ALLOWED:
        wrong = (
            f"sha256 must name {NETWORK} and {HEAD}, may name {', '.join(sorted(_ALLOWED))}, "
            "and nothing else"
        )
    elif (OUTLIER in manifest.sha256) != (manifest.outlier is not None):
        wrong = f"[outlier] and the sha256 of {OUTLIER} belong together"
    if wrong:
        raise BundleInvalid(f"{path}: {wrong}")
    return manifest


def _head(folder: Path, content: bytes, classes: int) -> npt.NDArray[np.float32]:
    """Read the last layer: k rows of weights, then one of biases, a column for each class."""
    path = folder / HEAD
    head = _array(path, content)
    if head.shape[1:] != (classes,) or len(head) <= 1:
        raise BundleInvalid(f"{path} must have shape (k + 1, {classes})")
    if head.dtype != np.float32 or not np.isfinite(head).all():
        raise BundleInvalid(f"{path} must hold finite float32 values")
    return np.asarray(head, dtype=np.float32)


def _outliers(folder: Path, manifest: Manifest, channels: int) -> Outliers | None:
    if manifest.outlier is None:
        return None
    path = folder / OUTLIER
    statistics = _array(path, _read(folder, OUTLIER, manifest.sha256[OUTLIER]))
    if wrong := statistics_fault(statistics, channels):
        raise BundleInvalid(f"{path} {wrong}")
    return Outliers(statistics, manifest.outlier)


def _self_test(folder: Path, manifest: Manifest) -> SelfTest | None:
    if SELF_TEST not in manifest.sha256:
        return None
    content = _read(folder, SELF_TEST, manifest.sha256[SELF_TEST])
    return decode(content, manifest.input, len(manifest.classes))


def _reference(folder: Path, manifest: Manifest, *, signed: bool) -> Reference | None:
    named = manifest.sha256.get(REFERENCE)
    if named is None and (signed or not (folder / REFERENCE).is_file()):
        return None
    found = decode_reference(_read(folder, REFERENCE, named), manifest.sha256.get(NETWORK, ""))
    if named is not None and found is None:
        raise BundleInvalid(f"{folder / REFERENCE} is not in order, or of another network")
    return found


def _array(path: Path, content: bytes) -> npt.NDArray[np.float32]:
    with contextlib.suppress(ValueError, EOFError, OSError, MemoryError):
        array = np.load(io.BytesIO(content), allow_pickle=False)
        if isinstance(array, np.ndarray):
            return array
    raise BundleInvalid(f"{path} is not an array")
