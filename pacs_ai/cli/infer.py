"""``pacs-ai infer``: the pipeline of the node on files, without network and database."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.cli.options import AsJson, ConfigPath, Verbose, read_config, single
from pacs_ai.cli.tables import Record, show_records
from pacs_ai.config import Config
from pacs_ai.dicom.gather import StudyFiles, find_files, group_studies
from pacs_ai.domain import ResultKind, StudyPrediction
from pacs_ai.errors import ConfigError, DataError, StorageError
from pacs_ai.flow.context import installation_uid
from pacs_ai.flow.encode import make, make_refusals, result_context
from pacs_ai.flow.look import Looked, Source, look
from pacs_ai.flow.refuse import refusal_of
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.results.build import Built
from pacs_ai.results.context import ResultContext
from pacs_ai.store.spool import Spool

app = single()

_COLUMNS = (
    "study_instance_uid",
    "modality",
    "class",
    "probability",
    "decision",
    "images",
    "results",
    "seconds",
    "reason",
)


DEFAULT = (ResultKind.REPORT, ResultKind.CAPTURE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is made of a study, and where it goes; with ``out`` None it is built and not kept."""

    kinds: tuple[ResultKind, ...]
    made_by: ResultContext
    out: Path | None
    refusals: bool


@app.command()
def _infer(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files, or folders of them.")],
    *,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="BUNDLE",
            help="Name in [models.*], a shipped bundle, or a folder. Default: the only one"
            " configured.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Write results to DIR/STUDY-INSTANCE-UID/. Default: they are not kept.",
            show_default=False,
        ),
    ] = None,
    results: Annotated[
        list[ResultKind] | None,
        typer.Option(
            "--results",
            help="What is made; give it once for each kind. Default: report and capture.",
            show_default=False,
        ),
    ] = None,
    refusals: Annotated[
        bool,
        typer.Option(
            "--refusals", help="Report of a study that is not analysable, too, and why it is not."
        ),
    ] = False,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Analyse DICOM files study by study, as the node would; without network."""
    settings = read_config(config, verbose=verbose)
    studies = group_studies(find_files(paths).files)
    made_by = result_context(settings, _installation(settings), datetime.now(UTC))
    wanted = Wanted(tuple(results or DEFAULT), made_by, out, refusals)
    classifier = _load(settings, model)
    records = [_study(classifier, study, wanted) for study in studies]
    rows = [row for record in records for row in _rows(record)]
    if as_json:
        show_records(records, _COLUMNS, as_json=True, nothing="")
    else:
        show_records(rows, _COLUMNS, as_json=False, nothing="no studies")
    if not any(record["images"] for record in records):
        raise DataError(f"none of {len(records)} studies can be analysed: {records[0]['reason']}")


def _load(config: Config, name: str | None) -> Classifier:
    if name is None:
        if len(config.models) != 1:
            known = ", ".join(config.models) or "none"
            raise ConfigError(f"which model? configured: {known}; choose with --model")
        name = next(iter(config.models))
    entry = config.models.get(name)
    bundle = load_bundle(name) if entry is None else load_bundle(entry.bundle, entry.sha256)
    return Classifier.load(bundle, os.cpu_count() or 1)


def _installation(config: Config) -> str:
    """Return the observer of the reports: the node installed here, if there is one."""
    spool = Spool(config.storage.spool, "")
    known = (spool.root / "site.key").is_file()
    return installation_uid(spool.secret() if known else b"")


def _study(classifier: Classifier, study: StudyFiles, wanted: Wanted) -> Record:
    started = time.monotonic()
    sources = [Source(path, number) for number, path in enumerate(study.files)]
    record: dict[str, object] = {
        "study_instance_uid": study.study_instance_uid,
        "modality": study.modality,
        "instances": len(study.files),
        "images": 0,
        "images_total": 0,
        "incomplete": False,
        "left_out": {},
        "other_series": 0,
        "unusable": 0,
        "classes": [],
        "outlier": None,
        "reservations": [],
        "results": [],
        "reason": "",
    }
    try:
        looked = look(classifier, sources)
        prediction = looked.prediction
        names = _write(make(prediction, wanted.kinds, wanted.made_by), wanted.out, study)
    except DataError as error:
        record["reason"] = f"{error.code}: {error.message}"
        refusal = refusal_of(classifier.identity, sources, error) if wanted.refusals else None
        if refusal is not None:
            built = make_refusals(refusal, wanted.kinds, wanted.made_by)
            record["results"] = _write(built, wanted.out, study)
    else:
        record.update(_findings(looked), results=names)
    record["seconds"] = round(time.monotonic() - started, 2)
    return record


def _findings(looked: Looked) -> Record:
    """Return what a model says of a study, and what it has not looked at."""
    prediction = looked.prediction
    coverage = prediction.coverage
    reasons = [one.text for one in prediction.reservations]
    return {
        "modality": prediction.images[0].header.modality,
        "images": coverage.analysed,
        "images_total": coverage.total,
        "incomplete": coverage.incomplete,
        "left_out": {words: unseen.count for words, unseen in coverage.reasons},
        "other_series": prediction.left_out.other_series,
        "unusable": len(looked.unusable),
        "classes": _classes(prediction),
        "outlier": prediction.images[prediction.decisive].outlier,
        "reservations": reasons,
        "reason": "; ".join([*reasons, *sorted(set(looked.unusable.values()))]),
    }


def _classes(prediction: StudyPrediction) -> list[Record]:
    records: list[Record] = []
    for index, spec in enumerate(prediction.model.classes):
        probability = prediction.probabilities[index]
        records.append(
            {
                "class": spec.name,
                "probability": round(probability, 6),
                "threshold": spec.threshold,
                "decision": prediction.decision(index) or "",
            }
        )
    return records


def _write(built: Iterable[Built], out: Path | None, study: StudyFiles) -> list[str]:
    """Write the results and nothing else; what an earlier run left of its own goes."""
    if out is None:
        for _ in built:
            pass  # made and checked all the same
        return []
    folder = out / study.study_instance_uid
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in (old for kind in ResultKind for old in folder.glob(f"{kind}-*.*")):
            old.unlink()
        names = []
        for result in built:
            path = folder / f"{result.kind}-{result.number}{result.suffix}"
            result.write(path)
            names.append(str(path))
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error.strerror})") from error
    return names


def _rows(record: Record) -> list[Record]:
    """Return a row a class; what is the study's stands in the first."""
    classes = record["classes"]
    assert isinstance(classes, list)  # noqa: S101 - see `_study`
    results = record["results"]
    assert isinstance(results, list)  # noqa: S101 - see `_study`
    images = f"{record['images']} of {record['images_total']}"
    more = {"class": "", "probability": "", "decision": "", "images": images}
    first = {**record, **more, "results": len(results)}
    if not classes:
        return [first]
    rest = dict.fromkeys(_COLUMNS)
    rows = [{**(rest if number else first), **one} for number, one in enumerate(classes)]
    return [{**row, "probability": f"{row['probability']:.3f}"} for row in rows]
