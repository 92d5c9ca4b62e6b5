"""The model in a job's row: always the one that runs, also if that is another than before."""

from collections.abc import Mapping

from pacs_ai.store.active_models import Stamp
from pacs_ai.store.schema import Job

NOTHING_LOADED: Mapping[str, Stamp] = {}


def recorded_model(job: Job, model: Stamp | None) -> tuple[str, dict[str, object]]:
    """Say what model runs instead of the one that a job was made for, and what its row gets."""
    if model is None:
        return "", {}
    made_for = (job.model_version, job.bundle_sha256, job.manifest_sha256)
    runs = (model.version, model.sha256, model.manifest_sha256)
    values: dict[str, object] = dict(
        zip(("model_version", "bundle_sha256", "manifest_sha256"), runs, strict=True)
    )
    if made_for == runs or (made_for[:2] == runs[:2] and not job.manifest_sha256):
        return "", values
    return (
        "the bundle was replaced, or another version is active: made for version "
        f"{job.model_version} ({_short(made_for)}), runs version {model.version} ({_short(runs)})"
    ), values


def _short(model: tuple[str, str, str]) -> str:
    """Name a bundle: by its manifest, or by its network where a row does not know that."""
    return (model[2] or model[1])[:12]
