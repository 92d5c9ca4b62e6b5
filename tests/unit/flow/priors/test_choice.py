"""The right earlier study is chosen: in many histories, against a definition of its own."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from pacs_ai.dicom.header import read_header
from pacs_ai.domain import StudyId
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.correct import resolve
from pacs_ai.flow.priors.choice import Choice, Sought, choose, months_before
from pacs_ai.flow.priors.examined import examined_of
from pacs_ai.flow.priors.patient import patient_of
from pacs_ai.results.common.evidence import read_source, study_moment
from pacs_ai.store import deletion, instances, jobs, priors, studies, withdrawal_rows
from pacs_ai.store.active_models import Version
from pacs_ai.store.schema import Job, Study
from pacs_ai.withdrawal_kinds import RejectionReason
from tests.unit.flow.priors.histories import MONTHS, Exam, history, right_one
from tests.unit.store.samples import made

Send = Callable[..., object]

ACTIVE = Version("1.2.0", "a" * 64, "b" * 64, "")
SAID = [
    {
        "name": "Sign",
        "code": "1",
        "scheme": "99X",
        "decision": "present",
        "probability": "0.3100",
    }
]


@pytest.fixture
def pattern(ct: Dataset) -> Dataset:
    """A small image."""
    ct.Rows = ct.Columns = 4
    ct.PixelData = bytes(32)
    return ct


class Site:
    """A node that has received and analysed studies; the analysis itself is left out."""

    def __init__(self, context: FlowContext, send: Send, pattern: Dataset) -> None:
        self.context, self.send, self.pattern = context, send, pattern
        self.results = 0

    def receive(self, exam: Exam, number: int) -> int:
        """Let a study arrive, under its first patient and after a merge; returns its row id."""
        image = exam.image(self.pattern, number)
        self.send(image)
        with self.context.database.read() as session:
            query = sa.select(Study.id).where(Study.study_instance_uid == image.StudyInstanceUID)
            study_id = session.scalars(query).one()
        again = exam.renamed(image, number)
        if again is not None:
            self.send(again)
            if exam.person != "not decided":
                resolve(self.context, StudyId(study_id), 2)
        if exam.fate != "not analysed" and exam.person != "not decided":
            self.analyse(study_id, exam)
        return study_id

    def analyse(self, study_id: int, exam: Exam, version: Version = ACTIVE) -> str:
        """Enter what an analysis of the files that have arrived would enter."""
        context = self.context
        if exam.fate == "other version":
            version = replace(version, version="1.1.0")
        with context.write() as transaction:
            study = transaction.get_one(Study, study_id)
            studies.close(transaction, StudyId(study_id), study.revision, reason="quiet")
            studies.routed(transaction, StudyId(study_id), study.revision, reason="")
            job_id = jobs.create(transaction, study, ["r"], "demo", version)
            assert job_id is not None
            lease = jobs.claim(transaction, job_id, 60)
            assert lease is not None
            if exam.fate == "rejected":
                jobs.reject(transaction, lease, "X", "no image")
            else:
                self.results += 1
                uid = f"1.9.{self.results}"
                one = made(self.results, kind="report", sop_instance_uid=uid, send_to=())
                jobs.succeed(transaction, lease, [one], "ok", findings=SAID)
            rows = instances.of_revision(transaction, StudyId(study_id), study.revision)
            headers = [read_header(context.spool.path_of(row.path)) for row in rows]
            seen = examined_of(context, headers, study_moment(read_source(headers[0].path)))
            assert seen is not None
            priors.keep_examination(transaction, job_id, seen)
            transaction.flush()
            if exam.fate == "withdrawn":
                withdrawal_rows.take_back(transaction, study, RejectionReason.QUALITY)
            if exam.fate == "deleted":
                deletion.delete(transaction, study)
        return job_id

    def choice(self, study_id: int, version: Version = ACTIVE, months: int = MONTHS) -> Choice:
        """Choose for a study that has arrived, as a job of a version would."""
        with self.context.database.read() as session:
            study = session.get_one(Study, study_id)
            patient = patient_of(self.context, session, study)
            assert patient is not None
            [row] = instances.of_revision(session, StudyId(study_id), study.revision)
        header = read_header(self.context.spool.path_of(row.path))
        seen = examined_of(self.context, [header], study_moment(read_source(header.path)))
        assert seen is not None
        job = Job(
            study_id=study_id,
            model_name="demo",
            model_version=version.version,
            bundle_sha256=version.sha256,
            manifest_sha256=version.manifest_sha256,
        )
        return choose(self.context, job, Sought(study, "demo", seen, patient, months))


@pytest.fixture
def site(context: FlowContext, send: Send, pattern: Dataset) -> Site:
    return Site(context, send, pattern)


@pytest.mark.parametrize("histories", [40, pytest.param(100, marks=pytest.mark.thorough)])
def test_the_right_one_of_many_histories(site: Site, histories: int) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(histories):
        others, now = history(seed)
        ids = {site.receive(one, seed): one for one in others}
        today = site.receive(replace(now, fate="not analysed"), seed)
        expected, chosen = right_one(others, now), site.choice(today).candidate
        found = None if chosen is None else ids[chosen.study.id]
        assert found == expected, f"seed {seed}: of {others}"
        kinds["none" if expected is None else expected.person] += 1
        kinds.update(one.person for one in others)
        kinds.update(one.fate for one in others)
    # the histories are not all easy
    assert kinds["none"] >= 0.1 * histories
    assert kinds["merged into this one"] >= 0.2 * histories
    rare = ("another birth date", "withdrawn", "other version")
    assert min(kinds[one] for one in rare) >= 0.03 * histories


def test_the_timeline_says_which_studies_do_not_count(site: Site) -> None:
    _, now = history(1)
    for changes in (
        {"part": "KNEE" if now.part != "KNEE" else "CHEST"},
        {"person": "another birth date"},
        {"fate": "other version"},
    ):
        site.receive(replace(now, day=now.day.replace(year=2025), **changes), 0)
    chosen = site.choice(site.receive(replace(now, fate="not analysed"), 0))
    assert chosen.candidate is None
    assert chosen.note == (
        "nothing to compare with: no result of an earlier study by demo 1.2.0 is known here;"
        " others: 1 by version 1.1.0, 1 of another PatientBirthDate, 1 of another body part"
    )


def test_another_manifest_is_another_version(site: Site) -> None:
    """The same name and version with other operating points or another temperature."""
    _, now = history(1)
    site.receive(replace(now, day=now.day.replace(year=2025)), 0)
    today = site.receive(replace(now, fate="not analysed"), 0)
    assert site.choice(today).candidate is not None
    assert site.choice(today, replace(ACTIVE, manifest_sha256="c" * 64)).candidate is None
    assert site.choice(today, replace(ACTIVE, sha256="c" * 64)).candidate is None


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [
        ("2026-03-31", 1, "2026-02-28"),
        ("2024-03-31", 1, "2024-02-29"),
        ("2026-01-15", 36, "2023-01-15"),
        ("2026-03-01", 1200, "1926-03-01"),
    ],
)
def test_months_are_those_of_the_calendar(day: str, months: int, before: str) -> None:
    assert months_before(day, months) == before
