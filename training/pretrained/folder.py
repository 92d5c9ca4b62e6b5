"""The folder of pretrained weights: for each network a file of arrays, and a record beside it.

``PACS_AI_WEIGHTS`` names the folder. Without it, it is ``pacs-ai/weights`` in ``XDG_DATA_HOME``, or
in ``~/.local/share``. Nothing here uses the network.
"""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pacs_ai.errors import ConfigError
from pacs_ai.files import atomic_write, translated
from training.pretrained.catalogue import KNOWN

FOLDER = "PACS_AI_WEIGHTS"


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of weights in the folder.

    Parameters
    ----------
    network
        The network, as ``network.architecture`` names it.
    licence, source
        As the catalogue has them, or as the person who imported the file stated them.
    file
        Name of the file that was converted.
    digest
        Its hash, with the algorithm.
    pinned
        Whether this hash is the one in the catalogue.
    sha256
        Of the converted file.
    """

    network: str
    licence: str
    source: str
    file: str
    digest: str
    pinned: bool
    sha256: str


def weights_folder() -> Path:
    """Return the folder of pretrained weights; it need not exist."""
    given = os.environ.get(FOLDER, "")
    if given:
        return Path(given)
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data else Path.home() / ".local" / "share") / "pacs-ai" / "weights"


def find_record(network: str) -> Record | None:
    """Return the record of the weights of a network; None if they are absent.

    Raises
    ------
    ConfigError
        If the record is damaged.
    """
    path = weights_folder() / f"{network}.json"
    if not path.is_file():
        return None
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path} is damaged: {_remedy(network)}") from error


def kept_by_keras(network: str) -> Path | None:
    """Return the file of weights that Keras itself downloaded earlier; None if there is none."""
    file = KNOWN[network].file
    path = Path.home() / ".keras" / "models" / file
    return path if file and path.is_file() else None


def is_present(network: str) -> bool:
    """Tell whether the ImageNet weights of a network are on this machine."""
    return find_record(network) is not None or kept_by_keras(network) is not None


def state_of(network: str) -> str:
    """Return ``present``, ``absent`` or ``changed``: the file is not the one that was imported."""
    record = find_record(network)
    path = weights_folder() / f"{network}.npz"
    if record is None or not path.is_file():
        return "absent"
    with translated(path, "cannot be read"):
        content = path.read_bytes()
    return "present" if hashlib.sha256(content).hexdigest() == record.sha256 else "changed"


def read_arrays(network: str) -> dict[str, npt.NDArray[np.float32]]:
    """Read the weights of a network, by the path of the variable in Keras.

    Raises
    ------
    ConfigError
        If they are absent, damaged or changed; the message names the command that gets them.
    """
    record = find_record(network)
    path = weights_folder() / f"{network}.npz"
    if record is None or not path.is_file():
        raise ConfigError(
            f"no ImageNet weights of {network} in {weights_folder()}: {_remedy(network)}, set "
            'network.weights to the path of a file, or to "none" for random weights'
        )
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != record.sha256:
            raise ConfigError(f"{path} was changed after it was imported: {_remedy(network)}")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path} is damaged: {_remedy(network)}") from error


def write_arrays(arrays: Mapping[str, npt.NDArray[Any]], **record: Any) -> Record:  # noqa: ANN401
    """Put the weights of a network into the folder, in place of earlier ones.

    Parameters
    ----------
    arrays
        By the path of the variable in Keras.
    record
        The values of `Record` but for ``sha256``.
    """
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **dict(arrays))
    made = Record(**record, sha256=hashlib.sha256(content.getvalue()).hexdigest())
    folder = weights_folder()
    with translated(folder, "cannot be made"):
        folder.mkdir(parents=True, exist_ok=True)
    atomic_write(folder / f"{made.network}.npz", content.getvalue())
    atomic_write(folder / f"{made.network}.json", json.dumps(asdict(made), indent=1) + "\n")
    return made


def _remedy(network: str) -> str:
    return f"run pacs-ai weights fetch {network}, or pacs-ai weights import FILE without a network"
