"""A job whose results are made and wait for their destinations: no analysis, no network."""

from dataclasses import dataclass, replace
from io import BytesIO

import pydicom
import sqlalchemy as sa
from pydicom.data import get_testdata_file

from pacs_ai.config import DimsePeer, Peer
from pacs_ai.digests import digest_of
from pacs_ai.domain import JobId, TaskKind
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.flow.deliver import deliver, release
from pacs_ai.store import jobs
from pacs_ai.store.results import StoredResult
from pacs_ai.store.schema import Delivery, Event, Result, Study
from tests.net_peer import PATIENCE
from tests.unit.store.samples import MODEL, made, routed_job

SC = "1.2.840.10008.5.1.4.1.1.7"
STUDY = "1.2.3"
"""The study of `routed_job`."""


@dataclass
class Ready:
    """One job on a node with some peers."""

    context: FlowContext
    job: JobId

    def deliver(self, name: str = "pacs") -> list[str]:
        """Send what is PENDING; return the states of all deliveries to the destination."""
        deliver(self.context, pair_key(self.job, name))
        return self.states(name)

    def states(self, name: str = "pacs") -> list[str]:
        return [one.state for one in self.rows(name)]

    def rows(self, name: str = "pacs") -> list[Delivery]:
        query = sa.select(Delivery).where(Delivery.destination == name).order_by(Delivery.id)
        with self.context.database.read() as session:
            return list(session.scalars(query))

    def results(self) -> list[Result]:
        with self.context.database.read() as session:
            return list(session.scalars(sa.select(Result).order_by(Result.id)))

    def arrows(self, delivery: Delivery) -> list[str]:
        """Every state that a delivery has been in, from its audit trail."""
        query = (
            sa.select(Event.to_state)
            .where(Event.entity == "delivery", Event.entity_id == str(delivery.id))
            .order_by(Event.id)
        )
        with self.context.database.read() as session:
            return list(session.scalars(query))

    def tasks(self, kind: TaskKind) -> list[str]:
        """Keys of the tasks of a kind that are asked for."""
        with self.context.database.read() as session:
            return sorted(self.context.engine.existing(session, kind))

    def lose_tasks(self) -> None:
        """Let all tasks be lost, as an engine may do."""
        self.context.engine.drain(lambda *_: None, list(TaskKind))

    def wait(self, name: str = "pacs") -> None:
        """Let the pause of a destination's deliveries go by, and wake what is due."""
        now = self.context.now()
        later = max(one.due_at for one in self.rows(name) if one.due_at is not None)
        self.context.clock.sleep(max(0.0, (later - now).total_seconds()))
        release(self.context)


def dimse(port: int, **changes: object) -> DimsePeer:
    """Return a DICOM node that listens on this machine, as `tests.net_peer` makes one."""
    values: dict[str, object] = {"ae_title": "AI_NODE", "host": "127.0.0.1", "port": port}
    return DimsePeer.model_validate(
        {**values, "timeout_seconds": PATIENCE, "keep_open_seconds": 0, **changes}
    )


def ready(
    context: FlowContext,
    peers: dict[str, Peer],
    *,
    results: tuple[dict[str, object], ...] = ({}, {}),
) -> Ready:
    """Make a job and its results, each sent to every peer.

    Parameters
    ----------
    results
        For each what differs from a secondary capture.
    """
    config = context.config.model_copy(update={"peers": peers})
    node = replace(context, config=config)
    with node.write() as transaction:
        _, job = routed_job(transaction)
        lease = jobs.claim(transaction, job, 60)
        assert lease is not None
        kept = [
            _kept(node, number, {"send_to": tuple(peers), **changes})
            for number, changes in enumerate(results, start=1)
        ]
        jobs.succeed(transaction, lease, kept, "ok")
    return Ready(node, job)


def another_job(patient: Ready, name: str, number: int = 0) -> JobId:
    """Let another model have analysed the study, with one result for a destination."""
    node = patient.context
    with node.write() as transaction:
        study = transaction.scalars(sa.select(Study)).one()
        model = replace(MODEL, name=f"other {number}")
        job = jobs.create(transaction, study, ["everything"], model.name, model)
        assert job is not None
        lease = jobs.claim(transaction, job, 60)
        assert lease is not None
        kept = _kept(node, 10 + number, {"send_to": (name,)})
        jobs.succeed(transaction, lease, [kept], "ok")
    return job


def _kept(node: FlowContext, number: int, changes: dict[str, object]) -> StoredResult:
    values: dict[str, object] = {"kind": "capture", "sop_class_uid": SC, **changes}
    result = made(number, **values)
    content = _dicom(result)
    path = node.spool.write_result([content], ".dcm")
    digest = digest_of(content)
    return replace(result, path=path, bytes=len(content), digest=digest)


def _dicom(result: StoredResult) -> bytes:
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = result.sop_class_uid
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = result.sop_instance_uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, result.series_instance_uid
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()
