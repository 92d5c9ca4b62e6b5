"""What ``pacs-ai infer`` makes from one study, and what it prints about it."""

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pacs_ai.analysis.predict import PredictedStudy, Source
from pacs_ai.analysis.study import Analysis, Wanted, analyse_study
from pacs_ai.cli.bug import bug_text
from pacs_ai.cli.result_folder import ResultFolder
from pacs_ai.cli.tables import Record
from pacs_ai.dicom.study_files import StudyFiles
from pacs_ai.domain import ResultKind, StudyPrediction
from pacs_ai.errors import NoSpace, PacsAIError, StorageError
from pacs_ai.logs import get_logger
from pacs_ai.model.predict import Classifier
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.evidence import Evidence, moment_of_source

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Options:
    """What is made of each study, and where it goes.

    If ``out`` is None, results are made but not kept. With ``refusals``, a study that is not
    analysed gets a report that says why. ``context`` is what results state besides; its date is
    replaced.
    """

    kinds: tuple[ResultKind, ...]
    context: ResultContext
    out: Path | None
    refusals: bool


def study_record(classifier: Classifier, study: StudyFiles, options: Options) -> Record:
    """Analyse a study, make its results, and return what is printed about it.

    An unexpected error ends this study alone. ``fault`` is the code of an error that the data did
    not cause.
    """
    try:
        return _study(classifier, study, options)
    except (PacsAIError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - other studies go on after any error of a library
        _log.error("study failed unexpectedly", error=type(error).__name__)
        return {**_empty(study), "fault": "UNEXPECTED", "reason": f"UNEXPECTED: {bug_text(error)}"}


def _empty(study: StudyFiles) -> dict[str, object]:
    """Return the record of a study before its analysis."""
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


def _study(classifier: Classifier, study: StudyFiles, options: Options) -> Record:
    started = time.monotonic()
    sources = [Source(path, number) for number, path in enumerate(study.files)]
    refusals = options.kinds if options.refusals else ()
    wanted = Wanted(options.kinds, refusals, partial(_dated, options.context))
    folder = ResultFolder(options.out, study.study_instance_uid)
    folder.clear()
    record = _empty(study)
    try:
        analysis = analyse_study(classifier, sources, wanted, folder)
    except NoSpace:
        raise  # the next studies would fail as well
    except StorageError as error:
        record.update(reason=f"{error.code}: {error.message}", fault=error.code)
    else:
        record.update(_outcome(analysis))
    record["seconds"] = round(time.monotonic() - started, 2)
    return record


def _dated(context: ResultContext, evidence: Evidence) -> ResultContext:
    """Date results like their first image: a second run makes the same bytes."""
    first = evidence.headers[0]
    return replace(context, created_at=moment_of_source(first.path), like_images=True)


def _outcome(analysis: Analysis[str]) -> Record:
    """Return what became of a study: findings, files, and what went wrong."""
    findings = {} if analysis.predicted is None else _findings(analysis.predicted)
    problem = analysis.results.remark
    if not problem and analysis.error is not None:
        problem = f"{analysis.error.code}: {analysis.error.message}"
    kept = [*analysis.results.made, *analysis.refusals.made]
    return {
        **findings,
        "results": [name for name in kept if name],
        "failed": analysis.results.reasons,
        "reason": "; ".join(filter(None, (str(findings.get("reason", "")), problem))),
    }


def _findings(predicted: PredictedStudy) -> Record:
    """Return what a model says of a study, and which images it has not analysed."""
    prediction = predicted.prediction
    coverage = prediction.coverage
    reasons = [one.text for one in prediction.reservations]
    return {
        "modality": prediction.images[0].header.modality,
        "images": coverage.analysed,
        "images_total": coverage.total,
        "images_passed_over": coverage.left_out.passed_over,
        "incomplete": coverage.incomplete,
        "left_out": {words: unseen.count for words, unseen in coverage.reasons},
        "other_series": prediction.left_out.other_series,
        "unusable": len(predicted.unusable),
        "classes": _classes(prediction),
        "outlier": prediction.images[prediction.decisive].outlier,
        "reservations": reasons,
        "reason": "; ".join([*reasons, *sorted(set(predicted.unusable.values()))]),
    }


def _classes(prediction: StudyPrediction) -> list[Record]:
    model, records = prediction.model, list[Record]()
    for index, spec in enumerate(model.classes):
        probability = prediction.probabilities[index]
        doubt = model.doubt(index, prediction.probabilities)
        records.append(
            {
                "class": spec.name,
                "probability": _part(probability),
                "threshold": spec.threshold,
                "decision": prediction.decision(index) or "",
                **({} if model.sets is None else {"doubt": doubt}),
            }
        )
    return records


def _part(probability: float) -> float:
    """Round to a millionth, and to nothing or all only what is that."""
    rounded = round(probability, 6)
    return min(max(rounded, 1e-6), 1 - 1e-6) if 0 < probability < 1 else rounded
