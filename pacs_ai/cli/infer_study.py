"""What ``pacs-ai infer`` makes of one study, and what it prints of it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pacs_ai.cli.bug import bug_text
from pacs_ai.cli.result_folder import ResultFolder
from pacs_ai.cli.tables import Record
from pacs_ai.dicom.gather import StudyFiles
from pacs_ai.domain import ResultKind, StudyPrediction
from pacs_ai.errors import DataError, InvalidResult, NoSpace, PacsAIError, StorageError
from pacs_ai.flow.each_kind import Outcome, each_kind
from pacs_ai.flow.encode import make, make_refusals
from pacs_ai.flow.look import Looked, Source, look
from pacs_ai.flow.refuse import refusal_of
from pacs_ai.logs import get_logger
from pacs_ai.model.predict import Classifier
from pacs_ai.results.build import Built
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.evidence import Evidence, evidence_of, moment_of_source

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is made of a study, and where it goes.

    With ``out`` None results are made and not kept; with ``refusals`` a report says why there is
    none.
    """

    kinds: tuple[ResultKind, ...]
    made_by: ResultContext
    out: Path | None
    refusals: bool


def study_record(classifier: Classifier, study: StudyFiles, wanted: Wanted) -> Record:
    """Analyse a study, make its results, and return what is printed of it.

    What goes wrong with one study costs that study alone: ``fault`` is then the code of an error
    that is not the data's.
    """
    try:
        return _study(classifier, study, wanted)
    except (PacsAIError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a library throws, the other studies go on
        _log.error("study failed unexpectedly", error=type(error).__name__)
        return {**_empty(study), "fault": "UNEXPECTED", "reason": f"UNEXPECTED: {bug_text(error)}"}


def _empty(study: StudyFiles) -> dict[str, object]:
    """Return the record of a study of which nothing is known yet."""
    return {
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
        "failed": {},
        "fault": "",
        "reason": "",
        "seconds": 0.0,
    }


def _study(classifier: Classifier, study: StudyFiles, wanted: Wanted) -> Record:
    started = time.monotonic()
    sources = [Source(path, number) for number, path in enumerate(study.files)]
    record = _empty(study)
    folder = ResultFolder(wanted.out, study.study_instance_uid)
    folder.clear()
    try:
        looked = look(classifier, sources)
        done = _results(looked.prediction, wanted, folder)
    except NoSpace:
        raise  # the studies to come would fail in the same way
    except StorageError as error:
        record.update(reason=f"{error.code}: {error.message}", fault=error.code)
    except DataError as error:
        told = _told(classifier, sources, error, wanted, folder)
        record.update(reason=f"{error.code}: {error.message}", results=told)
    else:
        record.update(_findings(looked), failed=done.reasons)
        fault = InvalidResult(f"the images were analysed, but {done.remark}")
        missing = replace(wanted, kinds=tuple(done.failed))
        told = _told(classifier, sources, fault, missing, folder) if done.failed else []
        record["results"] = [name for name in (*done.made, *told) if name]
        record["reason"] = "; ".join(filter(None, (str(record["reason"]), done.remark)))
    record["seconds"] = round(time.monotonic() - started, 2)
    return record


def _results(prediction: StudyPrediction, wanted: Wanted, folder: ResultFolder) -> Outcome[str]:
    evidence = evidence_of(prediction)
    made_by = _dated(wanted, evidence)

    def build(kinds: Sequence[ResultKind]) -> Iterator[Built]:
        return make(prediction, kinds, made_by, evidence)

    return each_kind(wanted.kinds, build, folder.keep, folder.drop)


def _dated(wanted: Wanted, evidence: Evidence) -> ResultContext:
    """Date results like their first image: without a job, the same again has the same bytes."""
    first = evidence.headers[0]
    return replace(wanted.made_by, created_at=moment_of_source(first.path), like_images=True)


def _told(
    classifier: Classifier,
    sources: Sequence[Source],
    error: DataError,
    wanted: Wanted,
    folder: ResultFolder,
) -> list[str]:
    """Write why there is no result, if that is wanted; returns the files."""
    refusal = refusal_of(classifier.identity, sources, error) if wanted.refusals else None
    if refusal is None:
        return []
    evidence = evidence_of(refusal)
    made_by = _dated(wanted, evidence)

    def build(kinds: Sequence[ResultKind]) -> Iterator[Built]:
        return make_refusals(refusal, kinds, made_by, evidence)

    made = each_kind(wanted.kinds, build, folder.keep, folder.drop).made
    return [name for name in made if name]


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
                "probability": _part(probability),
                "threshold": spec.threshold,
                "decision": prediction.decision(index) or "",
            }
        )
    return records


def _part(probability: float) -> float:
    """Round to a millionth, and to nothing or all only what is that."""
    rounded = round(probability, 6)
    return min(max(rounded, 1e-6), 1 - 1e-6) if 0 < probability < 1 else rounded
