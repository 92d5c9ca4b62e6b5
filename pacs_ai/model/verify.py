"""Check a bundle as a whole: the files that are served, and its model card."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_ai.errors import ModelError
from pacs_ai.model.bundle import CARD, MANIFEST, ModelBundle, load_bundle
from pacs_ai.model.network import ComputedBy, Provider
from pacs_ai.model.onnxruntime_provider import onnx_cpu
from pacs_ai.model.runtime import Runtime

_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, whether it passed, and what it found."""

    name: str
    ok: bool
    said: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What the checks of a bundle have found.

    ``bundle`` is None if it does not even load, ``computed_by`` if its network does not.
    """

    bundle: ModelBundle | None
    checks: tuple[Check, ...]
    computed_by: ComputedBy | None


def verify_bundle(
    folder_or_name: str | Path,
    sha256: str | None = None,
    provider: Provider = onnx_cpu,
    trusted_keys: Sequence[str] = (),
) -> Verified:
    """Check a bundle.

    Parameters
    ----------
    folder_or_name, sha256, trusted_keys
        As for `load_bundle`.
    provider
        What loads the network.

    Returns
    -------
    Verified
        Its checks are ``manifest`` (with the hashes of what is served), ``files`` (hashes of all
        the others), ``network`` (it takes and gives what the manifest says, and its logits are its
        pooled features times the head, so that heat maps are exact; the runtime that the
        configuration chooses computes it), ``card``.
    """
    try:
        bundle = load_bundle(folder_or_name, sha256, trusted_keys)
    except ModelError as error:
        return Verified(None, (_failed("manifest", error),), None)
    network, computed_by = _network(bundle, provider)
    checks = (
        Check("manifest", ok=True, said=f"sha256 {bundle.manifest_sha256[:12]}"),
        _files(bundle),
        network,
        _card(bundle),
    )
    return Verified(bundle, checks, computed_by)


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


def _failed(name: str, error: ModelError) -> Check:
    return Check(name, ok=False, said=f"{error.code}: {error.message}")


def _network(bundle: ModelBundle, provider: Provider) -> tuple[Check, ComputedBy | None]:
    try:
        computed_by = Runtime(bundle, provider=provider).computed_by
    except ModelError as error:
        return _failed("network", error), None
    said = f"its logits are its features times the head; {computed_by.with_batch} computes it"
    if reason := computed_by.instead_of:
        said = f"{computed_by.with_batch} takes the place of {reason}"
    return Check("network", ok=not computed_by.instead_of, said=said), computed_by


def _card(bundle: ModelBundle) -> Check:
    path = bundle.folder / CARD
    try:
        words = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return Check("card", ok=False, said=f"{path} is missing: nobody can know what it is for")
    if not words:
        return Check("card", ok=False, said=f"{path} is empty")
    return Check("card", ok=True, said=f"{len(words)} words")
