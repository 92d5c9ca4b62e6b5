"""Check a bundle as a whole: the files that are served, and its model card."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_ai.errors import ModelError
from pacs_ai.model.bundle import CARD, MANIFEST, ModelBundle, load_bundle
from pacs_ai.model.network import Provider
from pacs_ai.model.onnxruntime_provider import onnx_cpu
from pacs_ai.model.runtime import Runtime

_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, whether it passed, and what it found."""

    name: str
    ok: bool
    said: str


def verify_bundle(
    folder_or_name: str | Path,
    sha256: str | None = None,
    provider: Provider = onnx_cpu,
    trusted_keys: Sequence[str] = (),
) -> tuple[ModelBundle | None, tuple[Check, ...]]:
    """Check a bundle.

    Parameters
    ----------
    folder_or_name, sha256, trusted_keys
        As for `load_bundle`.
    provider
        What loads the network.

    Returns
    -------
    tuple
        The bundle, or None if it does not even load, and what was checked: ``manifest`` (with the
        hashes of what is served), ``files`` (hashes of all the others), ``network`` (it takes and
        gives what the manifest says, and its logits are its pooled features times the head, so
        that heat maps are exact; the runtime that the configuration chooses computes it),
        ``card``.
    """
    try:
        bundle = load_bundle(folder_or_name, sha256, trusted_keys)
    except ModelError as error:
        return None, (Check("manifest", ok=False, said=f"{error.code}: {error.message}"),)
    return bundle, (
        Check("manifest", ok=True, said=f"sha256 {bundle.manifest_sha256[:12]}"),
        _files(bundle),
        _network(bundle, provider),
        _card(bundle),
    )


def _files(bundle: ModelBundle) -> Check:
    """Hash every file that the manifest names; other files are not checked."""
    for name, wanted in bundle.files.items():
        path = bundle.folder / name
        try:
            found = _digest(path)
        except OSError as error:
            return Check("files", ok=False, said=f"{path} cannot be read: {error.strerror}")
        if found != wanted.lower():
            said = f"{path} does not have the sha256 that {MANIFEST} gives"
            return Check("files", ok=False, said=said)
    return Check("files", ok=True, said=f"{len(bundle.files)} files have their sha256")


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def _network(bundle: ModelBundle, provider: Provider) -> Check:
    try:
        computed_by = Runtime(bundle, provider=provider).computed_by
    except ModelError as error:
        return Check("network", ok=False, said=f"{error.code}: {error.message}")
    if reason := computed_by.instead_of:
        return Check("network", ok=False, said=f"{computed_by} takes the place of {reason}")
    said = f"its logits are its features times the head; {computed_by} computes it"
    return Check("network", ok=True, said=said)


def _card(bundle: ModelBundle) -> Check:
    path = bundle.folder / CARD
    try:
        words = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return Check("card", ok=False, said=f"{path} is missing: nobody can know what it is for")
    if not words:
        return Check("card", ok=False, said=f"{path} is empty")
    return Check("card", ok=True, said=f"{len(words)} words")
