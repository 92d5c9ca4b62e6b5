"""A node with a study that went all the way, for tests of the ledger."""

from datetime import timedelta
from pathlib import Path

from pacs_ai.clock import ManualClock
from pacs_ai.config import Config
from pacs_ai.engine.table_engine import TableEngine
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import deliveries, tasks
from pacs_ai.store.session import Database
from pacs_ai.store.spool import Spool
from tests.unit.store import samples
from tests.unit.store.samples import NOW

OWNER = "node/boot/1"
PEERS = {"pacs": {"ae_title": "PACS", "host": "10.1.1.1", "port": 104}}


def node_on(database: Database, folder: Path) -> FlowContext:
    """A node on a database, with a spool of its own."""
    spool = Spool(folder / "spool", "node")
    spool.open()
    config = Config.model_validate({"peers": PEERS, "storage": {"min_free_gb": 0}})
    clock = ManualClock()
    engine = TableEngine(tasks, database, clock, OWNER, 60)
    return FlowContext(config, database, spool, engine, clock, OWNER, b"secret")


def study_delivered(context: FlowContext) -> None:
    """Receive a study from 192.0.2.7, analyse it and deliver its result."""
    with context.database.write(OWNER, NOW) as transaction:
        job_id = samples.analysed_job(transaction)
        transaction.now = NOW + timedelta(seconds=4)
        (claimed,) = deliveries.claim(transaction, job_id, "pacs", lease_seconds=60)
        assert deliveries.stored(transaction, claimed, status=0, note="")
