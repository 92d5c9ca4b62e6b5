"""A study on its way through routing and analysis, with a real model and a clock tests move."""

import shutil
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from pacs_ai.clock import ManualClock
from pacs_ai.config import Config, DimsePeer, Rule
from pacs_ai.domain import JobId
from pacs_ai.flow import retry
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.flow.deliver import release
from pacs_ai.flow.route import route
from pacs_ai.model.bundle import MANIFEST, SHIPPED, load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.store import operator, studies, waiting_jobs
from pacs_ai.store.schema import Delivery, Instance, Job, Result, Study

PEER = DimsePeer(ae_title="ARCHIVE", host="127.0.0.1", port=104, retry_max_seconds=300)
LONGEST = retry.longest(retry.JOB_PAUSES[1])
RULE = Rule(name="all", model="demo", send_to=("archive",))


@cache
def demo() -> Classifier:
    return Classifier.load(load_bundle("demo"))


def other_version(folder: Path, version: str | None) -> Path:
    """Copy the shipped bundle with another version, or only another operating point."""
    shutil.copytree(SHIPPED / "demo", folder)
    text = (folder / MANIFEST).read_text("utf-8")
    before = demo().identity.version
    changed = text.replace(f'version = "{before}"', f'version = "{version}"') if version else text
    (folder / MANIFEST).write_text(changed + "\n# another\n", "utf-8")
    return folder


@dataclass
class Patient:
    """One received study (row id 1) on a node with one rule."""

    context: FlowContext
    clock: ManualClock

    def route(self) -> None:
        with self.context.write() as transaction:
            study = transaction.get_one(Study, 1)
            studies.close(transaction, 1, study.revision, reason="quiet")
        route(self.context, {"demo": demo().identity}, pair_key(1, study.revision))

    def study(self) -> Study:
        with self.context.database.read() as session:
            return session.get_one(Study, 1)

    def job(self) -> Job:
        [job] = self.jobs()
        return job

    def jobs(self) -> list[Job]:
        with self.context.database.read() as session:
            return list(session.scalars(sa.select(Job).order_by(Job.revision)))

    def results(self) -> list[Result]:
        with self.context.database.read() as session:
            return list(session.scalars(sa.select(Result).order_by(Result.id)))

    def deliveries(self) -> list[Delivery]:
        with self.context.database.read() as session:
            return list(session.scalars(sa.select(Delivery).order_by(Delivery.id)))

    def file(self, number: int = 0) -> Path:
        with self.context.database.read() as session:
            rows = session.scalars(sa.select(Instance).order_by(Instance.id)).all()
        return self.context.spool.path_of(rows[number].path)

    def analyse(self) -> Job:
        analyse(self.context, {"demo": demo()}, JobId(self.job().id))
        return self.job()

    def wait(self) -> None:
        """Let the pause go by, and wake what is due."""
        due = [self.job().due_at, *(one.due_at for one in self.deliveries())]
        later = max((one for one in due if one is not None), default=self.clock.now())
        self.clock.advance(max(0.0, (later - self.clock.now()).total_seconds()))
        with self.context.write() as transaction:
            waiting_jobs.wake_due(transaction, longest=LONGEST)
        release(self.context)

    def retry(self) -> Job:
        with self.context.write() as transaction:
            operator.retry_job(transaction, transaction.get_one(Job, self.job().id))
        return self.analyse()


def on_a_node(context: FlowContext, clock: ManualClock, rule: Rule = RULE, **peer: object):
    config = Config(
        storage=context.config.storage,
        peers={"archive": PEER.model_copy(update=peer)},
        rules=(rule,),
    )
    return Patient(replace(context, config=config), clock)
