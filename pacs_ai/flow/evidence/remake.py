"""Make the results of an evidence archive again, and compare them byte for byte."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pacs_ai.analysis.predict import Source
from pacs_ai.analysis.study import Wanted, analyse_study
from pacs_ai.config import Config
from pacs_ai.dicom.files import dataset_content
from pacs_ai.dicom.header import read_header
from pacs_ai.dicom.study_files import find_files
from pacs_ai.digests import digest_of
from pacs_ai.domain import ResultKind
from pacs_ai.errors import NotDicom
from pacs_ai.flow.classifiers import load_classifier
from pacs_ai.flow.evidence.archive import Archive
from pacs_ai.flow.loop_guard import OWN_RESULT
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.model.predict import Classifier
from pacs_ai.results.build import Built
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.environment import environment
from pacs_ai.results.common.predecessor import Predecessor
from pacs_ai.results.common.prior import Prior
from pacs_ai.results.sr.older_report import OLDER


@dataclass(frozen=True, slots=True)
class Check:
    """One check of an archive: what it was about, whether it passed, and what it found."""

    name: str
    ok: bool
    said: str


class _Made:
    """Keeps the digests of results by their UID."""

    def __init__(self) -> None:
        self.digests: dict[str, str] = {}

    def write(self, result: Built) -> str:
        content, sop_class = result.encode(), result.sop_class_uid
        self.digests[result.sop_instance_uid] = digest_of(content)
        while (form := OLDER.get(sop_class)) is not None:  # as peers that refuse the class have it
            older = form.make(content)
            self.digests[older.sop_instance_uid] = digest_of(older.content)
            content, sop_class = older.content, older.sop_class_uid
        return result.sop_instance_uid

    def remove(self, written: str) -> None:
        self.digests.pop(written, None)


def remake(
    archive: Archive, config: Config, bundles: Sequence[ModelBundle], sources: Path | None
) -> Iterator[Check]:
    """Analyse the images again with the models that did it, and compare the results.

    Parameters
    ----------
    archive
        Whose digests are checked.
    config
        Names the runtime.
    bundles
        Models, the right ones among them.
    sources
        Folder with the images; None for those in the archive.

    Yields
    ------
    Check
        First of the images, then of each result.
    """
    content = archive.content
    if content["environment"] != environment():
        yield Check(
            "environment",
            ok=True,
            said="other software or another processor than then: bytes may differ",
        )
    with TemporaryDirectory() as folder:
        found = _images(archive, Path(folder), sources)
        wanted = [row for row in content["instances"] if row["unusable_reason"] != OWN_RESULT]
        missing = [row for row in wanted if row["id"] not in found]
        said = f"{len(wanted) - len(missing)} of {len(wanted)} are there, as they were received"
        yield Check("images", ok=not missing and bool(wanted), said=said)
        if missing or not wanted:
            return
        for job in content["jobs"]:
            results = [row for row in content["results"] if row["job_id"] == job["id"]]
            if results:
                yield from _job(job, results, wanted, found, config, bundles)


def _images(archive: Archive, folder: Path, sources: Path | None) -> dict[int, Path]:
    """Return the file of each instance whose data set is the one that was received."""
    rows = archive.content["instances"]
    if sources is None:
        candidates: dict[str, Path] = {}
        for row in rows:
            if row["file"]:
                path = folder / f"{row['id']}.dcm"
                path.write_bytes(archive.read(row["file"]))
                candidates[row["sop_instance_uid"]] = path
    else:
        candidates = dict(_named(find_files([sources]).files))
    there = {row["id"]: row for row in rows if row["sop_instance_uid"] in candidates}
    return {
        key: candidates[row["sop_instance_uid"]]
        for key, row in there.items()
        if dataset_content(candidates[row["sop_instance_uid"]], row["digest"]).digest
        == row["digest"]
    }


def _named(files: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    for path in files:
        try:
            yield read_header(path).sop_instance_uid, path
        except NotDicom:
            continue


def _job(
    job: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    instances: Sequence[Mapping[str, Any]],
    found: Mapping[int, Path],
    config: Config,
    bundles: Sequence[ModelBundle],
) -> Iterator[Check]:
    """Make the results of one job again."""
    name = f"{job['model_name']} {job['model_version']}"
    bundle = next((b for b in bundles if b.manifest_sha256 == job["manifest_sha256"]), None)
    if bundle is None:
        said = f"{name} with the manifest {job['manifest_sha256'][:12]} is not installed"
        yield Check(f"job {job['id']}", ok=False, said=said)
        return
    by_uid = {row["sop_instance_uid"]: found[row["id"]] for row in instances}
    series = (job.get("asked") or {}).get("series")
    sources = [
        Source(
            found[row["id"]],
            row["id"],
            row["modality"],
            row["series_instance_uid"],
            by_uid.get(row["patient_from"]) if row["patient_from"] else None,
        )
        for row in instances
        if row["revision"] <= job["revision"]
        and row["patient_from"] != ""
        and (not series or row["series_instance_uid"] in series)
    ]
    made = _made(job, results, sources, config, bundle)
    for row in results:
        digest = made.get(row["sop_instance_uid"])
        what = f"{row['kind']} {row['number']} of {name}"
        if digest is None:
            yield Check(what, ok=False, said="another UID comes out: software or settings differ")
        else:
            same = digest == row["digest"]
            yield Check(what, same, "the same bytes" if same else "other bytes")


def _made(
    job: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    sources: Sequence[Source],
    config: Config,
    bundle: ModelBundle,
) -> dict[str, str]:
    """Return the digests of what is made, by UID; with the number of threads that gives the UIDs.

    A network may round otherwise with another number of threads; what it computes for a probe is
    part of each UID.
    """
    uids = {row["sop_instance_uid"] for row in results}
    digests: dict[str, str] = {}
    seen: set[str] = set()
    for threads in _thread_counts(config):
        classifier = load_classifier(config, bundle, threads)
        if classifier.identity.probe_sha256 in seen:
            continue
        seen.add(classifier.identity.probe_sha256)
        digests |= _analysed(job, sources, classifier)
        if uids <= set(digests):
            break
    return digests


def _thread_counts(config: Config) -> list[int]:
    cores = os.cpu_count() or 1
    workers = config.engine.workers
    likely = cores if workers == "auto" else max(1, cores // workers)
    return list(dict.fromkeys([likely, cores, *range(1, cores + 1)]))


def _analysed(
    job: Mapping[str, Any], sources: Sequence[Source], classifier: Classifier
) -> dict[str, str]:
    made, context = _Made(), _context(job["context"])
    wanted = Wanted(
        [ResultKind(kind) for kind in job["kinds"]],
        [ResultKind(kind) for kind in job["refusals"]],
        lambda _evidence: context,
        [ResultKind(kind) for kind in job.get("in_reserve", ())],
    )
    analyse_study(classifier, sources, wanted, made, job.get("not_received", 0))
    return made.digests


def _context(values: Mapping[str, Any]) -> ResultContext:
    earlier = values["predecessor"]
    return ResultContext(
        **{
            **values,
            "created_at": datetime.fromisoformat(values["created_at"]),
            "predecessor": Predecessor(**earlier) if earlier else None,
            "prior": Prior.read(prior) if (prior := values.get("prior")) else None,
            "font": Path(values["font"]) if values["font"] else None,
        }
    )
