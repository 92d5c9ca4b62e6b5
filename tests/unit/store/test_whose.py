"""Arrivals, jobs, deliveries and decisions in any order: nothing leaves under the wrong patient.

And whoever was called is served: each rule for a called title has its job in the end.
"""

import tempfile
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from pacs_ai.domain import JobState, StudyId, StudyState
from pacs_ai.errors import LeaseLost
from pacs_ai.store import (
    admission,
    corrections,
    deliveries,
    instances,
    jobs,
    repeats,
    studies,
    withdrawals,
    withholding,
)
from pacs_ai.store.schema import Instance, Job, Study
from pacs_ai.store.session import Database, Session
from tests.unit.store.samples import MODEL, NOW, arrival, made, sender

CALLED = ("LUNG", "BRAIN")
people = st.sampled_from(["p1", "p2", "p3"])


class WhoseStudy(RuleBasedStateMachine):
    """One study, one peer, two called titles with a rule each, three patients."""

    running = Bundle("running")
    sending = Bundle("sending")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.database = Database(f"sqlite:///{self.folder.name}/db")
        Study.metadata.create_all(self.database.engine)
        self.seconds = 0
        self.names: dict[str, str] = {}
        self.called: set[str] = set()
        self.left: list[str] = []

    def teardown(self) -> None:
        self._serve_everybody()
        self.database.close()
        self.folder.cleanup()

    def now(self) -> datetime:
        self.seconds += 1
        return NOW + timedelta(seconds=self.seconds)

    def study(self, session: Session) -> Study | None:
        return session.scalar(sa.select(Study))

    @rule(number=st.integers(1, 3), patient=people, called=st.sampled_from(CALLED))
    def arrive(self, number: int, patient: str, called: str) -> None:
        who = sender(patient, called=called)
        with self.database.write("t", self.now()) as transaction:
            known = instances.find(transaction, f"1.2.3.1.{number}")
            if known is None:
                admission.admit(transaction, arrival(number), who)
            else:
                self._again(transaction, known, who, patient)
            self.called.add(called)

    @rule(number=st.integers(1, 3), called=st.sampled_from(CALLED))
    def arrive_as_expected(self, number: int, called: str) -> None:
        with self.database.read() as session:
            study = self.study(session)
        self.arrive(number, "p1" if study is None else study.patient_key, called)

    def _again(
        self, session: Session, known: Instance, who: admission.Sender, patient: str
    ) -> None:
        if patient not in instances.variant_digests(session, known):
            path = f"node/variants/{self.seconds}-{known.id}.dcm"
            aside = instances.SetAside("1.2.840.10008.1.2", path, 9, patient)
            admission.set_aside(session, known, aside, who)
        admission.repeat(session, known, who, opens=True)

    @rule()
    def settle(self) -> None:
        """Close the study and route it, as the flow does."""
        with self.database.write("t", self.now()) as transaction:
            study = self.study(transaction)
            if study is None or study.state != StudyState.RECEIVING:
                return
            key, revision = StudyId(study.id), study.revision
            assert studies.close(transaction, key, revision, reason="")
            assert studies.routed(transaction, key, revision, reason="")
            transaction.refresh(study)
            ways = repeats.ways_of_study(transaction, key).values()
            titles = {called for way in ways for _, called, _ in way}
            rules = [title for title in CALLED if title in titles]
            if not repeats.carry_over(transaction, study, rules, "demo", MODEL):
                jobs.create(transaction, study, rules, "demo", MODEL)

    @rule(target=running)
    def take_job(self) -> object:
        return self._claim() or multiple()

    def _claim(self) -> jobs.Lease | None:
        with self.database.write("t", self.now()) as transaction:
            for key in transaction.scalars(sa.select(Job.id).where(Job.state == JobState.QUEUED)):
                lease = jobs.claim(transaction, key, 60)
                study = self.study(transaction)
                if lease is not None and study is not None:
                    self.names[f"{lease.job_id}/{lease.attempt}"] = study.patient_key
                    return lease
        return None

    @rule(lease=consumes(running))
    def finish_job(self, lease: jobs.Lease | None) -> None:
        if lease is None:
            return
        self.seconds += 1
        one = made(self.seconds)
        self.names[one.sop_instance_uid] = self.names[f"{lease.job_id}/{lease.attempt}"]
        try:
            with self.database.write("t", self.now()) as transaction:
                jobs.succeed(transaction, lease, [one], "")
        except LeaseLost:
            del self.names[one.sop_instance_uid]

    @rule()
    def work(self) -> None:
        """The usual course, in one step: it leads to where it gets interesting."""
        self.settle()
        self.finish_job(self._claim())

    @rule(patient=people, choice=st.integers(0, 2))
    def correct(self, patient: str, choice: int) -> None:
        """The same instance again under somebody, and a decision at once."""
        self.arrive(1, patient, CALLED[0])
        self.resolve(choice)

    @rule(target=sending)
    def take_delivery(self) -> object:
        with self.database.write("t", self.now()) as transaction:
            for job_id in transaction.scalars(sa.select(Job.id)):
                found = deliveries.claim(transaction, job_id, "pacs", lease_seconds=60)
                if found:
                    return found
        return multiple()

    @rule(batch=consumes(sending))
    def send(self, batch: list[deliveries.ClaimedDelivery]) -> None:
        for claimed in batch:
            with self.database.write("t", self.now()) as transaction:
                key, attempt = claimed.delivery_id, claimed.attempt
                if not withholding.may_leave(transaction, key, attempt):
                    deliveries.hold(transaction, claimed)
                    continue
                study = self.study(transaction)
                assert study is not None
                assert study.state != StudyState.CONFLICT
                assert self.names[claimed.sop_instance_uid] == study.patient_key
                self.left.append(claimed.sop_instance_uid)
                deliveries.stored(transaction, claimed, status=0, note="")

    @rule(choice=st.integers(0, 2))
    def resolve(self, choice: int) -> None:
        with self.database.write("t", self.now()) as transaction:
            study = self.study(transaction)
            if study is None or study.state != StudyState.CONFLICT:
                return
            known = [one for one in corrections.choices(transaction, study) if one.files]
            chosen = known[choice % len(known)]
            corrections.keep(transaction, study, chosen.number)

    @invariant()
    def what_a_peer_has_wrongly_is_owed_a_note(self) -> None:
        if not hasattr(self, "database"):
            return
        with self.database.read() as session:
            study = self.study(session)
            if study is None:
                return
            owed = withdrawals.owed(session, study, ["pacs"]).get("pacs", [])
            told = {result.sop_instance_uid for _, result in owed}
            wrong = {uid for uid in self.left if self.names[uid] != study.patient_key}
            assert wrong <= told

    def _serve_everybody(self) -> None:
        """Let all come to its end; each title that was called has had its rule looked after."""
        for _ in range(4):
            self.resolve(0)
            self.settle()
            while (lease := self._claim()) is not None:
                self.finish_job(lease)
        with self.database.read() as session:
            done = session.scalars(sa.select(Job).where(Job.state == JobState.SUCCEEDED)).all()
            study = self.study(session)
            running = session.scalar(sa.select(Job.id).where(Job.state == JobState.RUNNING))
        if study is None or running is not None:
            return
        current = [job for job in done if job.correction == study.correction]
        assert self.called <= {title for job in current for title in job.rules}


@pytest.mark.parametrize("corrected", [True, False])
def test_what_is_being_sent_does_not_leave_when_the_patient_changes(corrected: bool) -> None:
    one = WhoseStudy()
    one.begin()
    one.arrive(1, "p1", "LUNG")
    one.work()
    batch = one.take_delivery()
    assert isinstance(batch, list)
    one.arrive(1, "p2", "LUNG")
    if corrected:
        one.resolve(1)
    one.send(batch)
    assert one.left == []
    one.teardown()


WhoseStudy.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestWhoseStudy = WhoseStudy.TestCase
