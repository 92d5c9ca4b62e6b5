"""What the model says of the studies of an acceptance test, by the way that the node takes."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pacs_ai.acceptance.truth import SEXES, Key, Row
from pacs_ai.analysis.predict import Source, predict_study
from pacs_ai.dicom.age import age_group
from pacs_ai.dicom.header import read_facts, read_header
from pacs_ai.dicom.part10 import MAX_META, read_meta
from pacs_ai.dicom.study_files import StudyFiles
from pacs_ai.digests import RunningDigest, digest_of
from pacs_ai.domain import Decision, StudyPrediction
from pacs_ai.errors import DataError, NotDicom, PacsAIError
from pacs_ai.files import translated
from pacs_ai.model.predict import Classifier

NO_FILES = "NO_FILES: no file of this study is among the cases"
_DIGITS = 12
_FACTS = ("AccessionNumber", "PatientID", "IssuerOfPatientID", "PatientSex")


@dataclass(frozen=True, slots=True)
class Judged:
    """One study of the test.

    ``probabilities`` are () where the model says nothing of the study: then ``reason`` says why.
    ``patient`` is a key of 12 hexadecimal digits. ``undetermined`` names the classes that the node
    decides neither way. ``digest`` is that of the files.
    """

    row: Row
    patient: str
    groups: Mapping[str, str] = field(default_factory=dict)
    probabilities: tuple[float, ...] = ()
    undetermined: tuple[str, ...] = ()
    reason: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class LocalStudy:
    """A study that is among the cases, with what names it and its patient."""

    files: StudyFiles
    accession: str
    patient: str
    sex: str


def local_studies(studies: Iterable[StudyFiles]) -> list[LocalStudy]:
    """Read what names the studies: accession number and patient, from the first file that says."""
    found = []
    for study in studies:
        facts: dict[str, str] = {}
        for path in study.files:
            for name, value in _facts(path).items():
                facts.setdefault(name, value)
            if len(facts) == len(_FACTS):
                break
        who = "\\".join(facts.get(name, "") for name in ("PatientID", "IssuerOfPatientID"))
        sex = SEXES.get(facts.get("PatientSex", "").upper(), "")
        patient = who if facts.get("PatientID") else ""
        found.append(LocalStudy(study, facts.get("AccessionNumber", ""), patient, sex))
    return found


def _facts(path: Path) -> dict[str, str]:
    try:
        facts = read_facts(path, _FACTS)
    except NotDicom:
        return {}
    said = {name: value if isinstance(value, str) else value[0] for name, value in facts.items()}
    return {name: value for name, value in said.items() if value}


class Index:
    """Finds the study of a row.

    Parameters
    ----------
    studies
        All studies among the cases.
    cases
        The folder that paths of rows are below.
    """

    def __init__(self, studies: Sequence[LocalStudy], cases: Path) -> None:
        self._found: dict[tuple[Key, str], dict[str, LocalStudy]] = {}
        for study in studies:
            uid = study.files.study_instance_uid
            names: set[tuple[Key, str]] = {("study", uid), ("accession", study.accession)}
            for file in study.files.files:
                place = file.relative_to(cases) if file.is_relative_to(cases) else file
                names |= {("path", each.as_posix()) for each in (place, *place.parents)}
            for name in names:
                self._found.setdefault(name, {})[uid] = study

    def study(self, row: Row) -> LocalStudy | None:
        """Return the study of a row; None if it is not there.

        Raises
        ------
        DataError
            If several studies have the accession number or the path.
        """
        value = Path(row.value).as_posix() if row.key == "path" else row.value
        found = list(self._found.get((row.key, value), {}).values())
        if len(found) > 1:
            raise DataError(
                f"line {row.line} of the truth: {len(found)} studies have this {row.key}"
            )
        return found[0] if found else None


def judge(classifier: Classifier, rows: Sequence[Row], index: Index) -> Iterator[Judged]:
    """Predict one study after the other, as the node does.

    Parameters
    ----------
    classifier
        The model.
    rows
        The truth; a row whose study is not there gives a case without probabilities.
    index
        Finds their studies.

    Raises
    ------
    DataError
        If a row fits several studies, or two rows name one.
    StorageError
        If a file cannot be read.
    RuntimeFailed
        If the network fails.
    """
    pairs = [(row, index.study(row)) for row in rows]
    lines: dict[str, int] = {}
    for row, study in pairs:
        if study is not None:
            first = lines.setdefault(study.files.study_instance_uid, row.line)
            if first != row.line:
                raise DataError(f"lines {first} and {row.line} of the truth name the same study")
    for row, study in pairs:
        if study is None:
            yield Judged(row, _hashed(row.patient or f"{row.key} {row.value}"), reason=NO_FILES)
        else:
            yield _judged(classifier, row, study)


def _judged(classifier: Classifier, row: Row, study: LocalStudy) -> Judged:
    patient = _hashed(row.patient or study.patient or study.files.study_instance_uid)
    digest = _digest(study.files.files)
    groups = {**_groups(study, study.files.files[0]), **row.groups}
    sources = [Source(path, number) for number, path in enumerate(study.files.files)]
    try:
        prediction = predict_study(classifier, sources).prediction
    except DataError as error:
        reason = f"{error.code}: {error.message}"
        return Judged(row, patient, groups, reason=reason, digest=digest)
    except PacsAIError:
        raise
    except Exception as error:  # noqa: BLE001 - the node too goes on with the next study
        reason = f"UNEXPECTED: {type(error).__name__}"
        return Judged(row, patient, groups, reason=reason, digest=digest)
    decisive = prediction.images[prediction.decisive].header.path
    return Judged(
        row=row,
        patient=patient,
        groups={**_groups(study, decisive), **row.groups},
        probabilities=prediction.probabilities,
        undetermined=_undetermined(prediction),
        digest=digest,
    )


def _undetermined(prediction: StudyPrediction) -> tuple[str, ...]:
    return tuple(
        entry.name
        for index, entry in enumerate(prediction.model.classes)
        if entry.positive and prediction.decision(index) is Decision.UNDETERMINED
    )


def _groups(study: LocalStudy, path: Path) -> dict[str, str]:
    """Return the subgroups of a study that its files name."""
    groups = {"sex": study.sex, "sender": _sender(path)}
    try:
        header = read_header(path)
    except NotDicom:
        return groups
    scanner = f"{header.manufacturer} {header.model_name}".strip()
    return {**groups, "scanner": scanner, "age": age_group(header.age_years)}


def _sender(path: Path) -> str:
    """Return the AE title that sent a file, if its file meta information says so."""
    with translated(path, "cannot be read"), path.open("rb") as file:
        head = file.read(MAX_META)
    try:
        return read_meta(head).titles[0]
    except NotDicom:
        return ""


def _digest(files: Sequence[Path]) -> str:
    """Return one digest of several files, whatever they are called."""
    digests = []
    for path in files:
        with translated(path, "cannot be read"):
            digests.append(digest_of(path.read_bytes()))
    whole = RunningDigest()
    whole.update("\n".join(sorted(digests)).encode())
    return whole.text()


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
