"""Run an acceptance test, and write what came of it."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pacs_ai import __version__
from pacs_ai.acceptance.figures import figures_of, inputs_of
from pacs_ai.acceptance.judge import Index, Judged, judge, local_studies
from pacs_ai.acceptance.limits import Limits, check, read_limits
from pacs_ai.acceptance.page import acceptance_page
from pacs_ai.acceptance.truth import GROUPS, read_truth
from pacs_ai.dicom.study_files import find_files, group_studies
from pacs_ai.digests import digest_of
from pacs_ai.domain import ModelIdentity
from pacs_ai.errors import DataError
from pacs_ai.files import atomic_write, translated
from pacs_ai.model.predict import Classifier
from pacs_ai.model.signature import SUFFIX
from pacs_ai.model.signing import signature_of

FORMAT = 1
_SETTINGS = {"resamples", "bins", "smallest_group", "operating_point", "compared"}
PAGE, VALUES, STUDIES = "acceptance.html", "acceptance.json", "studies.csv"


@dataclass(frozen=True, slots=True)
class Question:
    """What is tested: the folder of cases, the table of truth, the file of limits if there is."""

    cases: Path
    truth: Path
    limits: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a test: the content of ``acceptance.json``, and of ``studies.csv``."""

    values: Mapping[str, Any]
    studies: str

    @property
    def passed(self) -> bool | None:
        """Whether all limits are kept; None if there are none."""
        return None if self.values["passed"] is None else bool(self.values["passed"])


def accept(
    classifier: Classifier, question: Question, progress: Callable[[int, int], None]
) -> Outcome:
    """Predict the studies as the node does, and compare them with the truth.

    Parameters
    ----------
    classifier
        The model.
    question
        What is tested.
    progress
        Called after each study with how many are done, and how many there are.

    Raises
    ------
    ConfigError
        If the limits or the folder cannot be used.
    DataError
        If the table of truth cannot be used, or names none of the studies.
    """
    model = classifier.identity
    names = [entry.name for entry in model.classes]
    limits = read_limits(question.limits, names) if question.limits else None
    rows = read_truth(question.truth, model)
    studies = local_studies(group_studies(find_files([question.cases]).files)[0])
    index = Index(studies, question.cases)
    if not any(index.study(row) for row in rows):
        raise DataError(f"{question.truth} names none of the {len(studies)} studies")
    judged = []
    for one in judge(classifier, rows, index):
        judged.append(one)
        progress(len(judged), len(rows))
    return _outcome(classifier, question, judged, limits, len(studies))


def _outcome(
    classifier: Classifier,
    question: Question,
    judged: Sequence[Judged],
    limits: Limits | None,
    studies: int,
) -> Outcome:
    model, used = classifier.identity, limits or Limits()
    found = figures_of(judged, classifier.bundle, model, used)
    there = sum(bool(one.digest) for one in judged)
    found["studies"]["without_truth"] = studies - there
    checks = [asdict(one) for one in check(used, found)] if limits else []
    files = {"truth": question.truth, "limits": question.limits}
    inputs = inputs_of(judged, {name: _read(path) for name, path in files.items() if path})
    values = {
        "format": FORMAT,
        "pacs_ai": __version__,
        "model": _described(model),
        "settings": used.model_dump(include=_SETTINGS),
        "passed": all(one["kept"] for one in checks) if checks else None,
        "checks": checks,
        **found,
        "inputs": inputs,
    }
    return Outcome(values, _studies_csv(judged, model))


def write(outcome: Outcome, folder: Path, key: Path | None) -> Path:
    """Write the page, its values and the table of studies; sign the page if there is a key.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ConfigError
        If the key cannot be used.
    StorageError
        If a file cannot be written.
    """
    values = json.dumps(outcome.values, indent=1, ensure_ascii=False) + "\n"
    texts = {VALUES: values, STUDIES: outcome.studies}
    outputs = {name: digest_of(text.encode()) for name, text in texts.items()}
    page = acceptance_page({**outcome.values, "outputs": outputs}).encode()
    signature = None if key is None else signature_of(page, key, PAGE)
    with translated(folder, "cannot be written"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{PAGE}{SUFFIX}").unlink(missing_ok=True)
    for name, text in texts.items():
        atomic_write(folder / name, text)
    atomic_write(folder / PAGE, page)
    if signature is not None:
        atomic_write(folder / f"{PAGE}{SUFFIX}", signature)
    return folder / PAGE


def _described(model: ModelIdentity) -> dict[str, Any]:
    return {
        "name": model.name,
        "version": model.version,
        "manifest_sha256": model.manifest_sha256,
        "runtime": model.runtime,
        "classes": [entry.name for entry in model.classes],
        "positive": [entry.positive for entry in model.classes],
        "thresholds": [entry.threshold for entry in model.classes],
        "aggregation": model.aggregation,
    }


def _read(path: Path) -> bytes:
    with translated(path, "cannot be read"):
        return path.read_bytes()


def _studies_csv(judged: Sequence[Judged], model: ModelIdentity) -> str:
    """Write a row for each study, with all digits of its probabilities."""
    names = [entry.name for entry in model.classes]
    columns = [f"{what} {name}" for what in ("true", "probability", "present") for name in names]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["study", "patient", *GROUPS, *columns, "undetermined", "reason"])
    for one in judged:
        pairs = zip(one.probabilities, model.classes, strict=False)
        said = [*one.probabilities, *(int(chance >= entry.threshold) for chance, entry in pairs)]
        groups = [one.groups.get(name, "") for name in GROUPS]
        values = [*map(int, one.row.truth), *(said or [""] * 2 * len(names))]
        undetermined = "|".join(one.undetermined)
        table.writerow([one.row.value, one.patient, *groups, *values, undetermined, one.reason])
    return text.getvalue()
