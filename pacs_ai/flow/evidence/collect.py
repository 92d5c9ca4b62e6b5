"""Collect what an evidence archive states of a study."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pacs_ai import __version__
from pacs_ai.config import Config, describe
from pacs_ai.errors import ModelError, StorageError
from pacs_ai.flow.asked_rules import rules_of
from pacs_ai.flow.audit.seal import Sealer
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.evidence.archive import FOLDER, write_archive
from pacs_ai.flow.store_results import result_context_of, wanted_results
from pacs_ai.model.bundle import CARD, MANIFEST, ModelBundle, load_bundle, shipped_bundles
from pacs_ai.results.common.environment import environment
from pacs_ai.store import completeness, identities
from pacs_ai.store.evidence_rows import rows_of
from pacs_ai.store.schema import Job, Study

FORMAT = 1


def write_evidence(
    context: FlowContext, study: Study, path: Path, *, images: bool, node: str
) -> None:
    """Write the evidence of a study as it is now.

    Parameters
    ----------
    images
        Whether the images are part of it.
    node
        Who writes, for lines of the ledger that are still to be made.

    Raises
    ------
    StorageError
        If a file is missing or cannot be read, or the archive cannot be written.
    """
    Sealer(context, node).all()
    content, results, sources = _collected(context, study)
    files: dict[str, Path | bytes] = {**results, **_bundles(context, content)}
    if images:
        files |= sources
    else:
        for instance in content["instances"]:
            instance["file"] = ""
    write_archive(path, content, files)


def kept_archive(root: Path, study_id: int) -> Path | None:
    """Find the archive that a node wrote before it removed the files of a study."""
    found = sorted(root.glob(f"*/{FOLDER}/{study_id}-*.zip"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


def _collected(
    context: FlowContext, study: Study
) -> tuple[dict[str, Any], dict[str, Path | bytes], dict[str, Path | bytes]]:
    """Return what is stated, the files of results, and those of images."""
    spool = context.spool
    with context.database.read() as session:
        rows = rows_of(session, study)
        foreign = identities.foreign(session, study)
        jobs = {row["id"]: session.get_one(Job, row["id"]) for row in rows["jobs"]}
    results: dict[str, Path | bytes] = {}
    for row in rows["results"]:
        stored = spool.path_of(row["path"]) if row["path"] else None
        there = stored is not None and stored.is_file()
        suffix = stored.suffix if stored is not None else ""
        row["file"] = f"results/{row['id']}-{row['kind']}-{row['number']}{suffix}" if there else ""
        if there and stored is not None:
            results[row["file"]] = stored
    sources: dict[str, Path | bytes] = {}
    by_path = {row["path"]: row["sop_instance_uid"] for row in rows["instances"]}
    for row in rows["instances"]:
        right = foreign.get(row["id"])
        row["patient_from"] = None if right is None else by_path.get(right, "")
        row["file"] = f"images/{row['id']}.dcm"
        sources[row["file"]] = spool.path_of(row["path"])
    for row in rows["jobs"]:
        row.update(_made_by(context, jobs[row["id"]]))
    content = {
        "format": FORMAT,
        "pacs_ai": __version__,
        "written_at": context.now().isoformat(),
        "environment": environment(),
        "settings": describe(context.config),
        **rows,
    }
    return content, results, sources


def _made_by(context: FlowContext, job: Job) -> dict[str, Any]:
    """Return what the results of a job depend on besides the images and the model."""
    rules = rules_of(context.config, job)
    wanted = wanted_results(
        context.config, rules, lambda _evidence: result_context_of(context, job)
    )
    made_by = asdict(result_context_of(context, job))
    made_by["created_at"] = made_by["created_at"].isoformat()
    made_by["font"] = str(made_by["font"]) if made_by["font"] else None
    with context.database.read() as session:
        not_received = completeness.not_received(session, job.study_id, job.revision)
    return {
        "not_received": not_received,
        "context": made_by,
        "kinds": [str(kind) for kind in wanted.results],
        "refusals": [str(kind) for kind in wanted.refusals],
        "in_reserve": [str(kind) for kind in wanted.in_reserve],
    }


def _bundles(context: FlowContext, content: Mapping[str, Any]) -> dict[str, Path | bytes]:
    """Return manifest and card of the bundles that have analysed the study, as far as known."""
    wanted = {job["manifest_sha256"] for job in content["jobs"]}
    files: dict[str, Path | bytes] = {}
    for bundle in known_bundles(context.config):
        if bundle.manifest_sha256 in wanted:
            for name in (MANIFEST, CARD):
                if (bundle.folder / name).is_file():
                    files[f"models/{bundle.manifest_sha256}/{name}"] = bundle.folder / name
    return files


def known_bundles(config: Config, model: str | None = None) -> list[ModelBundle]:
    """Load the bundles that an archive may have been made with; invalid ones are left out.

    Parameters
    ----------
    config
        Its models count, and the shipped ones.
    model
        One more.

    Raises
    ------
    BundleInvalid
        If this one is invalid.
    """
    keys = config.bundles.trusted_keys
    found = [load_bundle(model, None, keys)] if model else []
    entries = {entry.bundle: entry.sha256 for entry in config.models.values()}
    for name, sha256 in {**dict.fromkeys(shipped_bundles()), **entries}.items():
        try:
            found.append(load_bundle(name, sha256, keys))
        except (ModelError, StorageError):
            continue
    return found
